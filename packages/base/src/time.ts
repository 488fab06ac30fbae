/**
 * Both clocks, read once for a step. Deadlines are computed from `monoMs`, which never
 * goes back; timestamps that people and peers see come from `wallMs`.
 */
export interface Now {
  readonly monoMs: number;
  /** Milliseconds since the epoch, with a fraction. */
  readonly wallMs: number;
}

/** The longest delay that setTimeout takes; a longer one would end at once. */
const MAX_TIMER_MS = 2 ** 31 - 1;

/** A delay that setTimeout takes; longer ones are cut to 24 days. */
export const timerMs = (delayMs: number): number => Math.min(Math.max(Math.ceil(delayMs), 0), MAX_TIMER_MS);
