// Names of images: `[HOST[:PORT]/]REPOSITORY[:TAG][@DIGEST]` (Mesos: docs/container-image.md; the grammar is that of the
// registry API).
import { err, ok, overLimit, type Result } from '@meseta/base';

export interface ImageReference {
  /** `HOST` or `HOST:PORT`; undefined: the agent's default. */
  readonly registry: string | undefined;
  readonly repository: string;
  readonly tag: string;
  /** Takes precedence over the tag. */
  readonly digest: string | undefined;
}

const REPOSITORY = /^[a-z0-9]+(?:(?:\.|__?|-+)[a-z0-9]+)*(?:\/[a-z0-9]+(?:(?:\.|__?|-+)[a-z0-9]+)*)*$/;
const REGISTRY = /^(?:[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?|\[[0-9A-Fa-f:]+\])(?::[0-9]{1,5})?$/;
const TAG = /^[A-Za-z0-9_][A-Za-z0-9._-]{0,127}$/;
const DIGEST = /^sha256:[0-9a-f]{64}$/;

export const isDigest = (text: unknown): text is string => typeof text === 'string' && DIGEST.test(text);

const EXPECTED = 'expected [HOST[:PORT]/]REPOSITORY[:TAG][@sha256:DIGEST]';

/** The first part is a host if it can't be a part of a repository's name, as in Docker. */
function splitRegistry(name: string): readonly [registry: string | undefined, rest: string] {
  const slash = name.indexOf('/');
  const first = slash < 0 ? '' : name.slice(0, slash);
  return /[.:[]/.test(first) || first === 'localhost' ? [first, name.slice(slash + 1)] : [undefined, name];
}

/** Parses the name of an image; the error names what is wrong. */
export function parseReference(text: string): Result<ImageReference, string> {
  const refused = (what: string): Result<never, string> => err(`image ${JSON.stringify(text.slice(0, 600))}: ${what}`);
  const at = text.indexOf('@');
  const digest = at < 0 ? undefined : text.slice(at + 1);
  if (digest !== undefined && !isDigest(digest)) return refused(`expected a digest of sha256; ${EXPECTED}`);
  const [registry, rest] = splitRegistry(at < 0 ? text : text.slice(0, at));
  const colon = rest.indexOf(':');
  const repository = colon < 0 ? rest : rest.slice(0, colon);
  const tag = colon < 0 ? 'latest' : rest.slice(colon + 1);
  const tooLong =
    overLimit('imageName', 'the registry', registry?.length ?? 0) ??
    overLimit('imageName', 'the repository', repository.length);
  if (tooLong !== undefined) return refused(tooLong);
  if (registry !== undefined && !REGISTRY.test(registry)) return refused(`the registry is no host; ${EXPECTED}`);
  if (!REPOSITORY.test(repository)) return refused(`the repository has characters that it may not have; ${EXPECTED}`);
  if (!TAG.test(tag)) return refused(`the tag has characters that it may not have, or more than 128; ${EXPECTED}`);
  return ok({ registry, repository, tag, digest });
}

/** The repository with its registry. */
export const fullName = ({ registry, repository }: ImageReference): string =>
  registry === undefined ? repository : `${registry}/${repository}`;

/** The one text for each image, by which stored images are found. */
export const canonicalName = (reference: ImageReference): string =>
  `${fullName(reference)}:${reference.tag}${reference.digest === undefined ? '' : `@${reference.digest}`}`;
