// An agent's images: the store, the root file systems of containers, and the collection of unused images.
import {
  type Clock,
  type ContainerId,
  err,
  type Files,
  type Outbound,
  ok,
  type Processes,
  type Random,
  type Result,
} from '@meseta/base';
import type { Image, ImageGcConfig, Secret } from '@meseta/wire';
import { base64ToBytes } from '@meseta/wire/base64';
import { excludedNames, startCollection } from './collection.js';
import { type Credentials, NO_CREDENTIALS, parseCredentials, withCredentials } from './credentials.js';
import { createImageHelper } from './helper-client.js';
import { type ImageConfig, platformOf } from './manifests.js';
import { createMounts } from './mounts.js';
import { createPuller } from './puller.js';
import { parseReference } from './references.js';
import { type Backend, openRoots, type Roots, type RootUse } from './roots.js';
import { type ImageStore, openImageStore } from './store.js';

export interface ImageOptions {
  /** Absolute, below `--docker_store_dir`; only this agent uses it. */
  readonly storeDir: string;
  /** Absolute. The root file systems lie below it. */
  readonly rootsDir: string;
  /** `--docker_registry` */
  readonly registry: string;
  /** The content of `--docker_config`. */
  readonly dockerConfig: string | undefined;
  /** `--docker_stall_timeout` */
  readonly stallTimeoutMs: number;
  /** `--docker_max_image_size` */
  readonly maxImageBytes: number;
  readonly maxImageEntries: number;
  /** `--image_provisioner_backend` */
  readonly backend: Backend | undefined;
  /** `--image_gc_config` */
  readonly gc: ImageGcConfig | undefined;
  /** `--sandbox_directory` */
  readonly sandboxDirectory: string;
  /** `--docker_ignore_runtime` */
  readonly ignoreRuntime: boolean;
  /** As Node names it. */
  readonly architecture: string;
  /** Starts a helper process. */
  readonly helper: { readonly program: string; readonly arguments: readonly string[] };
}

export interface ImagePorts {
  readonly files: Files;
  readonly processes: Processes;
  readonly outbound: Outbound;
  readonly clock: Pick<Clock, 'setTimer'>;
  readonly random: Random;
  /** Called at the end of each pull, whatever its outcome. */
  readonly onPulled: (durationMs: number) => void;
  /** For the log. */
  readonly warn: (message: string) => void;
}

export interface Provisioned {
  /** The absolute path of a root file system. */
  readonly root: string;
  readonly config: ImageConfig;
}

export interface Images {
  readonly sandboxDirectory: string;
  readonly ignoresRuntime: boolean;
  /** Pulls the image if need be and makes a root file system of it, which `release` removes. The error names the image. */
  provision(image: Image, containerId: ContainerId, use: RootUse): Promise<Result<Provisioned, string>>;
  /** Removes the roots of a container. */
  release(containerId: ContainerId): Promise<void>;
  /** Removes the roots of containers that do not run. */
  recover(alive: ReadonlySet<ContainerId>): Promise<void>;
  /** Removes the images that no container uses. Returns why that failed. */
  prune(excluded: readonly Image[]): Promise<string | undefined>;
  close(): void;
}

/** The own credentials of an image. */
function ownCredentials(config: Secret | undefined): Result<Credentials, string> {
  if (config === undefined) return ok(NO_CREDENTIALS);
  const bytes = config.value === undefined ? undefined : base64ToBytes(config.value.data);
  if (bytes === undefined)
    return err('docker.config: expected a secret of type VALUE, as this agent has no secret resolver');
  return parseCredentials(bytes, 'docker.config');
}

/** An error may quote a document of a registry, and becomes the message of a task's status. */
const MAX_ERROR_LENGTH = 2000;

const cut = (error: string): string =>
  error.length > MAX_ERROR_LENGTH ? `${error.slice(0, MAX_ERROR_LENGTH)}...` : error;

interface Parts {
  readonly store: ImageStore;
  readonly roots: Roots;
  readonly credentials: Credentials;
}

async function provision(
  { store, roots, credentials }: Parts,
  image: Image,
  containerId: ContainerId,
  use: RootUse,
): Promise<Result<Provisioned, string>> {
  if (image.type !== 'DOCKER' || image.docker === undefined) {
    return err('image: expected the type DOCKER; images of appc are not supported, as that format was given up');
  }
  const { name, config } = image.docker;
  const reference = parseReference(name);
  if (!reference.ok) return reference;
  const own = ownCredentials(config);
  if (!own.ok) return err(`image ${JSON.stringify(name)}: ${own.error}`);
  const stored = await store.get({
    reference: reference.value,
    cached: image.cached ?? true,
    credentials: withCredentials(credentials, own.value),
    containerId,
    signal: use.signal,
  });
  if (!stored.ok) return stored;
  const root = await roots.make(containerId, stored.value.layers, use);
  return root.ok
    ? ok({ root: root.value, config: stored.value.config })
    : err(`image ${stored.value.name}: ${root.error}`);
}

/** Opens the store and the directory of roots, or says why an agent can't have images. */
export async function openImages(options: ImageOptions, ports: ImagePorts): Promise<Result<Images, string>> {
  const { files, processes, clock, warn } = ports;
  const { dockerConfig, registry } = options;
  const credentials =
    dockerConfig === undefined ? ok(NO_CREDENTIALS) : parseCredentials(Buffer.from(dockerConfig), '--docker_config');
  if (!credentials.ok) return credentials;
  const limits = { maxBytes: options.maxImageBytes, maxEntries: options.maxImageEntries };
  const helper = createImageHelper(processes, options.helper);
  const pull = createPuller({
    ...ports,
    helper,
    registry,
    platform: platformOf(options.architecture),
    limits,
    stallTimeoutMs: options.stallTimeoutMs,
  });
  const store = await openImageStore(options.storeDir, files, async (reference, place) => {
    const startMs = performance.now();
    const pulled = await pull(reference, place);
    ports.onPulled(performance.now() - startMs);
    return pulled;
  });
  if (!store.ok) return err(`--docker_store_dir: ${store.error}`);
  const mounts = createMounts(files, processes);
  const roots = await openRoots({
    directory: options.rootsDir,
    backend: options.backend,
    files,
    mounts,
    helper,
    limits,
  });
  if (!roots.ok) return roots;
  const parts: Parts = { store: store.value, roots: roots.value, credentials: credentials.value };
  const stopCollection =
    options.gc === undefined
      ? () => {}
      : startCollection(store.value, options.storeDir, options.gc, { files, clock }, warn);
  return ok({
    sandboxDirectory: options.sandboxDirectory,
    ignoresRuntime: options.ignoreRuntime,
    async provision(image, containerId, use) {
      const provisioned = await provision(parts, image, containerId, use);
      return provisioned.ok ? provisioned : err(cut(provisioned.error));
    },
    async release(containerId) {
      const removed = await roots.value.remove(containerId);
      if (!removed.ok) warn(`root file system of ${containerId}: ${removed.error}`);
      store.value.release(containerId);
    },
    async recover(alive) {
      const { used, problems } = await roots.value.recover(alive);
      for (const problem of problems) warn(`root file systems: ${problem}`);
      for (const [containerId, layers] of used) store.value.keep(containerId, layers);
    },
    prune: (excluded) => store.value.prune(excludedNames(excluded)),
    close: stopCollection,
  });
}
