// Finds an image in a local archive: one that `docker save` wrote, with `manifest.json` or only the older `repositories`, or
// one in the OCI layout; as a tar file, compressed or not, or for the OCI layout as a directory. Runs in the helper process.
//
// ARCHIVE-1: members are found by name in the index of the archive; nothing of it is written under a name that it has.
// ARCHIVE-2: blobs that are named by digest are verified.
import { createHash } from 'node:crypto';
import { err, LIMITS, ok, type Result } from '@meseta/base';
import type { ArchivedImage, BlobSource } from './helper-protocol.js';
import {
  checkLayerCount,
  type Descriptor,
  diffIdsOf,
  type ImageDescription,
  type ImagePlatform,
  type IndexEntry,
  isFields,
  MAX_DOCUMENT_BYTES,
  parseDescription,
  parseJson,
  parseManifest,
  parseObject,
  selectPlatform,
} from './manifests.js';
import { fullName, type ImageReference, isDigest } from './references.js';

/** The files of an archive. */
export interface Members {
  find(name: string): BlobSource | undefined;
  /** The content of a part of a file; throws if it can't be read. */
  read(source: BlobSource): AsyncIterable<Uint8Array>;
}

/** How many indexes may be in each other. */
const MAX_INDEX_DEPTH = LIMITS.imageIndexes.most;

/** A document of the archive; undefined: it is not there. */
async function documentOf({ find, read }: Members, name: string): Promise<Result<Uint8Array | undefined, string>> {
  const source = find(name);
  if (source === undefined) return ok(undefined);
  const parts: Uint8Array[] = [];
  let length = 0;
  for await (const part of read(source)) {
    parts.push(part);
    length += part.length;
    if (length > MAX_DOCUMENT_BYTES) return err(`${name}: expected at most ${MAX_DOCUMENT_BYTES} bytes`);
  }
  return ok(Buffer.concat(parts));
}

async function needed(members: Members, name: string): Promise<Result<Uint8Array, string>> {
  const found = await documentOf(members, name);
  if (!found.ok) return found;
  return found.value === undefined ? err(`${name}: it is not in the archive`) : ok(found.value);
}

const blobName = (digest: string): string => `blobs/${digest.replace(':', '/')}`;

/** ARCHIVE-2. */
async function blobOf(members: Members, { digest }: Descriptor): Promise<Result<Uint8Array, string>> {
  const found = await needed(members, blobName(digest));
  if (!found.ok) return found;
  const got = `sha256:${createHash('sha256').update(found.value).digest('hex')}`;
  return got === digest ? found : err(`${blobName(digest)}: its content has the digest ${got}`);
}

/** The names that the image may have in an archive. */
function namesOf(reference: ImageReference): readonly string[] {
  const { repository } = reference;
  const ofHub = [`docker.io/${repository}`, `docker.io/library/${repository}`, `library/${repository}`];
  return [...new Set([fullName(reference), repository, ...ofHub])];
}

function sourcesOf(members: Members, names: readonly unknown[]): Result<readonly BlobSource[], string> {
  const over = checkLayerCount(names.length);
  if (over !== undefined) return err(over);
  const sources: BlobSource[] = [];
  for (const name of names) {
    const source = typeof name === 'string' ? members.find(name) : undefined;
    if (source === undefined) return err(`the layer ${JSON.stringify(name)} is not in the archive`);
    sources.push(source);
  }
  return ok(sources);
}

function imageOf(description: ImageDescription, layers: readonly BlobSource[]): Result<ArchivedImage, string> {
  const ids = diffIdsOf(description, layers.length);
  return ids.ok ? ok({ description, layers }) : ids;
}

/** The image in the `manifest.json` of `docker save`. */
async function savedImage(
  members: Members,
  document: Uint8Array,
  reference: ImageReference,
): Promise<Result<ArchivedImage, string>> {
  const parsed = parseJson(document, 'manifest.json');
  if (!parsed.ok) return parsed;
  const images = Array.isArray(parsed.value) ? parsed.value.filter(isFields) : [];
  const tagsOf = (image: (typeof images)[number]): readonly unknown[] =>
    Array.isArray(image['RepoTags']) ? image['RepoTags'] : [];
  const wanted = namesOf(reference).map((name) => `${name}:${reference.tag}`);
  const only = images.length === 1 && images[0] !== undefined && tagsOf(images[0]).length === 0 ? images[0] : undefined;
  const image = images.find((it) => tagsOf(it).some((tag) => wanted.includes(String(tag)))) ?? only;
  if (image === undefined) {
    const tags = images.flatMap(tagsOf).slice(0, 20).join(', ');
    return err(`manifest.json: the archive has no image ${wanted[0]}, only ${tags || 'none with a name'}`);
  }
  const { Config: config, Layers: layers } = image;
  if (typeof config !== 'string' || !Array.isArray(layers)) return err('manifest.json: expected Config and Layers');
  const described = await needed(members, config);
  const description = described.ok ? parseDescription(described.value) : described;
  if (!description.ok) return description;
  const sources = sourcesOf(members, layers);
  return sources.ok ? imageOf(description.value, sources.value) : sources;
}

