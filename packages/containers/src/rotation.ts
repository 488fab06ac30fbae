// Limits on a sandbox's stdout and stderr without a process per task: a file that has grown too large is copied to
// `stdout.1` and cut to nothing. Tasks write in append mode, so they go on at the new end. What a task writes between
// the copy and the cut is lost, as with logrotate's copytruncate.
import type { Files } from '@meseta/base';

export interface RotationLimits {
  readonly maxBytes: number;
  /** How many old files are kept: `stdout.1` is the newest. */
  readonly keptFiles: number;
}

/** Rotates `path` if it is over its limit; whether it did. */
export async function rotate(files: Files, path: string, limits: RotationLimits): Promise<boolean> {
  const found = await files.stat(path);
  if (!found.ok || found.value.kind !== 'file' || found.value.sizeBytes <= limits.maxBytes) return false;
  for (let number = limits.keptFiles - 1; number >= 1; number--) {
    await files.rename(`${path}.${number}`, `${path}.${number + 1}`);
  }
  if (limits.keptFiles > 0) {
    const copied = await files.copy(path, `${path}.1`);
    if (copied.ok) await files.changeOwner(`${path}.1`, found.value.uid, found.value.gid);
  }
  return (await files.truncate(path, 0)).ok;
}

/** Looks at both streams of a sandbox. */
export async function rotateSandbox(files: Files, sandbox: string, limits: RotationLimits): Promise<void> {
  await rotate(files, `${sandbox}/stdout`, limits);
  await rotate(files, `${sandbox}/stderr`, limits);
}
