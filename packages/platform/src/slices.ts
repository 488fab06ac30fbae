// Work in time slices, one slice per turn of the event loop, so that other events are handled in between.
import type { Clock } from '@meseta/base';

/**
 * Returns a function that runs `advance` in time slices, one slice per event-loop turn, until `advance` returns false. A
 * slice of 0 ms calls it once per turn.
 */
export function createSlices(clock: Clock, sliceMs: number, advance: () => boolean): () => void {
  let scheduled = false;
  const schedule = (): void => {
    if (scheduled) return;
    scheduled = true;
    clock.defer(slice);
  };
  const slice = (): void => {
    scheduled = false;
    const until = clock.now().monoMs + sliceMs;
    while (advance()) if (clock.now().monoMs >= until) return schedule();
  };
  return schedule;
}

/** Returns a function whose promises resolve one per event-loop turn, in the order of the calls. */
export function createTurns(clock: Clock): () => Promise<void> {
  const waiting: (() => void)[] = [];
  const resolveNext = createSlices(clock, 0, () => {
    waiting.shift()?.();
    return waiting.length > 0;
  });
  return () =>
    new Promise((resolve) => {
      waiting.push(resolve);
      resolveNext();
    });
}
