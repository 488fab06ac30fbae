// Work that is done a slice a turn of the event loop, so that whatever else came in has its turn in between.
import type { Clock } from '@meseta/base';

/**
 * Answers what begins to call `advance` over and over, a slice a turn, as long as it says that there is more. Of 0 ms:
 * once a turn.
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

/** Answers what waits for a turn of one's own: one is given each turn of the loop, in the order in which they were asked for. */
export function createTurns(clock: Clock): () => Promise<void> {
  const waiting: (() => void)[] = [];
  const give = createSlices(clock, 0, () => {
    waiting.shift()?.();
    return waiting.length > 0;
  });
  return () =>
    new Promise((resolve) => {
      waiting.push(resolve);
      give();
    });
}
