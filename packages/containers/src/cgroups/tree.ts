// The cgroups in a cgroup. A task that may write to its own cgroup makes them in any depth and number.
import { type Files, ok, type SystemResult } from '@meseta/base';
import { listNames } from '../sandbox/directories.js';

/** Cgroups beyond this number are left for the next listing. */
const MAX_LISTED = 1000;
/** A directory's own entry, and the one that its parent has for it. The kernel counts cgroups in it only. */
const LINKS_WITHOUT_CHILDREN = 2;

async function childrenOf(files: Files, directory: string): Promise<readonly string[]> {
  const stat = await files.stat(directory);
  if (!stat.ok || stat.value.links <= LINKS_WITHOUT_CHILDREN) return [];
  const opened = await files.openDirectory(directory);
  if (!opened.ok) return [];
  const children: string[] = [];
  await opened.value.list((entries) => {
    for (const { kind, name } of entries) if (kind === 'directory') children.push(`${directory}/${name}`);
    return children.length < MAX_LISTED;
  });
  opened.value.close();
  return children;
}

/** The names of the cgroups in a cgroup; none if it is missing. */
export async function namesInCgroup(files: Files, directory: string): Promise<readonly string[]> {
  const names = await listNames(files, directory, 'directory');
  return names.ok ? names.value : [];
}

/** The cgroup and those in it, each after the one that it is in. */
export async function listCgroups(files: Files, directory: string): Promise<readonly string[]> {
  const found = [directory];
  // The list grows during the iteration.
  for (const each of found) {
    if (found.length >= MAX_LISTED) break;
    for (const child of await childrenOf(files, each)) found.push(child);
  }
  return found;
}

/** A process that is not listed any more may keep its cgroup for a moment. */
const BUSY_TIMEOUT_MS = 1000;
const BUSY_PAUSE_MS = 5;

/** Removes a cgroup without processes, and those in it. One that is missing is no error. */
export async function removeCgroup(
  files: Files,
  directory: string,
  timeoutMs = BUSY_TIMEOUT_MS,
): Promise<SystemResult<void>> {
  const deadlineMs = performance.now() + timeoutMs;
  for (;;) {
    const removed = await files.removeEmptyDirectory(directory);
    if (removed.ok || removed.error.code === 'ENOENT') return ok(undefined);
    const cgroups = await listCgroups(files, directory);
    let count = 0;
    for (const each of cgroups.toReversed()) if ((await files.removeEmptyDirectory(each)).ok) count++;
    if (count > 0) continue;
    if (removed.error.code !== 'EBUSY' || performance.now() > deadlineMs) return removed;
    await new Promise((resolve) => setTimeout(resolve, BUSY_PAUSE_MS));
  }
}
