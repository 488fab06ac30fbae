// The store of images (`--docker_store_dir`): unpacked layers by digest, which images share, and which layers an image has.
//
// Owns: `layers/DIGEST`, `images/KEY` (one JSON document each), and `staging`, which is emptied at the start.
// STORE-1: a layer is complete when it has its name: it is unpacked elsewhere, verified, and renamed.
// STORE-2: a layer that a container or a running pull uses is not removed; an image is removed before its layers.
//   Between the check whether a layer is there and its renaming, no other layer is renamed.
// STORE-3: containers that ask for one image with the same credentials at the same time share one pull, which is aborted when
//   the last of them is.
import { createHash } from 'node:crypto';
import {
  type AbortSignalLike,
  type ContainerId,
  type DirectoryHandle,
  err,
  type Files,
  LIMITS,
  ok,
  type Result,
  type SystemResult,
} from '@meseta/base';
import { createConcurrencyLimit } from '../concurrency.js';
import { within } from '../sandbox/sandbox.js';
import { emptyDirectory, removeTree } from '../sandbox/trees.js';
import type { Credentials } from './credentials.js';
import type { ImageConfig } from './manifests.js';
import type { Pull, PulledImage } from './puller.js';
import { canonicalName, type ImageReference, isDigest } from './references.js';

export interface StoredImage {
  readonly name: string;
  readonly config: ImageConfig;
  /** The absolute paths of its layers, the lowest first. */
  readonly layers: readonly string[];
}

export interface ImageRequest {
  readonly reference: ImageReference;
  /** Whether an image that the store has may be used without asking the registry. */
  readonly cached: boolean;
  readonly credentials: Credentials;
  readonly containerId: ContainerId;
  readonly signal: AbortSignalLike;
}

export interface ImageStore {
  /** The image, which is pulled if need be. Its layers are kept until `release` of the container. */
  get(request: ImageRequest): Promise<Result<StoredImage, string>>;
  /** Keeps layers for a container of an earlier agent process. */
  keep(containerId: ContainerId, layers: readonly string[]): void;
  release(containerId: ContainerId): void;
  /** Removes the images that no container uses, but for the excluded ones. Returns why that failed. */
  prune(excluded: ReadonlySet<string>): Promise<string | undefined>;
}

/** The document of an image on disk. */
interface ImageRecord {
  readonly name: string;
  readonly config: ImageConfig;
  readonly layers: readonly string[];
}

interface RunningPull {
  /** Its id in `kept`: it keeps its layers until the containers that wait for it keep them. */
  readonly id: string;
  readonly result: Promise<Result<PulledImage, string>>;
  readonly abort: AbortController;
  /** How many containers wait for it. */
  waiting: number;
}

interface Store {
  readonly directory: string;
  readonly files: Files;
  readonly pull: Pull;
  /** By canonical name. */
  readonly images: Map<string, ImageRecord>;
  /** The digests of the layers on disk. */
  readonly layers: Set<string>;
  /** The digests that a container or a running pull uses, by its id: they are not removed. */
  readonly kept: Map<string, Set<string>>;
  readonly pulls: Map<string, RunningPull>;
  /** Runs changes of names in the store one after another. STORE-2. */
  readonly takeTurn: ReturnType<typeof createConcurrencyLimit>;
  /** How many containers wait for pulls. */
  waiting: number;
  /** Numbers pulls and names in `staging`. */
  serial: number;
}

const DIRECTORY_MODE = 0o700;

const hexOf = (diffId: string): string => diffId.slice('sha256:'.length);
const pathOfLayer = ({ directory }: Store, diffId: string): string => `${directory}/layers/${hexOf(diffId)}`;
const keyOf = (text: string): string => createHash('sha256').update(text).digest('hex');

const inStore = async (
  { files, directory }: Store,
  name: string,
  use: (handle: DirectoryHandle) => Promise<SystemResult<void>>,
): Promise<SystemResult<void>> => within(await files.openDirectory(`${directory}/${name}`), use);

