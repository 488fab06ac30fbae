// Reads the JSON documents of images: manifests of schema 2 and OCI, indexes, configurations (OCI image specification;
// Docker: image/spec). Everything in them comes from outside.
import { err, LIMITS, ok, overLimit, type Result } from '@meseta/base';
import { parseExactJson } from '@meseta/wire/json-parser';
import { isDigest } from './references.js';

export interface Descriptor {
  readonly digest: string;
  readonly sizeBytes: number;
}

/** As the manifests of indexes and Node name it: amd64, arm64 with a variant, ... */
export interface ImagePlatform {
  readonly os: string;
  readonly architecture: string;
  readonly variant?: string | undefined;
}

export interface IndexEntry extends Descriptor {
  readonly platform: ImagePlatform | undefined;
  readonly annotations: { readonly [name: string]: unknown };
}

export type Manifest =
  | { readonly kind: 'index'; readonly entries: readonly IndexEntry[] }
  | { readonly kind: 'image'; readonly config: Descriptor; readonly layers: readonly Descriptor[] };

/** How an image wants the processes in it to run. */
export interface ImageConfig {
  readonly entrypoint: readonly string[];
  readonly cmd: readonly string[];
  /** `NAME=VALUE` */
  readonly env: readonly string[];
  readonly workingDir: string | undefined;
  readonly user: string | undefined;
  /** The names of its labels. */
  readonly labels?: readonly string[];
}

export interface ImageDescription {
  readonly config: ImageConfig;
  /** The digests of the unpacked layers; undefined: an old configuration without them. */
  readonly diffIds: readonly string[] | undefined;
}

type Fields = { readonly [name: string]: unknown };

export const isFields = (value: unknown): value is Fields =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** Parses JSON from outside, limited in size and depth. */
export function parseJson(bytes: Uint8Array, what: string): Result<unknown, string> {
  const over = overLimit('imageManifest', what, bytes.length);
  if (over !== undefined) return err(over);
  const parsed = parseExactJson(new TextDecoder().decode(bytes));
  return parsed.ok ? parsed : err(`${what}: expected ${parsed.error.expected}, got ${parsed.error.found}`);
}

export function parseObject(bytes: Uint8Array, what: string): Result<Fields, string> {
  const parsed = parseJson(bytes, what);
  if (!parsed.ok) return parsed;
  return isFields(parsed.value) ? ok(parsed.value) : err(`${what}: expected a JSON object`);
}

function descriptorIn(value: unknown, field: string): Result<Descriptor, string> {
  const { digest, size } = isFields(value) ? value : {};
  if (!isDigest(digest)) return err(`${field}.digest: expected a digest of sha256`);
  if (typeof size !== 'number' || !Number.isSafeInteger(size) || size < 0) return err(`${field}.size: expected a size`);
  return ok({ digest, sizeBytes: size });
}

const textOrNone = (value: unknown): string | undefined =>
  typeof value === 'string' && value !== '' ? value : undefined;

function indexEntryIn(value: unknown, field: string): Result<IndexEntry, string> {
  const descriptor = descriptorIn(value, field);
  if (!descriptor.ok || !isFields(value)) return err(descriptor.ok ? field : descriptor.error);
  const { platform, annotations } = value;
  const os = isFields(platform) ? textOrNone(platform['os']) : undefined;
  const architecture = isFields(platform) ? textOrNone(platform['architecture']) : undefined;
  const variant = isFields(platform) ? textOrNone(platform['variant']) : undefined;
  return ok({
    ...descriptor.value,
    platform: os === undefined || architecture === undefined ? undefined : { os, architecture, variant },
    annotations: isFields(annotations) ? annotations : {},
  });
}

function listIn<T>(
  value: unknown,
  field: string,
  itemOf: (item: unknown, field: string) => Result<T, string>,
): Result<readonly T[], string> {
  if (!Array.isArray(value)) return err(`${field}: expected a list`);
  const items: T[] = [];
  for (const [at, each] of value.entries()) {
    const item = itemOf(each, `${field}[${at}]`);
    if (!item.ok) return item;
    items.push(item.value);
  }
  return ok(items);
}

