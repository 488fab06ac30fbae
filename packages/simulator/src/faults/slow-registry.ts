// The masters' store is slow.
// Draws: for how long.
// Effect: a write to the registry takes 2 s on average.
// Ends: by itself after that time, and at the end of the fault phase.
import { drawDurationMs, type FaultKind } from './fault.js';

export interface SlowRegistry {
  readonly kind: 'slowRegistry';
  readonly ms: number;
}

const WRITE_MS = 5;
const SLOW_WRITE_MS = 2_000;

export const slowRegistry: FaultKind<SlowRegistry> = {
  name: 'slowRegistry',
  share: 0.23,
  draw: (random) => ({
    kind: 'slowRegistry',
    ms: drawDurationMs(random),
  }),
  inject({ world, masters: { store } }, { ms }) {
    store.meanWriteMs = SLOW_WRITE_MS;
    world.timeline.after(ms, () => {
      store.meanWriteMs = WRITE_MS;
    });
    return true;
  },
  heal({ masters: { store } }) {
    store.meanWriteMs = WRITE_MS;
  },
};