/** Opens the store; `directory` is absolute and used by this agent only. */
export async function openImageStore(directory: string, files: Files, pull: Pull): Promise<Result<ImageStore, string>> {
  const claimed = await files.claimDirectory(directory, DIRECTORY_MODE);
  if (!claimed.ok) return err(claimed.error.message);
  for (const name of ['layers', 'images', 'staging']) {
    const made = await files.makeDirectory(`${directory}/${name}`, DIRECTORY_MODE);
    if (!made.ok) return err(made.error.message);
  }
  const store: Store = {
    directory,
    files,
    pull,
    images: new Map(),
    layers: new Set(),
    kept: new Map(),
    pulls: new Map(),
    takeTurn: createConcurrencyLimit(1),
    waiting: 0,
    serial: 0,
  };
  const read = await readStore(store);
  if (!read.ok) return err(`${directory}: ${read.error.message}`);
  return ok({
    get: (request) => getImage(store, request),
    keep: (containerId, layers) =>
      keep(
        store,
        containerId,
        layers.map((path) => `sha256:${path.slice(path.lastIndexOf('/') + 1)}`),
      ),
    release: (containerId) => {
      store.kept.delete(containerId);
    },
    prune: (excluded) => prune(store, excluded),
  });
}

async function readStore(store: Store): Promise<SystemResult<void>> {
  const emptied = await inStore(store, 'staging', emptyDirectory);
  if (!emptied.ok) return emptied;
  const layers = await inStore(store, 'layers', (handle) =>
    handle.list((entries) => {
      for (const { name } of entries) if (isDigest(`sha256:${name}`)) store.layers.add(`sha256:${name}`);
      return true;
    }),
  );
  if (!layers.ok) return layers;
  return inStore(store, 'images', (handle) =>
    handle.list(async (entries) => {
      for (const { name } of entries) {
        const record = await readRecord(store, name);
        if (record !== undefined) store.images.set(record.name, record);
      }
      return true;
    }),
  );
}

/** Without a whole record, which a crash may have interrupted, the image is pulled again. */
async function readRecord({ files, directory }: Store, name: string): Promise<ImageRecord | undefined> {
  const text = await files.readText(`${directory}/images/${name}`);
  try {
    return text.ok ? (JSON.parse(text.value) as ImageRecord) : undefined;
  } catch {
    return undefined;
  }
}

/** `id`: that of the container or pull that uses the layers. */
function keep({ kept }: Store, id: string, layers: readonly string[]): void {
  const all = kept.get(id) ?? new Set<string>();
  for (const layer of layers) all.add(layer);
  kept.set(id, all);
}

async function getImage(store: Store, request: ImageRequest): Promise<Result<StoredImage, string>> {
  const name = canonicalName(request.reference);
  const known = request.cached ? store.images.get(name) : undefined;
  // A layer is missing when it was removed by hand before the agent started.
  if (known?.layers.every((layer) => store.layers.has(layer))) return storedImage(store, known, request.containerId);
  if (store.waiting >= LIMITS.waitingPulls.most) {
    return err(`image ${name}: ${LIMITS.waitingPulls.most} containers wait for images, the limit`);
  }
  store.waiting++;
  const pulled = await joinPull(store, request, name);
  store.waiting--;
  if (!pulled.ok) return err(`image ${name}: ${pulled.error}`);
  return storedImage(store, { name, ...pulled.value }, request.containerId);
}

/** STORE-2: called in the turn in which the layers are known to be there. */
function storedImage(
  store: Store,
  { name, config, layers }: ImageRecord,
  containerId: ContainerId,
): Result<StoredImage, string> {
  keep(store, containerId, layers);
  return ok({ name, config, layers: layers.map((layer) => pathOfLayer(store, layer)) });
}

/** STORE-3. */
async function joinPull(store: Store, request: ImageRequest, name: string): Promise<Result<PulledImage, string>> {
  const { credentials, signal } = request;
  const key = `${name}\n${keyOf(JSON.stringify([...credentials].sort()))}`;
  const running = store.pulls.get(key) ?? startPull(store, request, name, key);
  running.waiting++;
  let stop = (): void => {};
  const stopped = new Promise<Result<PulledImage, string>>((resolve) => {
    stop = () => resolve(err('stopped'));
  });
  signal.addEventListener('abort', stop);
  if (signal.aborted) stop();
  const result = await Promise.race([running.result, stopped]);
  signal.removeEventListener('abort', stop);
  if (result.ok) keep(store, request.containerId, result.value.layers);
  running.waiting--;
  if (running.waiting === 0) {
    if (result.ok) store.kept.delete(running.id);
    if (store.pulls.get(key) === running) store.pulls.delete(key);
    running.abort.abort();
  }
  return result;
}

function startPull(store: Store, request: ImageRequest, name: string, key: string): RunningPull {
  const abort = new AbortController();
  const id = `pull-${store.serial++}`;
  const running: RunningPull = { id, result: runPull(store, request, name, id, abort.signal), abort, waiting: 0 };
  store.pulls.set(key, running);
  void running.result.then((result) => {
    if (store.pulls.get(key) === running) store.pulls.delete(key);
    if (!result.ok || running.waiting === 0) store.kept.delete(id);
  });
  return running;
}

