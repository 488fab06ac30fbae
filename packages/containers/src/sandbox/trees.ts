// Trees of files that a task has made, removed and measured: of any depth and size, and changed meanwhile at will.
//
// TREES-1: no more than what lies below the given directory is touched: every step is a name in a directory that is held.
// TREES-2: neither the depth nor the width of a tree decides how many descriptors or names are held.
// TREES-3: a process that goes on writing into the tree does not prolong its removal: a directory is sealed before it is
//   emptied, so that nothing can be added to it.
import { err, type HeldDirectory, ok, type SystemError, type SystemResult } from '@meseta/base';

const MAX_PASSES = 100_000;
/** What lies further down or beyond these numbers is not measured. */
const MAX_MEASURED_DEPTH = 100;
const MAX_MEASURED_WIDTH = 10_000;
const MAX_MEASURED_ENTRIES = 1_000_000;

const isGone = (result: SystemResult<unknown>): boolean => !result.ok && result.error.code === 'ENOENT';

interface Removal {
  readonly top: HeldDirectory;
  /** For the names of what is moved up. */
  serial: number;
  removed: number;
  failure: SystemError | undefined;
}

function note(removal: Removal, result: SystemResult<unknown>): void {
  if (result.ok) removal.removed++;
  else if (!isGone(result)) removal.failure ??= result.error;
}

/** Moves a directory to the top, under a name that nothing has there. */
async function moveUp(removal: Removal, from: HeldDirectory, name: string): Promise<SystemResult<void>> {
  for (;;) {
    const moved = await from.rename(name, `.removing-${removal.serial++}`, removal.top);
    if (moved.ok || !['ENOTEMPTY', 'EEXIST', 'ENOTDIR'].includes(moved.error.code)) return moved;
  }
}

/** Removes what is in a directory of the top one; the directories in it move to the top, so nothing goes deeper (TREES-2). */
async function flatten(removal: Removal, name: string): Promise<void> {
  const directory = await removal.top.openDirectory(name);
  if (!directory.ok) {
    // It was swapped for something else since it was listed.
    note(removal, directory.error.code === 'ENOTDIR' ? await removal.top.removeFile(name) : directory);
    return;
  }
  // TREES-3. Where the agent may not, the removal is tried all the same.
  await directory.value.seal();
  const listed = await directory.value.list(async (entries) => {
    for (const entry of entries) {
      if (entry.kind !== 'directory') note(removal, await directory.value.removeFile(entry.name));
      else {
        const moved = await moveUp(removal, directory.value, entry.name);
        if (!moved.ok) note(removal, moved);
      }
    }
    return true;
  });
  directory.value.close();
  if (!listed.ok) note(removal, listed);
  note(removal, await removal.top.removeEmptyDirectory(name));
}

/** Removes all that is in a directory. What can't be removed is left, and the first error is the answer. */
export async function emptyDirectory(top: HeldDirectory): Promise<SystemResult<void>> {
  const removal: Removal = { top, serial: 0, removed: 0, failure: undefined };
  for (let pass = 0; pass < MAX_PASSES; pass++) {
    const before = removal.removed;
    let found = 0;
    removal.failure = undefined;
    const listed = await top.list(async (entries) => {
      found += entries.length;
      for (const { name, kind } of entries) {
        if (kind === 'directory') await flatten(removal, name);
        else note(removal, await top.removeFile(name));
      }
      return true;
    });
    if (!listed.ok) return listed;
    if (found === 0) return ok(undefined);
    if (removal.removed === before) return removal.failure === undefined ? ok(undefined) : err(removal.failure);
  }
  return err({ code: 'EBUSY', message: `${top.shownPath}: is being written to while it is removed` });
}

/** Removes what a name stands for: a file, a link (not what it leads to) or a tree. Nothing there: it is removed already. */
export async function removeTree(parent: HeldDirectory, name: string): Promise<SystemResult<void>> {
  const found = await parent.statOf(name);
  if (!found.ok) return isGone(found) ? ok(undefined) : found;
  if (found.value.kind !== 'directory') return parent.removeFile(name);
  const directory = await parent.openDirectory(name);
  if (!directory.ok) return directory;
  await directory.value.seal();
  const emptied = await emptyDirectory(directory.value);
  directory.value.close();
  const removed = await parent.removeEmptyDirectory(name);
  return emptied.ok ? removed : emptied;
}

interface Level {
  readonly directory: HeldDirectory;
  readonly inside: string[];
}

/** The bytes on disk below a directory, itself included, as du counts them (a file with several names once); of a tree beyond the limits at least so many. */
export async function diskUsage(top: HeldDirectory): Promise<number> {
  const seen = new Set<string>();
  let bytes = top.stat.allocatedBytes;
  let entriesLeft = MAX_MEASURED_ENTRIES;

  async function measure(directory: HeldDirectory): Promise<Level> {
    const inside: string[] = [];
    await directory.list(async (entries) => {
      entriesLeft -= entries.length;
      for (const { name } of entries) {
        const found = await directory.statOf(name);
        if (!found.ok) continue;
        const { kind, links, identity, allocatedBytes } = found.value;
        if (links > 1 && kind !== 'directory') {
          if (seen.has(identity)) continue;
          seen.add(identity);
        }
        bytes += allocatedBytes;
        if (kind === 'directory' && inside.length < MAX_MEASURED_WIDTH) inside.push(name);
      }
      return entriesLeft > 0;
    });
    return { directory, inside };
  }

  const levels: Level[] = [await measure(top)];
  for (let level = levels.at(-1); level !== undefined; level = levels.at(-1)) {
    const name = level.inside.pop();
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
