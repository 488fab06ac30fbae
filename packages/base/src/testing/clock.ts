// A clock that a test moves by hand.
import type { Clock } from '../ports.js';

export interface TestClock extends Clock {
  /** Runs the callbacks deferred so far. */
  runDeferred(): void;
  /** Moves the time and fires the timers that are due, earliest first. */
  advance(ms: number): void;
  /** Moves the time without firing timers, as when a callback keeps the process busy. */
  passBusy(ms: number): void;
  timerCount(): number;
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
    runDeferred() {
      const callbacks = deferred;
      deferred = [];
      for (const callback of callbacks) callback();
    },
    advance(ms) {
      monoMs += ms;
      for (const timer of [...timers].sort((a, b) => a.atMs - b.atMs)) {
        if (timer.atMs > monoMs || !timers.delete(timer)) continue;
        timer.callback();
      }
    },
    passBusy(ms) {
      monoMs += ms;
    },
    timerCount: () => timers.size,
  };
}
