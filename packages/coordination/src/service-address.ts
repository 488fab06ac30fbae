// Addresses of a coordination service: `SCHEME://user:password@host1:port1,host2:port2/path` (Mesos:
// docs/high-availability.md has this form for ZooKeeper), and with TLS `SCHEMEs://...?ca=FILE&cert=FILE&key=FILE`.
import { err, ok, type Result } from '@meseta/base';

export interface Server {
  readonly host: string;
  readonly port: number;
}

export interface Login {
  readonly user: string;
  readonly password: string;
}

/** Paths of PEM files. Without `ca` the system's certificate authorities are trusted. */
export interface TlsFiles {
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: string;
}

export interface ServiceAddress {
  readonly servers: readonly Server[];
  readonly login: Login | undefined;
  /** Begins with a slash and does not end with one. */
  readonly path: string;
  /** Undefined: without TLS. */
  readonly tls: TlsFiles | undefined;
}

export interface AddressForm {
  /** Without `://`; with TLS an `s` follows. */
  readonly scheme: string;
  readonly defaultPort: number;
  readonly defaultTlsPort: number;
  /** Whether a path without TLS may contain a question mark. */
  readonly allowsQuestionMark: boolean;
  /** The beginning of errors. */
  readonly expected: string;
}

/** Whether the text is meant to be the address of a coordination service. */
export const isCoordinatorAddress = (text: string): boolean => /^(?:zk|etcd)s?:\/\//.test(text);

const MAX_SERVERS = 64;
const SERVER = /^(?:\[([0-9A-Fa-f:.]+)\]|([^[\]:\s/@]+))(?::(\d{1,5}))?$/;
const PATH = /^(?:\/[^/\p{Cc}\s]+)+$/u;
const FILES = ['ca', 'cert', 'key'] as const;
const FILE_OPTION = /\?(?:ca|cert|key)=/;

/** The error names the part and never contains the password. */
export function parseServiceAddress(text: string, form: AddressForm): Result<ServiceAddress, string> {
  const { scheme, defaultPort, defaultTlsPort } = form;
  if (text.startsWith(`${scheme}://`)) {
    const rest = text.slice(`${scheme}://`.length);
    const refused = refuseOptions(rest, form);
    const address = refused ?? parsePlainAddress(rest, defaultPort, form);
    return address.ok ? ok({ ...address.value, tls: undefined }) : address;
  }
  if (!text.startsWith(`${scheme}s://`)) return err(form.expected);
  const rest = text.slice(`${scheme}s://`.length);
  const query = queryOf(rest);
  const address = parsePlainAddress(query < 0 ? rest : rest.slice(0, query), defaultTlsPort, form);
  if (!address.ok) return address;
  const tls = parseFiles(query < 0 ? '' : rest.slice(query + 1), form);
  return tls.ok ? ok({ ...address.value, tls: tls.value }) : tls;
}

/** Files of an address without TLS would have no effect. */
function refuseOptions(text: string, { scheme, allowsQuestionMark, expected }: AddressForm) {
  const path = text.slice(text.lastIndexOf('@') + 1);
  return FILE_OPTION.test(path) || (!allowsQuestionMark && path.includes('?'))
    ? err(`${expected}; the files need ${scheme}s:// in place of ${scheme}://`)
    : undefined;
}

/** Where the query begins: a password may contain a question mark, and the path of a file an @. */
function queryOf(text: string): number {
  const files = text.search(FILE_OPTION);
  return files < 0 ? text.indexOf('?', text.lastIndexOf('@') + 1) : files;
}

function parsePlainAddress(
  text: string,
  defaultPort: number,
  form: AddressForm,
): Result<Omit<ServiceAddress, 'tls'>, string> {
  const { expected } = form;
  const slash = text.indexOf('/', text.lastIndexOf('@') + 1);
  if (slash < 0) return err(`${expected}; the path is missing`);
  const path = text.slice(slash).replace(/\/{1,16}$/, '');
  if (!PATH.test(path) || path.split('/').some((part) => part === '.' || part === '..'))
    return err(`${expected}; the path must have a name and no empty or relative part`);
  const authority = text.slice(0, slash);
  const at = authority.lastIndexOf('@');
  const login = at < 0 ? ok(undefined) : parseLogin(authority.slice(0, at), form);
  if (!login.ok) return login;
  const servers = parseServers(authority.slice(at + 1), defaultPort, form);
  return servers.ok ? ok({ servers: servers.value, login: login.value, path }) : servers;
}

function parseLogin(text: string, { expected }: AddressForm): Result<Login, string> {
  const colon = text.indexOf(':');
  if (colon <= 0) return err(`${expected}; before the @ a user and a password are needed`);
  return ok({ user: text.slice(0, colon), password: text.slice(colon + 1) });
}

function parseServers(text: string, defaultPort: number, { expected }: AddressForm): Result<readonly Server[], string> {
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

function parseFiles(query: string, { expected }: AddressForm): Result<TlsFiles, string> {
  const files: { -readonly [K in keyof TlsFiles]: string } = {};
  for (const [name, file] of new URLSearchParams(query)) {
    const known = FILES.find((each) => each === name);
    if (known === undefined || file === '' || files[known] !== undefined)
      return err(`${expected}; ${JSON.stringify(name)} is none of ca, cert and key, has no file, or is given twice`);
    files[known] = file;
  }
  return (files.cert === undefined) === (files.key === undefined)
    ? ok(files)
    : err(`${expected}; cert and key are needed together`);
}