async function runPull(
  store: Store,
  { reference, credentials }: ImageRequest,
  name: string,
  pullId: string,
  signal: AbortSignal,
): Promise<Result<PulledImage, string>> {
  const { files, directory } = store;
  const scratch = `${directory}/staging/${pullId}`;
  const made = await files.makeDirectory(scratch, DIRECTORY_MODE);
  if (!made.ok) return err(made.error.message);
  store.kept.set(pullId, new Set());
  const pulled = await store.pull(reference, {
    scratch,
    signal,
    credentials,
    keepsLayer(diffId) {
      keep(store, pullId, [diffId]);
      return store.layers.has(diffId);
    },
    addLayer: (diffId, layer) => addLayer(store, pullId, diffId, layer),
  });
  const recorded = pulled.ok ? await addImage(store, { name, ...pulled.value }) : pulled;
  await inStore(store, 'staging', (staging) => removeTree(staging, pullId));
  return recorded.ok ? pulled : recorded;
}

/** STORE-1. */
async function addLayer(store: Store, pullId: string, diffId: string, name: string): Promise<Result<void, string>> {
  keep(store, pullId, [diffId]);
  return store.takeTurn(async () => {
    const moved = await moveBetween(store, `staging/${pullId}`, name, 'layers', hexOf(diffId));
    const isKnpullId = !moved.ok && ['EEXIST', 'ENOTEMPTY'].includes(moved.error.code);
    if (!moved.ok && !isKnpullId) return err(moved.error.message);
    store.layers.add(diffId);
    return ok(undefined);
  });
}

const moveBetween = (
  store: Store,
  from: string,
  name: string,
  to: string,
  newName: string,
): Promise<SystemResult<void>> =>
  inStore(store, from, (source) => inStore(store, to, (target) => source.rename(name, newName, target)));

async function addImage(store: Store, record: ImageRecord): Promise<Result<void, string>> {
  const { files, directory } = store;
  const text = JSON.stringify(record);
  const { most } = LIMITS.imageConfig;
  if (text.length > most) return err(`its configuration has more than ${most} characters`);
  const staged = `record-${store.serial++}`;
  const written = await files.write(`${directory}/staging/${staged}`, text, { mode: 0o600 });
  if (!written.ok) return err(written.error.message);
  return store.takeTurn(async () => {
    const moved = await moveBetween(store, 'staging', staged, 'images', keyOf(record.name));
    if (!moved.ok) return err(moved.error.message);
    store.images.set(record.name, record);
    return ok(undefined);
  });
}

/** STORE-2. */
async function prune(store: Store, excluded: ReadonlySet<string>): Promise<string | undefined> {
  const used = new Set<string>();
  for (const layers of store.kept.values()) for (const layer of layers) used.add(layer);
  const needed = new Set(used);
  const removed: string[] = [];
  for (const [name, { layers }] of store.images) {
    const isUsed = layers.every((layer) => used.has(layer));
    if (excluded.has(name) || isUsed) for (const layer of layers) needed.add(layer);
    else removed.push(name);
  }
  const layers = [...store.layers].filter((layer) => !needed.has(layer));
  for (const name of removed) store.images.delete(name);
  for (const layer of layers) store.layers.delete(layer);
  // A pull that finds a layer missing from now on makes it again, under the same name.
  let problem: string | undefined;
  for (const name of removed) {
    const failed = await removeRecord(store, name);
    problem ??= failed;
  }
  for (const layer of layers) {
    const failed = await removeLayer(store, layer);
    problem ??= failed;
  }
  return problem;
}

async function removeRecord(store: Store, name: string): Promise<string | undefined> {
  const removal = await store.takeTurn(async () =>
    // A pull that ended after the image was forgotten has recorded it again.
    store.images.has(name) ? ok(undefined) : inStore(store, 'images', (images) => images.removeFile(keyOf(name))),
  );
  return removal.ok || removal.error.code === 'ENOENT' ? undefined : removal.error.message;
}

async function removeLayer(store: Store, layer: string): Promise<string | undefined> {
  const removed = `removed-${store.serial++}`;
  const moved = await store.takeTurn(async () =>
    // A pull that began after the layer was forgotten has made it again.
    store.layers.has(layer) ? ok(undefined) : moveBetween(store, 'layers', hexOf(layer), 'staging', removed),
  );
  if (!moved.ok) return moved.error.code === 'ENOENT' ? undefined : moved.error.message;
  const removal = await inStore(store, 'staging', (staging) => removeTree(staging, removed));
  return removal.ok ? undefined : removal.error.message;
}
