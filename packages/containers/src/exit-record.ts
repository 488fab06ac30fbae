// What a supervisor leaves of a task's end, read back as an exit status.
//
// A shell knows the end of its child only as `$?`, in which `exit 137` and SIGKILL are the same. But for a signal
// it says a word ("Killed") on its own stderr, which goes to a file; for SIGINT and SIGPIPE no shell does, bash
// doesn't for SIGTERM either: there what the agent has sent decides.
import { type ProcessStat, parseStat } from './process-table.js';
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

export interface SupervisorRecord {
  /** The first process as it was before it became the command: its parent is the supervisor. */
  readonly first: ProcessStat | undefined;
  /** undefined while the line isn't complete: a half-written one is never taken. */
  readonly code: number | undefined;
  /** Whether the shell said something of its child's end. */
  readonly said: boolean;
}

/** What a container's `record` holds (spawner.ts). */
export function parseRecord(text: string): SupervisorRecord {
  const lines = text.split('\n');
  // What comes after the last line's end is incomplete, or nothing.
  lines.pop();
  const first = lines.find((line) => line.startsWith('first '));
  const ended = lines.find((line) => /^ended \d{1,3}$/.test(line));
  return {
    first: first === undefined ? undefined : parseStat(first.slice('first '.length)),
    code: ended === undefined ? undefined : Number(ended.slice('ended '.length)),
    said: lines.some((line) => line !== first && line !== ended),
  };
}

/** The signals in a `sent` file: a number a line. */
export const parseSent = (text: string): ReadonlySet<number> =>
  new Set(
    text
      .split('\n')
      .filter((line) => line !== '')
      .map(Number),
  );
