// The address of this process: the one that it listens on and the one that it advertises. Mesos: docs/configuration. The
// variables LIBPROCESS_IP, LIBPROCESS_PORT, LIBPROCESS_ADVERTISE_IP, LIBPROCESS_ADVERTISE_PORT and
// LIBPROCESS_REQUIRE_PEER_ADDRESS_IP_MATCH apply where the flag is not given.
//
// OWN-ADDRESS-1: the wildcard address (0.0.0.0, ::) is never advertised; instead, the address of this host's name is.
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
  /** The name of a flag or a variable. */
  readonly flag: string;
  readonly text: string;
}

const wrong = (flag: string, text: string) => err<AddressError>({ flag, text });
const expectedIp = (got: string) => `expected an IP address, got ${JSON.stringify(got)}`;

/** The flags, with the values of libprocess' variables for flags that were not given. */
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
    // Tasks of an agent have LIBPROCESS_PORT=0; a daemon started in a task listens on its default port, as in Mesos.
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
  /** Undefined: the address that the process listens on is advertised. */
  readonly advertiseIp: string | undefined;
  /** An address of this machine, never the wildcard address. */
  readonly localIp: string;
  readonly warnings: readonly string[];
}

const isWildcard = (ip: string): boolean => ['0.0.0.0', '::'].includes(canonicalIp(ip) ?? '');
const isLoopback = (ip: string): boolean => ip.startsWith('127.') || ip === '::1';

/** `ip`: the address to listen on. `find` looks up the address of this host's name. */
export async function ownAddressOf(
  ip: string,
  advertiseIp: string | undefined,
  find: () => Promise<string | undefined> = addressOfHost,
): Promise<Result<OwnAddress, AddressError>> {
  if (isIP(ip) === 0) return wrong('ip', expectedIp(ip));
  if (advertiseIp !== undefined && isIP(advertiseIp) === 0) return wrong('advertise_ip', expectedIp(advertiseIp));
  if (advertiseIp !== undefined && isWildcard(advertiseIp)) {
    return wrong('advertise_ip', `expected an address that others can reach, got ${advertiseIp}`);
  }
  if (!isWildcard(ip)) return ok({ advertiseIp, localIp: ip, warnings: [] });
  const found = await find();
  if (found === undefined && advertiseIp === undefined) {
    return wrong('ip', `${ip} is the wildcard address, and this host's name has no address: give --advertise_ip`);
  }
  const unreachable = found !== undefined && advertiseIp === undefined && isLoopback(found);
  return ok({
    advertiseIp: advertiseIp ?? found,
    localIp: found ?? advertiseIp ?? ip,
    warnings: unreachable
      ? [
          `the advertised address ${found}, that of this host's name, cannot be reached by other hosts: give --advertise_ip`,
        ]
      : [],
  });
}

/** The address of this host's name, as in libprocess; without one, the first address that is not internal. */
async function addressOfHost(): Promise<string | undefined> {
  for (const family of [4, 6]) {
    const found = await lookup(hostname(), { family }).catch(() => undefined);
    if (found !== undefined) return found.address;
  }
  return Object.values(networkInterfaces())
    .flatMap((addresses) => addresses ?? [])
    .find(({ internal }) => !internal)?.address;
}
