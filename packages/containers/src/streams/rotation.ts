// Limits on a sandbox's stdout and stderr without a process per task: a file that has grown too large is copied to
// `stdout.1` and cut to nothing. Tasks write in append mode, so they go on at the new end. What a task writes between
// the copy and the cut is lost, as with logrotate's copytruncate.
//
// The task may have put anything in the place of any of these files: only regular files are read and cut, and the copy is
// a file that was not there before.
import { type Files, type HeldDirectory, type HeldFile, ok, type SystemResult } from '@meseta/base';
import { openSandbox } from '../sandbox/sandbox.js';

/** How many rotated files are kept of each stream: `stdout.1` is the newest. */
export const KEPT_FILES = 9;

export interface RotationLimits {
  readonly maxBytes: number;
  /** How many old files are kept: `stdout.1` is the newest. */
  readonly keptFiles: number;
}

const COPIED_AT_ONCE_BYTES = 256 * 1024;

/** Rotates a file of the sandbox if it is over its limit; whether it did. */
export async function rotate(sandbox: HeldDirectory, name: string, limits: RotationLimits): Promise<boolean> {
  const found = await sandbox.statOf(name);
  if (!found.ok || found.value.kind !== 'file' || found.value.sizeBytes <= limits.maxBytes) return false;
  const file = await sandbox.openFile(name, 'update');
  if (!file.ok) return false;
  for (let number = limits.keptFiles - 1; number >= 1; number--) {
    await sandbox.rename(`${name}.${number}`, `${name}.${number + 1}`);
  }
  if (limits.keptFiles > 0) await copyTo(sandbox, `${name}.1`, file.value);
  const cut = await file.value.truncate(0);
  file.value.close();
  return cut.ok;
}

/** Copies what is in the file now; a task that goes on writing doesn't make it longer. */
async function copyTo(sandbox: HeldDirectory, name: string, from: HeldFile): Promise<SystemResult<void>> {
  const stat = await from.stat();
  if (!stat.ok) return stat;
  const { uid, gid, mode, sizeBytes } = stat.value;
  await sandbox.removeFile(name);
  const made = await sandbox.makeFile(name, { mode: mode & 0o777, owner: { uid, gid } });
  if (!made.ok) return made;
  let copied: SystemResult<void> = ok(undefined);
  for (let at = 0; copied.ok && at < sizeBytes; ) {
    const part = await from.read(at, Math.min(COPIED_AT_ONCE_BYTES, sizeBytes - at));
    if (!part.ok) copied = part;
    else if (part.value.length === 0) break;
    else copied = await made.value.append(part.value);
    at += part.ok ? part.value.length : 0;
  }
  made.value.close();
  return copied;
}

/** Looks at both streams of a sandbox. */
export async function rotateSandbox(files: Files, path: string, limits: RotationLimits): Promise<void> {
  const sandbox = await openSandbox(files, path);
  if (!sandbox.ok) return;
  await rotate(sandbox.value, 'stdout', limits);
  await rotate(sandbox.value, 'stderr', limits);
  sandbox.value.close();
}
