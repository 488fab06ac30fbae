// Notes that strangers can cause again and again: one line of each kind in a while, with how many were left out.
import type { Clock } from '@meseta/base';
import type { Logger } from './log.js';

const INTERVAL_MS = 10_000;

export interface NoteLimit {
  /** How many notes of the kind were left out since the last one that was let through; undefined: this one is left out. */
  admit(kind: string): number | undefined;
}

export function createNoteLimit(nowMs: () => number): NoteLimit {
  const kinds = new Map<string, { nextMs: number; leftOut: number }>();
  return {
    admit(kind) {
      const now = nowMs();
      const known = kinds.get(kind);
      if (known !== undefined && now < known.nextMs) {
        known.leftOut++;
        return undefined;
      }
      kinds.set(kind, { nextMs: now + INTERVAL_MS, leftOut: 0 });
      return known?.leftOut ?? 0;
    },
  };
}

/** The text with how many of its kind were not told. */
export const withLeftOut = (text: string, leftOut: number): string =>
  leftOut > 0 ? `${text} (and ${leftOut} more)` : text;

/** Logs warnings that strangers can cause, of each kind one in a while. */
export function createLimitedWarnings(clock: Clock, log: Logger): (kind: string, text: string) => void {
  const limit = createNoteLimit(() => clock.now().monoMs);
  return (kind, text) => {
    const leftOut = limit.admit(kind);
    if (leftOut !== undefined) log.warning(withLeftOut(text, leftOut));
  };
}
