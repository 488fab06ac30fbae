// Removes and measures trees of files that a task has made. They may have any depth and size, and change meanwhile.
//
// TREES-1: nothing outside the given directory is changed: every step uses a name in an open directory.
// TREES-2: the number of open descriptors and of names in memory depends neither on the depth nor on the width of a tree.
// TREES-3: a process that goes on writing into a directory does not prolong its removal: a directory is sealed before it is
//   emptied, so that nothing can be added to it. A process that makes directories in each other faster than they are removed
//   prolongs the removal of its own tree only: trees are removed in parts, and after a part another tree may have its turn.
import { type DirectoryHandle, err, ok, type SystemError, type SystemResult } from '@meseta/base';

/** How many entries one part of a removal removes or moves before it ends. */
const PART_ENTRIES = 10_000;
/** Entries beyond these numbers are not measured. */
const MAX_MEASURED_DEPTH = 100;
const MAX_MEASURED_WIDTH = 10_000;
const MAX_MEASURED_ENTRIES = 1_000_000;

const isGone = (result: SystemResult<unknown>): boolean => !result.ok && result.error.code === 'ENOENT';

/** Numbers the names of directories that were moved to the top of their tree. */
let serial = 0;

/** One part of the removal of a tree. */
interface Removal {
  readonly top: DirectoryHandle;
  removed: number;
  /** How many more entries this part may remove or move. */
  remaining: number;
  failure: SystemError | undefined;
}

function recordResult(removal: Removal, result: SystemResult<unknown>): void {
  removal.remaining--;
  if (result.ok) removal.removed++;
  else if (!isGone(result)) removal.failure ??= result.error;
}

/** Moves a directory to the top directory, under a free name. */
async function moveToTop(removal: Removal, from: DirectoryHandle, name: string): Promise<SystemResult<void>> {
  removal.remaining--;
  for (;;) {
    const moved = await from.rename(name, `.removing-${serial++}`, removal.top);
    if (moved.ok || !['ENOTEMPTY', 'EEXIST', 'ENOTDIR'].includes(moved.error.code)) return moved;
  }
}

/** Removes a directory of the top directory. The directories in it are moved to the top, so the removal goes no deeper (TREES-2). */
async function flatten(removal: Removal, name: string): Promise<void> {
  const directory = await removal.top.openDirectory(name);
  if (!directory.ok) {
    // The task has replaced it since it was listed.
    recordResult(removal, directory.error.code === 'ENOTDIR' ? await removal.top.removeFile(name) : directory);
    return;
  }
  // TREES-3. Where the agent may not seal it, the removal is tried all the same.
  await directory.value.seal();
  const listed = await directory.value.list(async (entries) => {
    for (const entry of entries) {
      if (entry.kind !== 'directory') recordResult(removal, await directory.value.removeFile(entry.name));
      else {
        const moved = await moveToTop(removal, directory.value, entry.name);
        if (!moved.ok) recordResult(removal, moved);
      }
    }
    return removal.remaining > 0;
  });
  directory.value.close();
  if (!listed.ok) recordResult(removal, listed);
  if (removal.remaining > 0) recordResult(removal, await removal.top.removeEmptyDirectory(name));
}

/** Whether nothing remains of what is removed, or another part must follow. */
export type Progress = 'removed' | 'unfinished';

/** Removes a part of a directory's content. Returns the first error; entries that can't be removed stay. */
async function emptyPart(top: DirectoryHandle): Promise<SystemResult<Progress>> {
  const removal: Removal = { top, removed: 0, remaining: PART_ENTRIES, failure: undefined };
  while (removal.remaining > 0) {
    const before = removal.removed;
    let found = 0;
    removal.failure = undefined;
    const listed = await top.list(async (entries) => {
      found += entries.length;
      for (const { name, kind } of entries) {
        if (removal.remaining <= 0) return false;
        if (kind === 'directory') await flatten(removal, name);
        else recordResult(removal, await top.removeFile(name));
      }
      return true;
    });
    if (!listed.ok) return listed;
    if (found === 0) return ok('removed');
    if (removal.removed === before && removal.remaining > 0) {
      return removal.failure === undefined ? ok('removed') : err(removal.failure);
    }
  }
  return ok('unfinished');
}

/** Removes the content of a directory. Returns the first error; entries that can't be removed stay. */
export async function emptyDirectory(top: DirectoryHandle): Promise<SystemResult<void>> {
  for (;;) {
    const emptied = await emptyPart(top);
    if (!emptied.ok) return emptied;
    if (emptied.value === 'removed') return ok(undefined);
  }
}

/** Removes a file, a link (not its target) or a part of a tree. A name that does not exist is no error. */
export async function removeTreePart(parent: DirectoryHandle, name: string): Promise<SystemResult<Progress>> {
  const found = await parent.statOf(name);
  if (!found.ok) return isGone(found) ? ok('removed') : found;
  if (found.value.kind !== 'directory') return asRemoved(await parent.removeFile(name));
  const directory = await parent.openDirectory(name);
  if (!directory.ok) return directory;
  await directory.value.seal();
  const emptied = await emptyPart(directory.value);
  directory.value.close();
  if (emptied.ok && emptied.value === 'unfinished') return emptied;
  const removed = await parent.removeEmptyDirectory(name);
  return emptied.ok ? asRemoved(removed) : emptied;
}

const asRemoved = (result: SystemResult<void>): SystemResult<Progress> => (result.ok ? ok('removed') : result);

/** Removes a file, a link (not its target) or a whole tree. A name that does not exist is no error. */
export async function removeTree(parent: DirectoryHandle, name: string): Promise<SystemResult<void>> {
  for (;;) {
    const removed = await removeTreePart(parent, name);
    if (!removed.ok) return removed;
    if (removed.value === 'removed') return ok(undefined);
  }
}

interface Level {
  readonly directory: DirectoryHandle;
  /** The directories in it that are to be measured. */
  readonly subdirectories: string[];
}

/**
 * The bytes on disk of a directory and everything below it, counted as du does: a file with several names once. Of a tree
 * beyond the limits it is a lower bound.
 */
export async function diskUsage(top: DirectoryHandle): Promise<number> {
  const countedFiles = new Set<string>();
  let bytes = top.stat.allocatedBytes;
  let entriesLeft = MAX_MEASURED_ENTRIES;

  async function measure(directory: DirectoryHandle): Promise<Level> {
    const subdirectories: string[] = [];
    await directory.list(async (entries) => {
      entriesLeft -= entries.length;
      for (const { name } of entries) {
        const found = await directory.statOf(name);
        if (!found.ok) continue;
        const { kind, links, identity, allocatedBytes } = found.value;
        if (links > 1 && kind !== 'directory') {
          if (countedFiles.has(identity)) continue;
          countedFiles.add(identity);
        }
        bytes += allocatedBytes;
        if (kind === 'directory' && subdirectories.length < MAX_MEASURED_WIDTH) subdirectories.push(name);
      }
      return entriesLeft > 0;
    });
    return { directory, subdirectories };
  }

  const levels: Level[] = [await measure(top)];
  for (let level = levels.at(-1); level !== undefined; level = levels.at(-1)) {
    const name = level.subdirectories.pop();
    if (name === undefined) {
      levels.pop();
      if (level.directory !== top) level.directory.close();
    } else if (levels.length < MAX_MEASURED_DEPTH && entriesLeft > 0) {
      const opened = await level.directory.openDirectory(name);
      if (opened.ok) levels.push(await measure(opened.value));
    }
  }
  return bytes;
}