/** The image in `repositories`, by which Mesos finds images: the tag names the last layer, each layer its parent. */
async function layeredImage(
  members: Members,
  document: Uint8Array,
  reference: ImageReference,
): Promise<Result<ArchivedImage, string>> {
  const parsed = parseObject(document, 'repositories');
  if (!parsed.ok) return parsed;
  const tags = namesOf(reference)
    .map((name) => parsed.value[name])
    .find(isFields);
  let id = tags !== undefined && Object.hasOwn(tags, reference.tag) ? tags[reference.tag] : undefined;
  if (typeof id !== 'string')
    return err(`repositories: the archive has no image ${fullName(reference)}:${reference.tag}`);
  let description: ImageDescription | undefined;
  const names: string[] = [];
  while (typeof id === 'string' && id !== '') {
    const over = checkLayerCount(names.length + 1);
    if (over !== undefined) return err(over);
    names.push(`${id}/layer.tar`);
    const json = await needed(members, `${id}/json`);
    if (!json.ok) return json;
    const layer = parseObject(json.value, `${id}/json`);
    if (!layer.ok) return layer;
    if (description === undefined) {
      const parsedDescription = parseDescription(json.value);
      if (!parsedDescription.ok) return parsedDescription;
      // The digests of such a layer are not those of the image.
      description = { config: parsedDescription.value.config, diffIds: undefined };
    }
    id = layer.value['parent'];
  }
  const sources = sourcesOf(members, names.reverse());
  if (!sources.ok || description === undefined) return sources.ok ? err('repositories: expected a layer') : sources;
  return imageOf(description, sources.value);
}

const REF_NAME = 'org.opencontainers.image.ref.name';

/** The entry of `index.json` for the image: by the tag or the whole name, or the only one. */
function entryFor(entries: readonly IndexEntry[], reference: ImageReference): readonly IndexEntry[] {
  const { tag, digest } = reference;
  const wanted = [tag, ...namesOf(reference).map((name) => `${name}:${tag}`)];
  const named = entries.filter(
    (entry) => entry.digest === digest || wanted.includes(String(entry.annotations[REF_NAME])),
  );
  const isUnnamed = entries.every(({ annotations }) => annotations[REF_NAME] === undefined);
  return named.length > 0 || !isUnnamed ? named : entries;
}

/** The image in the `index.json` of the OCI layout. */
async function layoutImage(
  members: Members,
  document: Uint8Array,
  reference: ImageReference,
  platform: ImagePlatform,
): Promise<Result<ArchivedImage, string>> {
  let manifest = parseManifest(document);
  for (let depth = 0; manifest.ok && manifest.value.kind === 'index'; depth++) {
    if (depth === MAX_INDEX_DEPTH) return err(`index.json: expected at most ${MAX_INDEX_DEPTH} indexes in each other`);
    const entries = depth === 0 ? entryFor(manifest.value.entries, reference) : manifest.value.entries;
    if (entries.length === 0)
      return err(`index.json: the archive has no image ${fullName(reference)}:${reference.tag}`);
    const only = entries.length === 1 ? entries[0] : undefined;
    const entry = only === undefined || only.platform !== undefined ? selectPlatform(entries, platform) : ok(only);
    if (!entry.ok) return entry;
    const blob = await blobOf(members, entry.value);
    manifest = blob.ok ? parseManifest(blob.value) : blob;
  }
  if (!manifest.ok || manifest.value.kind !== 'image') return manifest.ok ? err('index.json: no image') : manifest;
  const { config, layers } = manifest.value;
  const configuration = await blobOf(members, config);
  const description = configuration.ok ? parseDescription(configuration.value) : configuration;
  if (!description.ok) return description;
  const sources = sourcesOf(
    members,
    layers.map(({ digest }) => blobName(digest)),
  );
  return sources.ok ? imageOf(description.value, sources.value) : sources;
}

export async function findImage(
  members: Members,
  reference: ImageReference,
  platform: ImagePlatform,
): Promise<Result<ArchivedImage, string>> {
  const readers = [
    ['manifest.json', savedImage],
    ['repositories', layeredImage],
    ['index.json', layoutImage],
  ] as const;
  for (const [name, read] of readers) {
    const document = await documentOf(members, name);
    if (!document.ok) return document;
    if (document.value !== undefined) return read(members, document.value, reference, platform);
  }
  return err('it has none of manifest.json, repositories and index.json: expected an archive of `docker save` or OCI');
}

/** The members of a directory in the OCI layout: only blobs and the index, so that no name leads out of it. */
export const directoryMembers = (directory: string, read: Members['read']): Members => ({
  find(name) {
    const hex = /^blobs\/sha256\/([0-9a-f]{64})$/.exec(name)?.[1];
    const isKnown = name === 'index.json' || (hex !== undefined && isDigest(`sha256:${hex}`));
    return isKnown ? { path: `${directory}/${name}`, offset: 0, sizeBytes: undefined } : undefined;
  },
  read,
});

/** More names than any archive of an image has. */
export const MAX_MEMBERS = LIMITS.imageArchiveMembers.most;
