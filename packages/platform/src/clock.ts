// The machine's clocks and timers, as the loops of this room take them (tests give their own).
import type { Now } from '@meseta/base';

export interface Clock {
  now(): Now;
  /** Calls back once, not before `delayMs`; answers what cancels it. */
  setTimer(delayMs: number, callback: () => void): () => void;
  /** Calls back in the next turn of the event loop. */
  defer(callback: () => void): void;
}

/** The longest delay that setTimeout takes; who waits longer is called and waits again. */
const MAX_DELAY_MS = 2 ** 31 - 1;
/** Beyond this the wall clock was set, or has drifted from the monotonic one. */
const MAX_DRIFT_MS = 1;

let wallOffsetMs = performance.timeOrigin;

/** A delay that every timer of node's takes: what is longer than 24 days lasts that long. */
export const timerMs = (delayMs: number): number => Math.min(Math.max(Math.ceil(delayMs), 0), MAX_DELAY_MS);

export const realClock: Clock = {
  now() {
    const monoMs = performance.now();
    // Date.now() has no fraction: the monotonic clock lends its own while both agree.
    const wholeMs = Date.now();
    const driftMs = wholeMs - (monoMs + wallOffsetMs);
    if (driftMs > MAX_DRIFT_MS || driftMs < -1 - MAX_DRIFT_MS) wallOffsetMs = wholeMs - monoMs;
    return { monoMs, wallMs: monoMs + wallOffsetMs };
  },
  setTimer(delayMs, callback) {
    const timer = setTimeout(callback, timerMs(delayMs));
    return () => clearTimeout(timer);
  },
  defer(callback) {
    setImmediate(callback);
  },
};
