// The clocks and timers of this process, as the port Clock.
import { type Clock, timerMs } from '@meseta/base';

/** A larger difference means that the wall clock was set, or has drifted from the monotonic one. */
const MAX_DRIFT_MS = 1;

let wallOffsetMs = performance.timeOrigin;

export const realClock: Clock = {
  now() {
    const monoMs = performance.now();
    // Date.now() has no fraction; while both clocks agree, the monotonic one supplies it.
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
