// The longest time for which work of the main thread blocked the event loop. Unlike the loop's delay it does not grow when
// other processes use the processor.
import { openSync, readSync } from 'node:fs';

export interface PauseMeter {
  /** Milliseconds of processor time since the last `reset`; may exceed the pause by one interval. */
  longestMs(): number;
  reset(): void;
}

const INTERVAL_MS = 20;

/** Returns the nanoseconds that the main thread has run; undefined if the kernel does not report them. */
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

/** The time of all threads, those of the garbage collector and the compiler included. */
const processNanoseconds = (): number => {
  const { user, system } = process.cpuUsage();
  return (user + system) * 1000;
};

export function createPauseMeter(): PauseMeter {
  const now = createThreadClock() ?? processNanoseconds;
  let before = now();
  let longest = 0;
  const measure = (): void => {
    const at = now();
    longest = Math.max(longest, at - before);
    before = at;
  };
  setInterval(measure, INTERVAL_MS).unref();
  return {
    // The interval that has not ended counts too, so that a pause is in the figure as soon as it is over.
    longestMs: () => Math.max(longest, now() - before) / 1e6,
    reset() {
      before = now();
      longest = 0;
    },
  };
}
