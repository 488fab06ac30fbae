// A clock that a test moves by hand.
import type { Clock } from '../clock.js';

export interface TestClock extends Clock {
  /** Runs what was deferred until now. */
  turn(): void;
  /** Time passes, and timers that are due fire. */
  advance(ms: number): void;
  /** Time passes; timers wait, as when the process is busy. */
  pass(ms: number): void;
  timers(): number;
}

export function createTestClock(): TestClock {
  let monoMs = 0;
  let deferred: (() => void)[] = [];
  const timers = new Set<{ readonly atMs: number; readonly callback: () => void }>();
  return {
    now: () => ({ monoMs, wallMs: 1_700_000_000_000 + monoMs }),
    setTimer(delayMs, callback) {
      const timer = { atMs: monoMs + delayMs, callback };
      timers.add(timer);
      return () => {
        timers.delete(timer);
      };
    },
    defer(callback) {
      deferred.push(callback);
    },
    turn() {
      const now = deferred;
      deferred = [];
      for (const callback of now) callback();
    },
    advance(ms) {
      monoMs += ms;
      for (const timer of [...timers].sort((a, b) => a.atMs - b.atMs)) {
        if (timer.atMs > monoMs || !timers.delete(timer)) continue;
        timer.callback();
      }
    },
    pass(ms) {
      monoMs += ms;
    },
    timers: () => timers.size,
  };
}
