// Directories that only this process uses (work_dir, runtime_dir, the fetcher's cache): created, or checked.
//
// CLAIM-1: only this process' user and root can change the entries of a claimed directory and of every directory on its path;
//   in a directory that all users may write to (/tmp), only the owner of an entry can (the sticky bit). So its path can be
//   used safely from then on.
import * as fs from 'node:fs/promises';
import { posix } from 'node:path';
import { err, type FileStat, ok, pathComponents, type SystemError, type SystemResult } from '@meseta/base';
import { isProtected } from './directory-handles.js';
import { attempt, statOfPath } from './system-results.js';

const MAX_LINKS = 40;
const STICKY = 0o1000;
const PARENT_MODE = 0o755;

/** The problem with a directory on a path; undefined if it has none. `isLast`: the claimed directory itself. */
function problemOf(path: string, stat: FileStat, isLast: boolean): string | undefined {
  const uid = process.getuid?.() ?? 0;
  const todo = `make it one that only user ${uid} may write to (chown, chmod go-w), or name another directory`;
  if (isLast && stat.uid !== uid) return `${path} belongs to user ${stat.uid}; expected user ${uid}: ${todo}`;
  if (stat.uid !== uid && stat.uid !== 0) {
    return `${path} belongs to user ${stat.uid}, who can change its entries; expected ${uid === 0 ? 'root' : `user ${uid} or root`}: ${todo}`;
  }
  if (isProtected(stat) || (!isLast && (stat.mode & STICKY) !== 0)) return undefined;
  return `${path} can be written to by others than its owner (mode ${stat.mode.toString(8)}): ${todo}`;
}

/** Makes the directory unless the name exists. Returns the status of the name. */
async function findOrMakeDirectory(path: string, mode: number): Promise<SystemResult<FileStat>> {
  const look = (): Promise<SystemResult<FileStat>> => attempt(() => statOfPath(path));
  const found = await look();
  if (found.ok || found.error.code !== 'ENOENT') return found;
  const made = await attempt(() => fs.mkdir(path, { mode }));
  return made.ok || made.error.code === 'EEXIST' ? look() : made;
}

/** CLAIM-1. Parents that it makes may be entered by all. */
export async function claimDirectory(path: string, mode: number): Promise<SystemResult<void>> {
  const refuse = (message: string): { readonly ok: false; readonly error: SystemError } =>
    err({ code: 'EPERM', message });
  let at = '/';
  let rest = pathComponents(posix.resolve(path)).reverse();
  let links = 0;
  for (let name = rest.pop(); name !== undefined; name = rest.pop()) {
    const next = posix.join(at, name);
    const isLast = rest.length === 0;
    const stat = await findOrMakeDirectory(next, isLast ? mode : PARENT_MODE);
    if (!stat.ok) return stat;
    if (stat.value.kind === 'symlink') {
      links++;
      if (links > MAX_LINKS) return refuse(`${path}: more than ${MAX_LINKS} symbolic links lead to it`);
      if (stat.value.uid !== 0 && stat.value.uid !== process.getuid?.()) {
        return refuse(`${next} is a symbolic link of user ${stat.value.uid}: remove it, or name another directory`);
      }
      const target = await attempt(() => fs.readlink(next));
      if (!target.ok) return target;
      if (target.value.startsWith('/')) at = '/';
      rest = [...rest, ...pathComponents(target.value).reverse()];
      continue;
    }
    if (stat.value.kind !== 'directory') return refuse(`${next}: expected a directory`);
    const problem = problemOf(next, stat.value, isLast);
    if (problem !== undefined) return refuse(problem);
    at = next;
  }
  return ok(undefined);
}
