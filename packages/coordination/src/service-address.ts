// Addresses of a coordination service: `SCHEME://user:password@host1:port1,host2:port2/path` (Mesos:
// docs/high-availability.md has this form for ZooKeeper).
import { err, ok, type Result } from '@meseta/base';

export interface Server {
  readonly host: string;
  readonly port: number;
}

export interface Login {
  readonly user: string;
  readonly password: string;
}

export interface ServiceAddress {
  readonly servers: readonly Server[];
  readonly login: Login | undefined;
  /** Begins with a slash and does not end with one. */
  readonly path: string;
}

export interface AddressForm {
  /** Without `://`. */
  readonly scheme: string;
  readonly defaultPort: number;
  /** What the errors say. */
  readonly expected: string;
}

/** Whether the text is meant to be the address of a coordination service. */
export const isCoordinatorAddress = (text: string): boolean => /^(?:zk|etcds?):\/\//.test(text);

const MAX_SERVERS = 64;
const SERVER = /^(?:\[([0-9A-Fa-f:.]+)\]|([^[\]:\s/@]+))(?::(\d{1,5}))?$/;
const PATH = /^(?:\/[^/\p{Cc}\s]+)+$/u;

/** The error names the part and never contains the password. */
export function parseServiceAddress(text: string, form: AddressForm): Result<ServiceAddress, string> {
  const { scheme, expected } = form;
  if (!text.startsWith(`${scheme}://`)) return err(expected);
  const rest = text.slice(`${scheme}://`.length);
  const slash = rest.indexOf('/', rest.lastIndexOf('@') + 1);
  if (slash < 0) return err(`${expected}; the path is missing`);
  const path = rest.slice(slash).replace(/\/{1,16}$/, '');
  if (!PATH.test(path) || path.split('/').some((part) => part === '.' || part === '..'))
    return err(`${expected}; the path must have a name and no empty or relative part`);
  const authority = rest.slice(0, slash);
  const at = authority.lastIndexOf('@');
  const login = at < 0 ? ok(undefined) : parseLogin(authority.slice(0, at), form);
  if (!login.ok) return login;
  const servers = parseServers(authority.slice(at + 1), form);
  return servers.ok ? ok({ servers: servers.value, login: login.value, path }) : servers;
}

function parseLogin(text: string, { expected }: AddressForm): Result<Login, string> {
  const colon = text.indexOf(':');
  if (colon <= 0) return err(`${expected}; before the @ a user and a password are needed`);
  return ok({ user: text.slice(0, colon), password: text.slice(colon + 1) });
}

function parseServers(text: string, { defaultPort, expected }: AddressForm): Result<readonly Server[], string> {
  const names = text.split(',');
  if (names.length > MAX_SERVERS) return err(`${expected}; at most ${MAX_SERVERS} servers`);
  const servers: Server[] = [];
  for (const name of names) {
    const match = SERVER.exec(name);
    const port = Number(match?.[3] ?? defaultPort);
    const host = match?.[1] ?? match?.[2];
    if (host === undefined || port < 1 || port > 65535)
      return err(`${expected}; ${JSON.stringify(name)} is no HOST:PORT`);
    servers.push({ host, port });
  }
  return ok(servers);
}
