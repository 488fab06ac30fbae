// Addresses of ZooKeeper: `zk://user:password@host1:port1,host2:port2/path` (Mesos: docs/high-availability.md).
import { err, ok, type Result } from '@meseta/base';
import type { Server } from './connection.js';
import type { Login } from './protocol.js';

export interface ZooKeeperAddress {
  readonly servers: readonly Server[];
  readonly login: Login | undefined;
  /** Begins with a slash and does not end with one. */
  readonly path: string;
}

const DEFAULT_PORT = 2181;
const MAX_SERVERS = 64;
const SERVER = /^(?:\[([0-9A-Fa-f:.]+)\]|([^[\]:\s/@]+))(?::(\d{1,5}))?$/;
const PATH = /^(?:\/[^/\p{Cc}\s]+)+$/u;
const EXPECTED = 'expected zk://USER:PASSWORD@HOST:PORT,HOST:PORT/PATH, USER:PASSWORD@ being optional';

/** The error names the part and never contains the password. */
export function parseZooKeeperAddress(text: string): Result<ZooKeeperAddress, string> {
  if (!text.startsWith('zk://')) return err(EXPECTED);
  const rest = text.slice('zk://'.length);
  const slash = rest.indexOf('/', rest.lastIndexOf('@') + 1);
  if (slash < 0) return err(`${EXPECTED}; the path is missing`);
  const path = rest.slice(slash).replace(/\/{1,16}$/, '');
  if (!PATH.test(path) || path.split('/').some((part) => part === '.' || part === '..'))
    return err(`${EXPECTED}; the path must have a name and no empty or relative part`);
  const authority = rest.slice(0, slash);
  const at = authority.lastIndexOf('@');
  const login = at < 0 ? ok(undefined) : parseLogin(authority.slice(0, at));
  if (!login.ok) return login;
  const servers = parseServers(authority.slice(at + 1));
  return servers.ok ? ok({ servers: servers.value, login: login.value, path }) : servers;
}

function parseLogin(text: string): Result<Login, string> {
  const colon = text.indexOf(':');
  if (colon <= 0) return err(`${EXPECTED}; before the @ a user and a password are needed`);
  return ok({ user: text.slice(0, colon), password: text.slice(colon + 1) });
}

function parseServers(text: string): Result<readonly Server[], string> {
  const names = text.split(',');
  if (names.length > MAX_SERVERS) return err(`${EXPECTED}; at most ${MAX_SERVERS} servers`);
  const servers: Server[] = [];
  for (const name of names) {
    const match = SERVER.exec(name);
    const port = Number(match?.[3] ?? DEFAULT_PORT);
    const host = match?.[1] ?? match?.[2];
    if (host === undefined || port < 1 || port > 65535)
      return err(`${EXPECTED}; ${JSON.stringify(name)} is no HOST:PORT`);
    servers.push({ host, port });
  }
  return ok(servers);
}
