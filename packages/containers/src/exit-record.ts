// What a supervisor leaves of a task's end, read back as an exit status.
//
// A shell knows the end of its child only as `$?`, in which `exit 137` and SIGKILL are the same. But for a signal
// it says a word ("Killed") on its own stderr, which goes to a file; for SIGINT and SIGPIPE no shell does, bash
// doesn't for SIGTERM either: there what the agent has sent decides.
import type { ExitStatus } from './types.js';

const silentSignals: ReadonlySet<number> = new Set([2, 13, 15]);

/** Whether the agent should remember that it sent `signal`. */
export const isSilent = (signal: number): boolean => silentSignals.has(signal);

export function exitStatus(code: number, shellSaid: boolean, sent: ReadonlySet<number>): ExitStatus {
  const signal = code - 128;
  if (signal <= 0 || signal > 64) return { kind: 'exited', code };
  if (shellSaid || (isSilent(signal) && sent.has(signal))) return { kind: 'signaled', signal };
  return { kind: 'exited', code };
}

/** The code in a status file; undefined while its line isn't complete, so a half-written one is never taken. */
export function parseCode(text: string): number | undefined {
  const found = /^(\d{1,3})\n$/.exec(text);
  return found ? Number(found[1]) : undefined;
}

/** The signals in a `sent` file: a number a line. */
export const parseSent = (text: string): ReadonlySet<number> =>
  new Set(
    text
      .split('\n')
      .filter((line) => line !== '')
      .map(Number),
  );
