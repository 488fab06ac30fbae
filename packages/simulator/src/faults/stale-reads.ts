// The reads of one agent or framework are stale: its server of the election service lags behind.
// Draws: the agent or framework, and for how long.
// Effect: it reads the leader of the beginning of the fault, also after a restart, while the others follow the new leader.
// Ends: by itself after that time, and at the end of the fault phase.
import { happens, wholeBetween } from '../engine/chance.js';
import { addressOfPlace } from '../run/cluster.js';
import { anyAgent, drawDurationMs, type FaultKind } from './fault.js';
import type { Place } from './place.js';

export interface StaleReads {
  readonly kind: 'staleReads';
  readonly at: Place;
  readonly ms: number;
}

export const staleReads: FaultKind<StaleReads> = {
  name: 'staleReads',
  share: 0.23,
  draw: (random, shape) => ({
    kind: 'staleReads',
    at: happens(random, 0.6)
      ? { kind: 'agent', index: anyAgent(random, shape) }
      : { kind: 'framework', index: wholeBetween(random, 0, shape.frameworks - 1) },
    ms: drawDurationMs(random),
  }),
  inject(cluster, { at, ms }) {
    const { masters } = cluster;
    const address = addressOfPlace(cluster, at);
    if (address === undefined || masters.machines.length < 2) return false;
    masters.views.readStale(address, ms);
    return true;
  },
  heal: ({ masters }) => masters.views.endStaleReads(),
};
