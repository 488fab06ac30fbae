// Sandboxes: made for an executor or task, measured, cut back, and collected when old.
import type { Files, SystemResult } from '@meseta/base';

const sliceMs = 2;

/** Yields to the event loop when the slice is used up: trees of any size are walked without stopping the agent. */
function createSlices(): () => Promise<void> {
  let sliceEnd = performance.now() + sliceMs;
  return async () => {
    if (performance.now() < sliceEnd) return;
    await new Promise((resolve) => setImmediate(resolve));
    sliceEnd = performance.now() + sliceMs;
  };
}

/** Makes the sandbox with its parents, owned by its user. */
export async function createSandbox(
  files: Files,
  path: string,
  owner: { readonly uid: number; readonly gid: number } | undefined,
  mode = 0o755,
): Promise<SystemResult<void>> {
  const made = await files.makeDirectory(path);
  if (!made.ok) return made;
  const moded = await files.changeMode(path, mode);
  if (!moded.ok) return moded;
  return owner === undefined ? made : files.changeOwner(path, owner.uid, owner.gid);
}

/** Makes the files that a container's output goes to where they are not there yet. */
export async function createStreams(
  files: Files,
  sandbox: string,
  owner: { readonly uid: number; readonly gid: number } | undefined,
): Promise<SystemResult<void>> {
  for (const name of ['stdout', 'stderr']) {
    const path = `${sandbox}/${name}`;
    const made = await files.write(path, '', { append: true });
    const owned = made.ok && owner !== undefined ? await files.changeOwner(path, owner.uid, owner.gid) : made;
    if (!owned.ok) return owned;
  }
  return { ok: true, value: undefined };
}

/**
 * How long a sandbox may stay after its last change: Mesos' `gc_delay x max(0, 1 - gc_disk_headroom - usage)`
 * (sandbox.md), `diskUsage` the used part of the disk, 0 to 1.
 */
export const sandboxAgeMs = (gcDelayMs: number, diskHeadroom: number, diskUsage: number): number =>
  gcDelayMs * Math.max(0, 1 - diskHeadroom - diskUsage);

/** The used part of the disk that `path` is on, 0 to 1. */
export async function diskFullness(files: Files, path: string): Promise<SystemResult<number>> {
  const space = await files.diskSpace(path);
  if (!space.ok) return space;
  const { totalBytes, availableBytes } = space.value;
  return { ok: true, value: totalBytes === 0 ? 1 : 1 - availableBytes / totalBytes };
}

/**
 * Removes a tree, links not followed, one entry at a time in small slices. What can't be removed is left and makes the
 * first error the answer; a tree that isn't there is removed already.
 */
export async function removeTree(files: Files, path: string): Promise<SystemResult<void>> {
  const slice = createSlices();
  let failed: SystemResult<void> | undefined;
  const note = (result: SystemResult<unknown>): void => {
    if (!result.ok && result.error.code !== 'ENOENT') failed ??= result;
  };
  async function removeDirectory(directory: string): Promise<void> {
    const entries = await files.list(directory);
    note(entries);
    for (const entry of entries.ok ? entries.value : []) {
      const inside = `${directory}/${entry.name}`;
      if (entry.kind === 'directory') await removeDirectory(inside);
      else note(await files.removeFile(inside));
      await slice();
    }
    note(await files.removeEmptyDirectory(directory));
  }
  const found = await files.stat(path);
  if (!found.ok) return found.error.code === 'ENOENT' ? { ok: true, value: undefined } : found;
  if (found.value.kind === 'directory') await removeDirectory(path);
  else note(await files.removeFile(path));
  return failed ?? { ok: true, value: undefined };
}

/** The bytes on disk under `path`, as du counts them: a file with several names once, links not followed. */
export async function diskUsage(files: Files, path: string): Promise<number> {
  const slice = createSlices();
  const seen = new Set<string>();
  let bytes = 0;
  async function walk(at: string): Promise<void> {
    const found = await files.stat(at);
    if (!found.ok) return;
    if (found.value.links > 1 && found.value.kind !== 'directory') {
      if (seen.has(found.value.identity)) return;
      seen.add(found.value.identity);
    }
    bytes += found.value.allocatedBytes;
    await slice();
    if (found.value.kind !== 'directory') return;
    const entries = await files.list(at);
    for (const entry of entries.ok ? entries.value : []) await walk(`${at}/${entry.name}`);
  }
  await walk(path);
  return bytes;
}
