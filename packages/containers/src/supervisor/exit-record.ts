// What a supervisor leaves of a task's end, read back as an exit status.
//
// A supervisor in perl writes the exact status. A shell knows the end of its child only as `$?`, in which `exit 137` and
// SIGKILL are the same. But for a signal it says a word ("Killed") on its own stderr, which goes to a file; for SIGINT
// and SIGPIPE no shell does, bash doesn't for SIGTERM either: there what the agent has sent decides.
import { type ProcessStat, parseStat } from '../processes/process-table.js';
import type { ExitStatus } from '../types.js';

const silentSignals: ReadonlySet<number> = new Set([2, 13, 15]);

/** Whether the agent should remember that it sent `signal`. */
export const isSilent = (signal: number): boolean => silentSignals.has(signal);

/** The end of a first process as its supervisor knows it. */
export type RecordedEnd =
  | { readonly kind: 'exact'; readonly status: ExitStatus }
  /** `$?`, and whether the shell said something of its child's end. */
  | { readonly kind: 'shell'; readonly code: number; readonly said: boolean };

export function exitStatus(end: RecordedEnd, sent: ReadonlySet<number>): ExitStatus {
  if (end.kind === 'exact') return end.status;
  const { code, said } = end;
  const signal = code - 128;
  if (signal <= 0 || signal > 64) return { kind: 'exited', code };
  if (said || (isSilent(signal) && sent.has(signal))) return { kind: 'signaled', signal };
  return { kind: 'exited', code };
}

/** `exited CODE` or `signaled SIGNAL`. */
export function parseStatus(text: string): ExitStatus | undefined {
  const found = /^(exited|signaled) (\d{1,3})$/.exec(text);
  if (found === null) return undefined;
  const number = Number(found[2]);
  return found[1] === 'exited' ? { kind: 'exited', code: number } : { kind: 'signaled', signal: number };
}

export interface SupervisorRecord {
  /** The first process as it was before it became the command: its parent is the supervisor. */
  readonly first: ProcessStat | undefined;
  /** undefined while the line isn't complete: a half-written one is never taken. */
  readonly end: RecordedEnd | undefined;
}

/** What a container's file `record` holds (perl.ts, shell.ts). */
export function parseRecord(text: string): SupervisorRecord {
  const lines = text.split('\n');
  // What comes after the last line's end is incomplete, or nothing.
  lines.pop();
  const first = lines.find((line) => line.startsWith('first '));
  return {
    first: first === undefined ? undefined : parseStat(first.slice('first '.length)),
    end: exactEnd(lines) ?? shellsEnd(lines),
  };
}

function exactEnd(lines: readonly string[]): RecordedEnd | undefined {
  for (const line of lines) {
    const status = line.startsWith('status ') ? parseStatus(line.slice('status '.length)) : undefined;
    if (status !== undefined) return { kind: 'exact', status };
  }
  return undefined;
}

function shellsEnd(lines: readonly string[]): RecordedEnd | undefined {
  const ended = lines.find((line) => /^ended \d{1,3}$/.test(line));
  if (ended === undefined) return undefined;
  const said = lines.some((line) => line !== ended && !line.startsWith('first '));
  return { kind: 'shell', code: Number(ended.slice('ended '.length)), said };
}

/** The signals in a `sent` file: a number a line. */
export const parseSent = (text: string): ReadonlySet<number> =>
  new Set(
    text
      .split('\n')
      .filter((line) => line !== '')
      .map(Number),
  );