/** A manifest or an index. */
export function parseManifest(bytes: Uint8Array): Result<Manifest, string> {
  const parsed = parseObject(bytes, 'manifest');
  if (!parsed.ok) return parsed;
  const { schemaVersion, manifests, config, layers } = parsed.value;
  if (schemaVersion !== 2) {
    return err(
      `manifest.schemaVersion: expected 2, got ${JSON.stringify(schemaVersion)}; push the image again with a newer tool`,
    );
  }
  if (manifests !== undefined) {
    const entries = listIn(manifests, 'manifest.manifests', indexEntryIn);
    return entries.ok ? ok({ kind: 'index', entries: entries.value }) : entries;
  }
  const configuration = descriptorIn(config, 'manifest.config');
  if (!configuration.ok) return configuration;
  const found = listIn(layers, 'manifest.layers', descriptorIn);
  if (!found.ok) return found;
  const over = checkLayerCount(found.value.length);
  return over === undefined ? ok({ kind: 'image', config: configuration.value, layers: found.value }) : err(over);
}

export const checkLayerCount = (layers: number): string | undefined =>
  layers === 0 ? 'manifest.layers: expected a layer' : overLimit('imageLayers', 'manifest.layers', layers);

/** Names of Go, which images use, for those of Node. */
const ARCHITECTURES: Readonly<Record<string, string>> = { x64: 'amd64', ia32: '386', arm: 'arm', arm64: 'arm64' };

export const platformOf = (architecture: string): ImagePlatform => ({
  os: 'linux',
  architecture: ARCHITECTURES[architecture] ?? architecture,
});

const shownPlatform = ({ os, architecture, variant }: ImagePlatform): string =>
  [os, architecture, ...(variant === undefined ? [] : [variant])].join('/');

/** The first entry of an index for this machine. */
export function selectPlatform(entries: readonly IndexEntry[], host: ImagePlatform): Result<IndexEntry, string> {
  const found = entries.find(({ platform }) => platform?.os === host.os && platform.architecture === host.architecture);
  if (found !== undefined) return ok(found);
  const only = entries.length === 1 && entries[0]?.platform === undefined ? entries[0] : undefined;
  if (only !== undefined) return ok(only);
  const offered = entries
    .slice(0, 20)
    .flatMap(({ platform }) => (platform === undefined ? [] : [shownPlatform(platform)]));
  return err(`the image is not for ${shownPlatform(host)}, only for ${offered.join(', ') || 'no platform'}`);
}

function textsIn(value: unknown, field: string): Result<readonly string[], string> {
  if (value === undefined || value === null) return ok([]);
  return listIn(value, field, (item, at) => (typeof item === 'string' ? ok(item) : err(`${at}: expected a string`)));
}

/** The configuration of an image, or of the last layer of an image in the layout of old archives. */
export function parseDescription(bytes: Uint8Array): Result<ImageDescription, string> {
  const parsed = parseObject(bytes, 'configuration');
  if (!parsed.ok) return parsed;
  const { config, rootfs } = parsed.value;
  const fields = isFields(config) ? config : {};
  const entrypoint = textsIn(fields['Entrypoint'], 'configuration.config.Entrypoint');
  if (!entrypoint.ok) return entrypoint;
  const cmd = textsIn(fields['Cmd'], 'configuration.config.Cmd');
  if (!cmd.ok) return cmd;
  const env = textsIn(fields['Env'], 'configuration.config.Env');
  if (!env.ok) return env;
  const ids = isFields(rootfs) ? listIn(rootfs['diff_ids'], 'configuration.rootfs.diff_ids', diffIdIn) : ok(undefined);
  if (!ids.ok) return ids;
  const workingDir = textOrNone(fields['WorkingDir']);
  const user = textOrNone(fields['User']);
  return ok({
    config: { entrypoint: entrypoint.value, cmd: cmd.value, env: env.value, workingDir, user, ...labelsIn(fields) },
    diffIds: ids.value,
  });
}

function labelsIn({ Labels: labels }: Fields): Pick<ImageConfig, 'labels'> {
  return isFields(labels) ? { labels: Object.keys(labels) } : {};
}

const diffIdIn = (item: unknown, field: string): Result<string, string> =>
  isDigest(item) ? ok(item) : err(`${field}: expected a digest of sha256`);

/** The digests of the unpacked layers of an image with as many layers. */
export function diffIdsOf(
  { diffIds }: ImageDescription,
  layers: number,
): Result<readonly (string | undefined)[], string> {
  if (diffIds === undefined) return ok(Array.from({ length: layers }, () => undefined));
  return diffIds.length === layers
    ? ok(diffIds)
    : err(`configuration.rootfs.diff_ids: expected ${layers}, as many as there are layers, got ${diffIds.length}`);
}

/** The longest document. */
export const MAX_DOCUMENT_BYTES = LIMITS.imageManifest.most;
