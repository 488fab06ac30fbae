// Nobody reaches the election service and the store behind it: its servers have no majority.
// Draws: for how long.
// Effect: no write is made or answered, and no master is elected. After the time of a session the leader ends, and agents and
//     frameworks know no leader.
// Ends: by itself after that time, and at the end of the fault phase.
import { drawDurationMs, type FaultKind } from './fault.js';

export interface CoordinationOutage {
  readonly kind: 'coordinationOutage';
  readonly ms: number;
}

export const coordinationOutage: FaultKind<CoordinationOutage> = {
  name: 'coordinationOutage',
  share: 0.23,
  maxCount: 4,
  draw: (random) => ({ kind: 'coordinationOutage', ms: drawDurationMs(random) }),
  inject: ({ masters }, { ms }) => masters.beginOutage(ms),
  heal: ({ masters }) => masters.endOutage(),
};
