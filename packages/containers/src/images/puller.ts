// Pulls an image: from a registry, or from a directory of archives, as Mesos' local puller does. Layers that the store has are
// not pulled again.
//
// PULL-1: a layer enters the store with the digest of its unpacked content, and after it was verified where the image tells it.
// PULL-2: what a failed pull has written is in its scratch directory, which the store removes.
import { type AbortSignalLike, err, type Files, ok, present, type Result } from '@meseta/base';
import { createConcurrencyLimit } from '../concurrency.js';
import type { Credentials } from './credentials.js';
import type { ImageHelper } from './helper-client.js';
import type { BlobSource } from './helper-protocol.js';
import type { LayerLimits } from './layer-writer.js';
import {
  type Descriptor,
  diffIdsOf,
  type ImageConfig,
  type ImagePlatform,
  parseDescription,
  parseManifest,
  selectPlatform,
} from './manifests.js';
import { fullName, type ImageReference } from './references.js';
import { endpointOf, openRegistrySession, type RegistryPorts, type RegistrySession } from './registry.js';

export interface PullerOptions extends RegistryPorts {
  readonly files: Files;
  readonly helper: ImageHelper;
  /** `--docker_registry`: a URL, or the absolute path of a directory. */
  readonly registry: string;
  readonly platform: ImagePlatform;
  readonly limits: LayerLimits;
}

/** What a pull needs of the store. */
export interface PullPlace {
  /** An empty directory for this pull. */
  readonly scratch: string;
  readonly signal: AbortSignalLike;
  readonly credentials: Credentials;
  /** Whether the store has the layer, which is then kept until the pull ends. */
  keepsLayer(diffId: string): boolean;
  /** Moves an unpacked layer from the scratch directory into the store. */
  addLayer(diffId: string, name: string): Promise<Result<void, string>>;
}

export interface PulledImage {
  readonly config: ImageConfig;
  /** The digests of the unpacked layers, the lowest first. */
  readonly layers: readonly string[];
}

export type Pull = (reference: ImageReference, place: PullPlace) => Promise<Result<PulledImage, string>>;

const MAX_DOWNLOADS = 3;

/** A layer as the image has it, with the digest of its unpacked content if the image tells it. */
interface PackedLayer {
  readonly source: BlobSource;
  readonly diffId: string | undefined;
}

/** PULL-1: unpacks the layers and moves them into the store. Returns their digests. */
async function unpackLayers(
  { files, helper, limits }: PullerOptions,
  place: PullPlace,
  layers: readonly PackedLayer[],
): Promise<Result<readonly string[], string>> {
  const wanted = layers.filter(({ diffId }) => diffId === undefined || !place.keepsLayer(diffId));
  const targets: { source: BlobSource; target: string; diffId: string | undefined }[] = [];
  for (const [at, { source, diffId }] of wanted.entries()) {
    const target = `${place.scratch}/layer-${at}`;
    const made = await files.makeDirectory(target, 0o755);
    if (!made.ok) return err(made.error.message);
    targets.push({ source, target, diffId });
  }
  const unpacked =
    targets.length === 0 ? ok([]) : await helper.run({ kind: 'unpack', layers: targets, limits }, place.signal);
  if (!unpacked.ok) return unpacked;
  if (unpacked.value.length !== targets.length) return err('the helper process has not unpacked all layers');
  for (const [at, { diffId }] of unpacked.value.entries()) {
    const added = await place.addLayer(diffId, `layer-${at}`);
    if (!added.ok) return added;
  }
  const unpackedIds = new Map(wanted.map((layer, at) => [layer, unpacked.value[at]?.diffId]));
  return ok(layers.map((layer) => present(unpackedIds.get(layer) ?? layer.diffId, 'the digest of a layer')));
}

/** Downloads the layers that the store lacks into the scratch directory. Returns why that failed. */
async function downloadLayers(
  session: RegistrySession,
  place: PullPlace,
  layers: readonly { readonly descriptor: Descriptor; readonly path: string }[],
): Promise<string | undefined> {
  const limit = createConcurrencyLimit(MAX_DOWNLOADS);
  let problem: string | undefined;
  await Promise.all(
    layers.map(({ descriptor, path }) =>
      limit(async () => {
        if (problem !== undefined || place.signal.aborted) return;
        const done = await session.blob(descriptor, path);
        if (!done.ok) problem ??= done.error;
      }),
    ),
  );
  return place.signal.aborted ? 'stopped' : problem;
}

