// Root file systems of containers, made of the layers of images: by overlayfs, or by copying (Mesos: docs/container-image.md,
// "Provisioner Backends").
//
// Owns: a directory for each root, `CONTAINER/NUMBER`, with its record, and the mounts in it.
// ROOT-1: a container's directory exists before anything is mounted in it, so that what a crash leaves is found.
// ROOT-2: after `remove`, and after `recover` for containers that do not run, neither directory nor mount remains.
// ROOT-3: layers are read-only: what a container writes is in its own directory. Devices in a root can't be opened.
// ROOT-4: setuid bits and capabilities of files have an effect only in roots that are made for them, as an image would else give
//   a user more than the agent's ACLs.
import { type AbortSignalLike, type ContainerId, err, type Files, ok, pushAll, type Result } from '@meseta/base';
import { createConcurrencyLimit } from '../concurrency.js';
import { listNames } from '../sandbox/directories.js';
import { within } from '../sandbox/sandbox.js';
import { removeTree } from '../sandbox/trees.js';
import type { ImageHelper } from './helper-client.js';
import type { LayerLimits } from './layer-writer.js';
import type { Mounts } from './mounts.js';

export type Backend = 'overlay' | 'copy';

export interface Roots {
  readonly backend: Backend;
  /** Makes a root of layers, the lowest first. Returns its absolute path. */
  make(containerId: ContainerId, layers: readonly string[], use: RootUse): Promise<Result<string, string>>;
  /** Removes all roots of a container. */
  remove(containerId: ContainerId): Promise<Result<void, string>>;
  /** Removes the roots of all other containers. Returns the layers that the given containers use, and what failed. */
  recover(alive: ReadonlySet<ContainerId>): Promise<RecoveredRoots>;
}

export interface RecoveredRoots {
  readonly used: ReadonlyMap<ContainerId, readonly string[]>;
  readonly problems: readonly string[];
}

export interface RootUse {
  /** ROOT-4. */
  readonly keepsPrivileges: boolean;
  readonly signal: AbortSignalLike;
}

export interface RootsOptions {
  /** Absolute; only this agent uses it. */
  readonly directory: string;
  /** `--image_provisioner_backend`; undefined: overlayfs where it works. */
  readonly backend: Backend | undefined;
  readonly files: Files;
  readonly mounts: Mounts;
  readonly helper: ImageHelper;
  readonly limits: LayerLimits;
}

const OWN_MODE = 0o700;
/** The mode of the root of a file system, unless an image has another. */
const ROOT_MODE = 0o755;
const RECORD = 'layers.json';
const MAX_MOUNTS = 8;

/** Each layer once, as overlayfs needs it: where a layer is repeated, the upper one hides the lower one. */
const withoutRepeated = (layers: readonly string[]): readonly string[] =>
  layers.filter((layer, at) => layers.lastIndexOf(layer) === at);

async function makeDirectories(files: Files, path: string, names: readonly string[]): Promise<Result<void, string>> {
  for (const name of names) {
    const made = await files.makeDirectory(`${path}/${name}`, name === 'root' ? ROOT_MODE : OWN_MODE);
    if (!made.ok) return err(made.error.message);
  }
  return ok(undefined);
}

/** Mounts the layers under a directory for what the container writes. Options are limited to a page, so layers have short names. */
async function mountOverlay(
  { files, mounts }: RootsOptions,
  path: string,
  layers: readonly string[],
  { keepsPrivileges }: Pick<RootUse, 'keepsPrivileges'>,
): Promise<Result<void, string>> {
  const made = await makeDirectories(files, path, ['root', 'upper', 'work', 'l']);
  if (!made.ok) return made;
  const lower = withoutRepeated(layers);
  const linked = await within(await files.openDirectory(`${path}/l`), async (links) => {
    for (const [at, layer] of lower.entries()) {
      const done = await links.makeLink(`${at}`, layer);
      if (!done.ok) return done;
    }
    return ok(undefined);
  });
  if (!linked.ok) return err(linked.error.message);
  const uppermostFirst = lower.map((_, at) => at).reverse();
  const flags = keepsPrivileges ? 'nodev' : 'nodev,nosuid';
  const options = `${flags},lowerdir=${uppermostFirst.join(':')},upperdir=../upper,workdir=../work`;
  return mounts.mount('overlay', options, `${path}/root`, `${path}/l`);
}

async function copyLayers(
  { files, helper, limits }: RootsOptions,
  path: string,
  layers: readonly string[],
  { keepsPrivileges, signal }: RootUse,
): Promise<Result<void, string>> {
  const made = await makeDirectories(files, path, ['root']);
  if (!made.ok) return made;
  const copied = await helper.run(
    { kind: 'copy', layers, target: `${path}/root`, limits, keepsPrivileges } as const,
    signal,
  );
  return copied.ok ? ok(undefined) : copied;
}

