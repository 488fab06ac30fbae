// The address of this process: where it listens, and what others are told to reach it at. Mesos: docs/configuration, and
// libprocess' variables LIBPROCESS_IP, LIBPROCESS_PORT, LIBPROCESS_ADVERTISE_IP and LIBPROCESS_ADVERTISE_PORT, which count
// where no flag is given; LIBPROCESS_REQUIRE_PEER_ADDRESS_IP_MATCH likewise.
//
// OWN-ADDRESS-1: others are never told the address of any interface (0.0.0.0, ::): instead of it, the one that this host's
//     name has.
import { lookup } from 'node:dns/promises';
import { isIP } from 'node:net';
import { hostname, networkInterfaces } from 'node:os';
import { err, ok, type Result } from '@meseta/base';
import { canonicalIp } from './addresses.js';

export interface AddressFlags {
  readonly ip: string | undefined;
  readonly ip_discovery_command: string | undefined;
  readonly port: number;
  readonly advertise_ip: string | undefined;
  readonly advertise_port: number | undefined;
  readonly require_peer_address_ip_match: boolean | undefined;
}

export interface AddressError {
  /** A flag's or a variable's name. */
  readonly flag: string;
  readonly text: string;
}

const wrong = (flag: string, text: string) => err<AddressError>({ flag, text });
const expectedIp = (got: string) => `expected an IP address, got ${JSON.stringify(got)}`;

/** The flags with what libprocess' variables say in place of those that were not given. */
export function withLibprocessVariables<Flags extends AddressFlags>(
  flags: Flags,
  given: ReadonlySet<string>,
  env: NodeJS.ProcessEnv,
): Result<Flags, AddressError> {
  const ip = flags.ip ?? (flags.ip_discovery_command === undefined ? env['LIBPROCESS_IP'] : undefined);
  const ports: Partial<Record<'LIBPROCESS_PORT' | 'LIBPROCESS_ADVERTISE_PORT', number>> = {};
  for (const name of ['LIBPROCESS_PORT', 'LIBPROCESS_ADVERTISE_PORT'] as const) {
    const text = env[name];
    if (text === undefined) continue;
    if (!/^\d{1,5}$/.test(text) || Number(text) > 65535) {
      return wrong(name, `expected a port from 0 to 65535, got ${JSON.stringify(text)}`);
    }
    // A task of an agent has LIBPROCESS_PORT=0; a daemon that is started in it listens on its own port, as in Mesos.
    if (Number(text) !== 0) ports[name] = Number(text);
  }
  const match = env['LIBPROCESS_REQUIRE_PEER_ADDRESS_IP_MATCH'];
  if (match !== undefined && !['true', '1', 'false', '0'].includes(match)) {
    return wrong('LIBPROCESS_REQUIRE_PEER_ADDRESS_IP_MATCH', `expected true or false, got ${JSON.stringify(match)}`);
  }
  return ok({
    ...flags,
    require_peer_address_ip_match: flags.require_peer_address_ip_match ?? (match === 'true' || match === '1'),
    ip,
    port: given.has('port') ? flags.port : (ports.LIBPROCESS_PORT ?? flags.port),
    advertise_ip: flags.advertise_ip ?? env['LIBPROCESS_ADVERTISE_IP'],
    advertise_port: flags.advertise_port ?? ports.LIBPROCESS_ADVERTISE_PORT,
  });
}

export interface OwnAddress {
  /** To be told in place of the address that is listened on; undefined: that one is told. */
  readonly advertiseIp: string | undefined;
  /** An address of this machine, never that of any interface. */
  readonly localIp: string;
  readonly warnings: readonly string[];
}

const isAny = (ip: string): boolean => ['0.0.0.0', '::'].includes(canonicalIp(ip) ?? '');
const isLoopback = (ip: string): boolean => ip.startsWith('127.') || ip === '::1';

/** `ip` is what the process listens on; `find` gives the address of this host's name. */
export async function ownAddressOf(
  ip: string,
  advertiseIp: string | undefined,
  find: () => Promise<string | undefined> = addressOfHost,
): Promise<Result<OwnAddress, AddressError>> {
  if (isIP(ip) === 0) return wrong('ip', expectedIp(ip));
  if (advertiseIp !== undefined && isIP(advertiseIp) === 0) return wrong('advertise_ip', expectedIp(advertiseIp));
  if (advertiseIp !== undefined && isAny(advertiseIp)) {
    return wrong('advertise_ip', `expected an address that others can reach, got ${advertiseIp}`);
  }
  if (!isAny(ip)) return ok({ advertiseIp, localIp: ip, warnings: [] });
  const found = await find();
  if (found === undefined && advertiseIp === undefined) {
    return wrong('ip', `${ip} is the address of any interface, and this host's name has none: give --advertise_ip`);
  }
  const unreachable = found !== undefined && advertiseIp === undefined && isLoopback(found);
  return ok({
    advertiseIp: advertiseIp ?? found,
    localIp: found ?? advertiseIp ?? ip,
    warnings: unreachable
      ? [`others are told ${found}, which this host's name has and no other host reaches: give --advertise_ip`]
      : [],
  });
}

/** As libprocess finds it; where the name is not known, the first address that others may reach. */
async function addressOfHost(): Promise<string | undefined> {
  for (const family of [4, 6]) {
    const found = await lookup(hostname(), { family }).catch(() => undefined);
    if (found !== undefined) return found.address;
  }
  return Object.values(networkInterfaces())
    .flatMap((addresses) => addresses ?? [])
    .find(({ internal }) => !internal)?.address;
}