async function findManifest(
  session: RegistrySession,
  { tag, digest }: ImageReference,
  platform: ImagePlatform,
): Promise<Result<{ readonly config: Descriptor; readonly layers: readonly Descriptor[] }, string>> {
  const bytes = await session.manifest(digest ?? tag);
  let manifest = bytes.ok ? parseManifest(bytes.value) : bytes;
  if (manifest.ok && manifest.value.kind === 'index') {
    const entry = selectPlatform(manifest.value.entries, platform);
    const selected = entry.ok ? await session.manifest(entry.value.digest) : entry;
    manifest = selected.ok ? parseManifest(selected.value) : selected;
  }
  if (!manifest.ok) return manifest;
  return manifest.value.kind === 'image' ? ok(manifest.value) : err('manifest: an index in an index');
}

async function pullFromRegistry(
  options: PullerOptions,
  reference: ImageReference,
  place: PullPlace,
): Promise<Result<PulledImage, string>> {
  const { limits, platform, registry, files } = options;
  const endpoint = endpointOf(reference, registry);
  if (!endpoint.ok) return endpoint;
  const ports = { ...options, removeFile: files.removeFile };
  const session = openRegistrySession(ports, endpoint.value, place.credentials, place.signal);
  const manifest = await findManifest(session, reference, platform);
  if (!manifest.ok) return manifest;
  const { config, layers } = manifest.value;
  const configuration = await session.document(config);
  const description = configuration.ok ? parseDescription(configuration.value) : configuration;
  if (!description.ok) return description;
  const diffIds = diffIdsOf(description.value, layers.length);
  if (!diffIds.ok) return diffIds;
  const all = layers.map((descriptor, at) => ({
    descriptor,
    path: `${place.scratch}/blob-${at}`,
    diffId: diffIds.value[at],
  }));
  const missing = all.filter(({ diffId }) => diffId === undefined || !place.keepsLayer(diffId));
  const bytes = missing.reduce((total, { descriptor }) => total + descriptor.sizeBytes, 0);
  if (bytes > limits.maxBytes)
    return err(`more than ${limits.maxBytes} bytes, the limit for an image (--docker_max_image_size)`);
  const problem = await downloadLayers(session, place, missing);
  if (problem !== undefined) return err(problem);
  const packed = all.map(({ path, diffId }) => ({ source: { path, offset: 0, sizeBytes: undefined }, diffId }));
  const unpacked = await unpackLayers(options, place, packed);
  return unpacked.ok ? ok({ config: description.value.config, layers: unpacked.value }) : unpacked;
}

/** The archive of an image in the directory: `NAME:TAG.tar`, or a directory of that name in the OCI layout. */
async function findArchive(
  { files, registry }: PullerOptions,
  { tag, ...reference }: ImageReference,
): Promise<Result<{ readonly path: string; readonly isDirectory: boolean }, string>> {
  const name = fullName({ ...reference, tag });
  const paths = [`${registry}/${name}:${tag}.tar`, `${registry}/${name}:${tag}`, `${registry}/${name}`];
  for (const [at, path] of paths.entries()) {
    const real = await files.realPath(at === 0 ? path : `${path}/index.json`);
    if (real.ok) return ok({ path, isDirectory: at > 0 });
  }
  return err(`there is no archive ${paths[0]} (--docker_registry)`);
}

async function pullFromArchive(
  options: PullerOptions,
  reference: ImageReference,
  place: PullPlace,
): Promise<Result<PulledImage, string>> {
  const { files, helper, limits, platform } = options;
  const archive = await findArchive(options, reference);
  if (!archive.ok) return archive;
  const scratch = `${place.scratch}/archive`;
  const made = await files.makeDirectory(scratch, 0o700);
  if (!made.ok) return err(made.error.message);
  const { maxBytes } = limits;
  const request = { kind: 'inspect', ...archive.value, reference, platform, scratch, maxBytes } as const;
  const found = await helper.run(request, place.signal);
  if (!found.ok) return err(`${archive.value.path}: ${found.error}`);
  const { description, layers } = found.value;
  const packed = layers.map((source, at) => ({ source, diffId: description.diffIds?.[at] }));
  const unpacked = await unpackLayers(options, place, packed);
  if (!unpacked.ok) return err(`${archive.value.path}: ${unpacked.error}`);
  return ok({ config: description.config, layers: unpacked.value });
}

export const createPuller =
  (options: PullerOptions): Pull =>
  (reference, place) =>
    options.registry.startsWith('/')
      ? pullFromArchive(options, reference, place)
      : pullFromRegistry(options, reference, place);
