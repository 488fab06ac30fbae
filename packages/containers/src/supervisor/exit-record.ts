// Reads what a supervisor recorded of a container's first process, and turns its end into an exit status.
//
// A supervisor in perl records the exact status. A shell knows the end of its child only as `$?`, in which `exit 137` and
// SIGKILL are the same number. For most signals the shell also writes a message ("Killed") to its stderr, which goes to the
// record. No shell writes one for SIGINT and SIGPIPE, and bash none for SIGTERM: these end as signals if the agent sent them.
import { type ProcessStat, parseStat } from '../processes/process-table.js';
import type { ExitStatus } from '../types.js';

const unreportedSignals: ReadonlySet<number> = new Set([2, 13, 15]);

/** Whether the agent must remember that it sent `signal`. */
export const isUnreportedByShells = (signal: number): boolean => unreportedSignals.has(signal);

/** The end of a first process as its supervisor knows it. */
export type RecordedEnd =
  | { readonly kind: 'exact'; readonly status: ExitStatus }
  /** `$?`, and whether the shell wrote a message about a signal. */
  | { readonly kind: 'shell'; readonly code: number; readonly isSignalReported: boolean };

export function toExitStatus(end: RecordedEnd, sentSignals: ReadonlySet<number>): ExitStatus {
  if (end.kind === 'exact') return end.status;
  const { code, isSignalReported } = end;
  const signal = code - 128;
  if (signal <= 0 || signal > 64) return { kind: 'exited', code };
  const isSignal = isSignalReported || (isUnreportedByShells(signal) && sentSignals.has(signal));
  return isSignal ? { kind: 'signaled', signal } : { kind: 'exited', code };
}

/** `exited CODE` or `signaled SIGNAL`. */
export function parseStatus(text: string): ExitStatus | undefined {
  const found = /^(exited|signaled) (\d{1,3})$/.exec(text);
  if (found === null) return undefined;
  const number = Number(found[2]);
  return found[1] === 'exited' ? { kind: 'exited', code: number } : { kind: 'signaled', signal: number };
}

export interface SupervisorRecord {
  /** The first process before it became the command. Its parent is the supervisor. */
  readonly first: ProcessStat | undefined;
  /** undefined while its line is incomplete. */
  readonly end: RecordedEnd | undefined;
}

/** Parses a container's file `record` (perl.ts and shell.ts write it). */
export function parseRecord(text: string): SupervisorRecord {
  const lines = text.split('\n');
  // The text after the last newline is an incomplete line, or empty.
  lines.pop();
  const first = lines.find((line) => line.startsWith('first '));
  return {
    first: first === undefined ? undefined : parseStat(first.slice('first '.length)),
    end: findExactEnd(lines) ?? findShellEnd(lines),
  };
}

function findExactEnd(lines: readonly string[]): RecordedEnd | undefined {
  for (const line of lines) {
    const status = line.startsWith('status ') ? parseStatus(line.slice('status '.length)) : undefined;
    if (status !== undefined) return { kind: 'exact', status };
  }
  return undefined;
}

function findShellEnd(lines: readonly string[]): RecordedEnd | undefined {
  const ended = lines.find((line) => /^ended \d{1,3}$/.test(line));
  if (ended === undefined) return undefined;
  const isSignalReported = lines.some((line) => line !== ended && !line.startsWith('first '));
  return { kind: 'shell', code: Number(ended.slice('ended '.length)), isSignalReported };
}

/** Parses a file `sent`: one signal a line. */
export const parseSentSignals = (text: string): ReadonlySet<number> =>
  new Set(
    text
      .split('\n')
      .filter((line) => line !== '')
      .map(Number),
  );
