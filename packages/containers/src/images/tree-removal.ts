// Removes entries of a tree that only this process changes, in the helper process of images.
import { ok, type SystemResult, type TreeDirectory, type TreeEntryKind } from '@meseta/base';

interface Level {
  readonly directory: TreeDirectory;
  readonly name: string;
  /** The entries that are still to be removed. */
  readonly names: string[];
}

function open(parent: TreeDirectory, name: string): SystemResult<Level> {
  const directory = parent.openDirectory(name);
  if (!directory.ok) return directory;
  const names = directory.value.names();
  if (names.ok) return ok({ directory: directory.value, name, names: [...names.value] });
  directory.value.close();
  return names;
}

/** Removes a directory with its content. Its depth is limited, as the writer's paths are. */
function removeDirectory(parent: TreeDirectory, name: string): SystemResult<void> {
  const first = open(parent, name);
  if (!first.ok) return first;
  const levels: Level[] = [first.value];
  let result: SystemResult<void> = ok(undefined);
  for (let level = levels.at(-1); level !== undefined && result.ok; level = levels.at(-1)) {
    const next = level.names.pop();
    if (next === undefined) {
      level.directory.close();
      levels.pop();
      result = (levels.at(-1)?.directory ?? parent).removeEmptyDirectory(level.name);
      continue;
    }
    const removed = level.directory.removeFile(next);
    if (removed.ok) continue;
    if (removed.error.code !== 'EISDIR' && removed.error.code !== 'EPERM') result = removed;
    else {
      const opened = open(level.directory, next);
      if (opened.ok) levels.push(opened.value);
      else result = opened;
    }
  }
  for (const { directory } of levels) directory.close();
  return result;
}

export const removeEntry = (parent: TreeDirectory, name: string, kind: TreeEntryKind): SystemResult<void> =>
  kind === 'directory' ? removeDirectory(parent, name) : parent.removeFile(name);
