// Failed system calls as values, and what the kernel says of a file, for the ports on Node.
import type { Stats } from 'node:fs';
import { err, type FileStat, ok, type SystemError, type SystemResult } from '@meseta/base';

/** The error of a failed system call as a value. */
export function systemError(error: unknown): SystemError {
  if (!(error instanceof Error)) return { code: 'UNKNOWN', message: String(error) };
  const code = (error as NodeJS.ErrnoException).code;
  return { code: code ?? 'UNKNOWN', message: error.message };
}

export async function attempt<T>(call: () => Promise<T>): Promise<SystemResult<T>> {
  try {
    return ok(await call());
  } catch (error) {
    return err(systemError(error));
  }
}

interface KindOf {
  isFile(): boolean;
  isDirectory(): boolean;
  isSymbolicLink(): boolean;
}

export const kindOf = (it: KindOf): FileStat['kind'] =>
  it.isFile() ? 'file' : it.isDirectory() ? 'directory' : it.isSymbolicLink() ? 'symlink' : 'other';

export const fileStatOf = (found: Stats): FileStat => ({
  kind: kindOf(found),
  sizeBytes: found.size,
  allocatedBytes: found.blocks * 512,
  mode: found.mode & 0o7777,
  uid: found.uid,
  gid: found.gid,
  modifiedMs: found.mtimeMs,
  identity: `${found.dev}:${found.ino}`,
  links: found.nlink,
});
