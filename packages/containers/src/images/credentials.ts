// Credentials for registries, from `--docker_config` and from an image's own config: the config.json of Docker, or the older
// .dockercfg, which has the content of `auths` only.
//
// CREDENTIALS-1: no error and no log line contains a part of a config.
import { err, ok, type Result } from '@meseta/base';
import { textOfBase64 } from '@meseta/wire/base64';
import { isFields, parseObject } from './manifests.js';

/** `Basic` credentials by host, or host and port. */
export type Credentials = ReadonlyMap<string, string>;

export const NO_CREDENTIALS: Credentials = new Map();

const HUB = 'registry-1.docker.io';
/** The names of Docker Hub, of which one is a registry. */
export const HUB_HOSTS: readonly string[] = ['index.docker.io', 'docker.io', HUB];

/** The host of the registry that has this name. */
export const registryHost = (host: string): string => (HUB_HOSTS.includes(host) ? HUB : host);

export const isDockerHub = (host: string): boolean => registryHost(host) === HUB;

/** The host in a key of a config: `https://index.docker.io/v1/` or `host:5000`. */
export const hostOfKey = (key: string): string => key.replace(/^https?:\/\//, '').replace(/\/.*$/s, '');

/** One line of printable characters: the value of a header. */
const isHeaderValue = (text: string): boolean => /^[\x21-\x7e]{1,65536}$/.test(text);

function basicOf(entry: { readonly [name: string]: unknown }): string | undefined {
  const { auth, username, password } = entry;
  if (typeof auth === 'string' && auth !== '') {
    const text = textOfBase64(auth);
    return text?.includes(':') && isHeaderValue(auth) ? auth : undefined;
  }
  if (typeof username !== 'string' || typeof password !== 'string') return undefined;
  return Buffer.from(`${username}:${password}`).toString('base64');
}

/** Parses a config; `what` names it in errors. */
export function parseCredentials(bytes: Uint8Array, what: string): Result<Credentials, string> {
  const parsed = parseObject(bytes, what);
  // The error of the parser quotes the text.
  if (!parsed.ok) return err(`${what}: expected the JSON of a config.json of Docker`);
  const auths = isFields(parsed.value['auths']) ? parsed.value['auths'] : parsed.value;
  const found = new Map<string, string>();
  for (const [key, entry] of Object.entries(auths)) {
    if (!isFields(entry)) continue;
    if (entry['identitytoken'] !== undefined) {
      return err(
        `${what}: an identity token of a registry is not supported; expected "auth" or a user name and password`,
      );
    }
    const basic = basicOf(entry);
    if (basic !== undefined) found.set(registryHost(hostOfKey(key)), basic);
  }
  return ok(found);
}

/** The own ones of an image take precedence. */
export const withCredentials = (general: Credentials, own: Credentials): Credentials => new Map([...general, ...own]);
