// A lock on a directory that the kernel drops when its process ends, however it ends: flock on the opened directory.
// Node has no call for it, so util-linux' `flock` (or perl) takes the lock on a descriptor that it is handed: the lock
// belongs to the open file, which this process keeps.
import { spawnSync } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { err, ok, type Result } from '@meseta/base';

export interface DirectoryLock {
  /** false: no program of this machine can lock; nothing keeps a second process out. */
  readonly isHeld: boolean;
  release(): void;
}

/** The descriptor's number in the program that locks it. */
const HANDED = 3;
const LOCKERS: readonly (readonly [program: string, ...args: string[]])[] = [
  ['flock', '-n', String(HANDED)],
  ['perl', '-e', `open(my $d, '<&=', ${HANDED}) or exit 2; exit(flock($d, 2 | 4) ? 0 : 1)`],
];

/** The error says that another process has the lock, or why the directory can't be opened. */
export function lockDirectory(directory: string): Result<DirectoryLock, string> {
  let file: number;
  try {
    file = openSync(directory, 'r');
  } catch (cause) {
    return err((cause as Error).message);
  }
  for (const [program, ...args] of LOCKERS) {
    const stdio = ['ignore', 'ignore', 'ignore', file] as const;
    const { status, error } = spawnSync(program, args, { stdio: [...stdio], env: { PATH: process.env['PATH'] ?? '' } });
    if (error !== undefined || (status !== 0 && status !== 1)) continue;
    if (status === 0) return ok({ isHeld: true, release: () => closeSync(file) });
    closeSync(file);
    return err(`${directory} is in use by another process: two daemons can't share a work directory`);
  }
  return ok({ isHeld: false, release: () => closeSync(file) });
}
