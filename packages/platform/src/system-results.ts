// Failed system calls as values, and file status, for the ports on Node.
import { type BigIntStats, fstatSync } from 'node:fs';
import { lstat } from 'node:fs/promises';
import { err, type FileStat, ok, type SystemError, type SystemResult } from '@meseta/base';

/** Why a call is not made, or what failed in it: like the error of a system call, for a person. */
export class Refused extends Error {}

/** The error of a failed system call as a value. */
export function systemError(error: unknown): SystemError {
  if (!(error instanceof Error)) return { code: 'unknown', message: String(error) };
  const code = (error as NodeJS.ErrnoException).code;
  return { code: code ?? 'unknown', message: error.message };
}

export async function attempt<T>(call: () => Promise<T>): Promise<SystemResult<T>> {
  try {
    return ok(await call());
  } catch (error) {
    return err(systemError(error));
  }
}

/** `attempt` for a synchronous call. */
export function attemptNow(call: () => void): SystemResult<void> {
  try {
    call();
    return ok(undefined);
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

/** As makedev(3) of Linux puts them together. */
const deviceOf = (number: bigint): FileStat['device'] => ({
  major: Number(((number >> 8n) & 0xfffn) | ((number >> 32n) & ~0xfffn)),
  minor: Number((number & 0xffn) | ((number >> 12n) & 0xffffff00n)),
});

/** Inode numbers may be too large for a number. */
const fileStatOf = (found: BigIntStats): FileStat => ({
  kind: kindOf(found),
  sizeBytes: Number(found.size),
  allocatedBytes: Number(found.blocks) * 512,
  mode: Number(found.mode) & 0o7777,
  format: Number(found.mode) & 0o170000,
  uid: Number(found.uid),
  gid: Number(found.gid),
  modifiedMs: Number(found.mtimeMs),
  identity: `${found.dev}:${found.ino}`,
  links: Number(found.nlink),
  device: deviceOf(found.rdev),
});

/** The status of the name itself; a link is not followed. */
export const statOfPath = async (path: string): Promise<FileStat> => fileStatOf(await lstat(path, { bigint: true }));

export const statOfDescriptor = (fd: number): FileStat => fileStatOf(fstatSync(fd, { bigint: true }));
