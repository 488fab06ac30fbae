// Limits the log lines that peers can cause, so that no peer fills the disk with them.
//
// Owns: for each kind of line, how many were written and suppressed in the kind's current interval.
// LOG-LIMIT-1: of one kind at most `LINES_PER_INTERVAL` lines are written in an interval, however many peers cause them.
// LOG-LIMIT-2: the number of suppressed lines of a kind is reported once, after their interval has ended.
import type { LogLevel } from './log.js';

export const INTERVAL_MS = 10_000;
/** Info lines report registrations and removals, which deserve more lines than refused messages. */
export const LINES_PER_INTERVAL: Readonly<Record<LogLevel, number>> = { debug: 10, info: 100, warning: 10, error: 10 };

export interface SuppressedLines {
  readonly level: LogLevel;
  readonly kind: string;
  readonly count: number;
}

export interface LogLimit {
  /** Whether a line of the kind may be written. */
  admit(level: LogLevel, kind: string, nowMs: number): boolean;
  /** The lines suppressed in intervals that have ended, each reported once. */
  takeSuppressed(nowMs: number): readonly SuppressedLines[];
}

interface Interval {
  readonly level: LogLevel;
  readonly beginMs: number;
  written: number;
  suppressed: number;
}

/** A wall clock that was set back ends an interval too. */
const hasEnded = ({ beginMs }: Interval, nowMs: number): boolean => nowMs < beginMs || nowMs >= beginMs + INTERVAL_MS;

export function createLogLimit(): LogLimit {
  const intervals = new Map<string, Interval>();
  return {
    admit(level, kind, nowMs) {
      const key = `${level} ${kind}`;
      const current = intervals.get(key);
      if (current === undefined || hasEnded(current, nowMs)) {
        intervals.set(key, { level, beginMs: nowMs, written: 1, suppressed: 0 });
        return true;
      }
      const isAdmitted = current.written < LINES_PER_INTERVAL[level];
      if (isAdmitted) current.written++;
      else current.suppressed++;
      return isAdmitted;
    },
    takeSuppressed(nowMs) {
      const ended: SuppressedLines[] = [];
      for (const [key, interval] of intervals) {
        if (!hasEnded(interval, nowMs)) continue;
        intervals.delete(key);
        const { level, suppressed } = interval;
        if (suppressed > 0) ended.push({ level, kind: key.slice(level.length + 1), count: suppressed });
      }
      return ended;
    },
  };
}
