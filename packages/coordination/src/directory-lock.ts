// A lock on a directory: flock on the opened directory, which the kernel releases whenever the process ends. Node has no
// call for it, so `flock` of util-linux (or perl) locks a descriptor that it inherits. The lock belongs to the open file,
// which this process keeps.
import { spawnSync } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { err, ok, type Result } from '@meseta/base';

export interface DirectoryLock {
  /** False if no program on this machine can lock: a second process is not refused. */
  readonly isLocked: boolean;
  release(): void;
}

/** The number of the descriptor in the program that locks it. */
const INHERITED = 3;
const LOCKERS: readonly (readonly [program: string, ...args: string[]])[] = [
  ['flock', '-n', String(INHERITED)],
  ['perl', '-e', `open(my $d, '<&=', ${INHERITED}) or exit 2; exit(flock($d, 2 | 4) ? 0 : 1)`],
];

/** The error says that another process has the lock, or why the directory cannot be opened. */
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
    if (status === 0) return ok({ isLocked: true, release: () => closeSync(file) });
    closeSync(file);
    return err(`${directory} is in use by another process: two daemons cannot share a work directory`);
  }
  return ok({ isLocked: false, release: () => closeSync(file) });
}
