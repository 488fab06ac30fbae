// The longest time for which the event loop was held up by work of its own thread. Unlike the loop's delay it doesn't
// grow when other processes have the processor.
import { openSync, readSync } from 'node:fs';

export interface PauseMeter {
  /** Milliseconds of processor time, with at most one interval too many, since the last `reset`. */
  longestMs(): number;
  reset(): void;
}

const INTERVAL_MS = 20;

/** Nanoseconds that the main thread has run; undefined where the kernel doesn't say. */
function createThreadClock(): (() => number) | undefined {
  try {
    const descriptor = openSync(`/proc/self/task/${process.pid}/schedstat`, 'r');
    const bytes = Buffer.alloc(64);
    return () => {
      const length = readSync(descriptor, bytes, 0, bytes.length, 0);
      return Number.parseInt(bytes.toString('latin1', 0, length), 10);
    };
  } catch {
    return undefined;
  }
}

/** All threads' time, the collector's and the compiler's too. */
const processNanoseconds = (): number => {
  const { user, system } = process.cpuUsage();
  return (user + system) * 1000;
};

export function createPauseMeter(): PauseMeter {
  const now = createThreadClock() ?? processNanoseconds;
  let before = now();
  let longest = 0;
  const look = (): void => {
    const at = now();
    longest = Math.max(longest, at - before);
    before = at;
  };
  setInterval(look, INTERVAL_MS).unref();
  return {
    longestMs: () => longest / 1e6,
    reset() {
      longest = 0;
    },
  };
}
