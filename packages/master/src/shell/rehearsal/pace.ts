// The pace of a rehearsal: it works in short slices with pauses, so that the process answers in between and other processes
// get the processor.
//
// PACE-1: nothing continues after `stop`: a wait under way, and each later one, rejects with `STOPPED`.
import type { Clock } from '@meseta/base';

export interface Pace {
  /** Resolves at once while the slice lasts, else after a pause. */
  turn(): Promise<void>;
  pause(ms: number): Promise<void>;
  /** Resolves once the condition holds; rejects if it does not in time. */
  until(what: string, holds: () => boolean): Promise<void>;
  isStopped(): boolean;
  stop(): void;
}

export const STOPPED: unique symbol = Symbol('stopped');

const SLICE_MS = 1;
const PAUSE_MS = 1;
const WAIT_MS = 60_000;

export function createPace(clock: Clock): Pace {
  let isStopped = false;
  let endPause: () => void = () => {};
  let sliceEndMs = clock.now().monoMs + SLICE_MS;
  const pause = async (ms: number): Promise<void> => {
    if (!isStopped) {
      await new Promise<void>((resolve) => {
        const cancel = clock.setTimer(ms, resolve);
        endPause = () => {
          cancel();
          resolve();
        };
      });
    }
    if (isStopped) throw STOPPED;
    sliceEndMs = clock.now().monoMs + SLICE_MS;
  };
  return {
    async turn() {
      if (isStopped || clock.now().monoMs >= sliceEndMs) await pause(PAUSE_MS);
    },
    pause,
    async until(what, holds) {
      const untilMs = clock.now().monoMs + WAIT_MS;
      while (!holds()) {
        if (clock.now().monoMs > untilMs) throw new Error(`no ${what} within ${WAIT_MS / 1000} s`);
        await pause(PAUSE_MS);
      }
    },
    isStopped: () => isStopped,
    stop() {
      isStopped = true;
      endPause();
    },
  };
}
