// Limits the size of a sandbox's `stdout` and `stderr` without a process per task: a file over the limit is copied to
// `stdout.1` and truncated. Tasks write in append mode, so they go on at the new end. What a task writes between the copy
// and the truncation is lost, as with logrotate's copytruncate.
//
// The task may have replaced any of these files: only regular files are read and truncated, and the copy is a new file.
// Owns: the timer of the next rotation, until it is stopped.
// ROTATION-1: however long a task has made its file, which may be sparse, no more of it is copied than all rotated files
//   together may hold.
import { type Clock, type DirectoryHandle, type FileHandle, type Files, ok, type SystemResult } from '@meseta/base';
import { openSandbox } from '../sandbox/sandbox.js';

/** How many rotated files are kept of each stream: `stdout.1` is the newest. */
export const KEPT_FILES = 9;

export interface RotationLimits {
  readonly maxBytes: number;
  readonly keptFiles: number;
}

const COPY_PART_BYTES = 256 * 1024;

/** Rotates a file of the sandbox if it is over its limit. Returns whether it did. */
export async function rotate(sandbox: DirectoryHandle, name: string, limits: RotationLimits): Promise<boolean> {
  const found = await sandbox.statOf(name);
  if (!found.ok || found.value.kind !== 'file' || found.value.sizeBytes <= limits.maxBytes) return false;
  const file = await sandbox.openFile(name, 'update');
  if (!file.ok) return false;
  for (let number = limits.keptFiles - 1; number >= 1; number--) {
    await sandbox.rename(`${name}.${number}`, `${name}.${number + 1}`);
  }
  const maxCopiedBytes = (limits.keptFiles + 1) * limits.maxBytes;
  if (limits.keptFiles > 0) await copyEnd(sandbox, `${name}.1`, file.value, maxCopiedBytes);
  const truncated = await file.value.truncate(0);
  file.value.close();
  return truncated.ok;
}

/** Copies the last `maxBytes` that the file has now. What the task appends meanwhile is not copied. */
async function copyEnd(
  sandbox: DirectoryHandle,
  name: string,
  from: FileHandle,
  maxBytes: number,
): Promise<SystemResult<void>> {
  const stat = await from.stat();
  if (!stat.ok) return stat;
  const { uid, gid, mode, sizeBytes } = stat.value;
  await sandbox.removeFile(name);
  const made = await sandbox.makeFile(name, { mode: mode & 0o777, owner: { uid, gid } });
  if (!made.ok) return made;
  let copied: SystemResult<void> = ok(undefined);
  for (let offsetBytes = Math.max(0, sizeBytes - maxBytes); copied.ok && offsetBytes < sizeBytes; ) {
    const part = await from.read(offsetBytes, Math.min(COPY_PART_BYTES, sizeBytes - offsetBytes));
    if (!part.ok) copied = part;
    else if (part.value.length === 0) break;
    else copied = await made.value.append(part.value);
    offsetBytes += part.ok ? part.value.length : 0;
  }
  made.value.close();
  return copied;
}

/** Rotates both streams of a sandbox. */
export async function rotateSandbox(files: Files, path: string, limits: RotationLimits): Promise<void> {
  const sandbox = await openSandbox(files, path);
  if (!sandbox.ok) return;
  await rotate(sandbox.value, 'stdout', limits);
  await rotate(sandbox.value, 'stderr', limits);
  sandbox.value.close();
}

const INTERVAL_MS = 5000;

/** Rotates the streams of running containers at an interval. Returns a function that stops it. */
export function startRotation(
  files: Files,
  clock: Pick<Clock, 'setTimer'>,
  limits: RotationLimits,
  sandboxes: () => readonly string[],
): () => void {
  let cancel = (): void => {};
  let stopped = false;
  const scheduleNext = (): void => {
    if (stopped) return;
    cancel = clock.setTimer(INTERVAL_MS, () => void rotateAll());
  };
  const rotateAll = async (): Promise<void> => {
    for (const sandbox of sandboxes()) if (!stopped) await rotateSandbox(files, sandbox, limits);
    scheduleNext();
  };
  scheduleNext();
  return () => {
    stopped = true;
    cancel();
  };
}