async function removeDirectory(
  { files, mounts, directory }: RootsOptions,
  name: string,
): Promise<Result<void, string>> {
  const unmounted = await mounts.unmountAll(`${directory}/${name}`);
  if (!unmounted.ok) return unmounted;
  const removed = await within(await files.openDirectory(directory), (around) => removeTree(around, name));
  return removed.ok ? ok(undefined) : err(removed.error.message);
}

/** Whether overlayfs works on the file system of the directory. */
async function probeOverlay(options: RootsOptions): Promise<Result<void, string>> {
  const name = '.probe';
  const path = `${options.directory}/${name}`;
  const removedBefore = await removeDirectory(options, name);
  const made = removedBefore.ok ? await makeDirectories(options.files, path, ['lower']) : removedBefore;
  const mounted = made.ok ? await mountOverlay(options, path, [`${path}/lower`], { keepsPrivileges: false }) : made;
  const removed = await removeDirectory(options, name);
  return mounted.ok ? removed : mounted;
}

async function selectBackend(options: RootsOptions): Promise<Result<Backend, string>> {
  if (options.backend === 'copy') return ok('copy');
  const probed = await probeOverlay(options);
  if (probed.ok) return ok('overlay');
  return options.backend === undefined ? ok('copy') : err(`--image_provisioner_backend=overlay: ${probed.error}`);
}

async function readLayers(files: Files, path: string): Promise<readonly string[]> {
  const text = await files.readText(`${path}/${RECORD}`);
  try {
    return text.ok ? (JSON.parse(text.value) as readonly string[]) : [];
  } catch {
    return [];
  }
}

/** The layers of a container's roots, and the first number that no root of it has. */
async function rootsOf(
  files: Files,
  path: string,
): Promise<{ readonly layers: readonly string[]; readonly nextNumber: number }> {
  const listed = await listNames(files, path);
  const names = listed.ok ? listed.value : [];
  const layers: string[] = [];
  for (const name of names) pushAll(layers, await readLayers(files, `${path}/${name}`));
  return { layers, nextNumber: names.reduce((next, name) => Math.max(next, Number(name) + 1), 0) };
}

/** Opens the directory of roots, or says why the backend that the flag names does not work. */
export async function openRoots(wanted: RootsOptions): Promise<Result<Roots, string>> {
  const { files } = wanted;
  const claimed = await files.claimDirectory(wanted.directory, OWN_MODE);
  if (!claimed.ok) return err(claimed.error.message);
  // By its real path the kernel names what is mounted in it.
  const real = await files.realPath(wanted.directory);
  if (!real.ok) return err(real.error.message);
  const directory = real.value;
  const options = { ...wanted, directory };
  const backend = await selectBackend(options);
  if (!backend.ok) return backend;
  const limitMounts = createConcurrencyLimit(MAX_MOUNTS);
  let serial = 0;

  async function make(
    containerId: ContainerId,
    layers: readonly string[],
    use: RootUse,
  ): Promise<Result<string, string>> {
    const path = `${directory}/${containerId}/${serial++}`;
    // ROOT-1.
    const made = await files.makeDirectory(path, OWN_MODE);
    if (!made.ok) return err(made.error.message);
    const written = await files.write(`${path}/${RECORD}`, JSON.stringify(layers), { mode: 0o600 });
    if (!written.ok) return err(written.error.message);
    const done =
      backend.ok && backend.value === 'overlay'
        ? await mountOverlay(options, path, layers, use)
        : await copyLayers(options, path, layers, use);
    return done.ok ? ok(`${path}/root`) : err(`root file system: ${done.error}`);
  }

  return ok({
    backend: backend.value,
    make: (containerId, layers, use) => limitMounts(() => make(containerId, layers, use)),
    remove: (containerId) => limitMounts(() => removeDirectory(options, containerId)),
    async recover(alive) {
      const used = new Map<ContainerId, readonly string[]>();
      const problems: string[] = [];
      const names = await listNames(files, directory);
      if (!names.ok) return { used, problems: [names.error.message] };
      for (const name of names.value) {
        const containerId = name as ContainerId;
        if (alive.has(containerId)) {
          const { layers, nextNumber } = await rootsOf(files, `${directory}/${name}`);
          used.set(containerId, layers);
          serial = Math.max(serial, nextNumber);
        } else {
          const removed = await removeDirectory(options, name);
          if (!removed.ok) problems.push(`${name}: ${removed.error}`);
        }
      }
      return { used, problems };
    },
  });
}
