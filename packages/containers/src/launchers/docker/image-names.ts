// Names of images, and the credentials of their registries.
import { err, ok, overLimit, type Result } from '@meseta/base';
import { HUB_HOSTS, hostOfKey } from '../../images/credentials.js';

/** An image as the engine's calls name it: `tag` is a tag, or a digest such as sha256:... */
export interface ImageName {
  readonly repository: string;
  readonly tag: string;
  /** The host of its registry; undefined: Docker Hub. */
  readonly registry: string | undefined;
}

/** Letters of repositories, tags and digests; no component may begin with one that has a meaning elsewhere. */
const IMAGE =
  /^([a-zA-Z0-9][\w.-]*(?::\d{1,5})?(?:\/[a-z0-9][\w.-]*)*)(?::(\w[\w.-]{0,127}))?(?:@([a-z0-9+._-]+:[0-9a-fA-F]{32,128}))?$/;

/** Without a tag and digest it is `latest`, as for Mesos. */
export function parseImageName(image: string): Result<ImageName, string> {
  const tooLong = overLimit('dockerImage', 'container.docker.image', image.length);
  if (tooLong !== undefined) return err(tooLong);
  const [, repository, tag, digest] = IMAGE.exec(image) ?? [];
  if (repository === undefined) {
    return err(`container.docker.image: expected [REGISTRY/]NAME[:TAG][@DIGEST], got ${JSON.stringify(image)}`);
  }
  // `localhost:5000` alone is an image with a tag; the expression above reads it as a registry's name and port.
  const bare = /^([^/:]+):(\d+)$/.exec(repository);
  if (bare !== null && tag === undefined) {
    return ok({ repository: bare[1] ?? '', tag: digest ?? bare[2] ?? '', registry: undefined });
  }
  const first = repository.split('/', 1)[0] ?? '';
  const isHost = first !== repository && (/[.:]/.test(first) || first === 'localhost');
  return ok({ repository, tag: digest ?? tag ?? 'latest', registry: isHost ? first : undefined });
}

export const imageReference = ({ repository, tag }: ImageName): string =>
  tag.includes(':') ? `${repository}@${tag}` : `${repository}:${tag}`;

/** The header X-Registry-Auth for each registry's host. */
export type RegistryCredentials = ReadonlyMap<string, string>;

interface Auth {
  readonly auth?: unknown;
  readonly identitytoken?: unknown;
}

function headerOf(host: string, { auth, identitytoken }: Auth): string | undefined {
  const pair = typeof auth === 'string' ? Buffer.from(auth, 'base64').toString() : '';
  const at = pair.indexOf(':');
  if (typeof identitytoken !== 'string' && at < 1) return undefined;
  const credentials =
    typeof identitytoken === 'string'
      ? { identitytoken }
      : { username: pair.slice(0, at), password: pair.slice(at + 1) };
  return Buffer.from(JSON.stringify({ ...credentials, serveraddress: host })).toString('base64url');
}

/** The credentials in a configuration of Docker's command line (`config.json`, or the older `.dockercfg`). */
export function parseRegistryCredentials(text: string): Result<RegistryCredentials, string> {
  const expected = 'expected a JSON object such as {"auths": {"registry.example.com": {"auth": "..."}}}';
  let config: unknown;
  try {
    config = JSON.parse(text);
  } catch {
    return err(expected);
  }
  if (typeof config !== 'object' || config === null || Array.isArray(config)) return err(expected);
  const auths: unknown = 'auths' in config ? config.auths : config;
  if (typeof auths !== 'object' || auths === null) return err(expected);
  const found = new Map<string, string>();
  for (const [key, auth] of Object.entries(auths)) {
    const host = hostOfKey(key);
    const header = typeof auth === 'object' && auth !== null ? headerOf(host, auth as Auth) : undefined;
    if (header !== undefined) found.set(host, header);
  }
  return ok(found);
}

export function credentialsFor(credentials: RegistryCredentials, { registry }: ImageName): string | undefined {
  const hosts = registry === undefined || HUB_HOSTS.includes(registry) ? HUB_HOSTS : [registry];
  return hosts.map((host) => credentials.get(host)).find((header) => header !== undefined);
}
