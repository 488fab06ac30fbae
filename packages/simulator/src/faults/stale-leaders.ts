// The election notifies nobody: no agent or framework hears of a new leader.
// Draws: for how long.
// Effect: agents and frameworks keep to the master that they know, also while it no longer leads.
// Ends: by itself after that time, and at the end of the fault phase.
import { drawDurationMs, type FaultKind } from './fault.js';

export interface StaleLeader {
  readonly kind: 'staleLeader';
  readonly ms: number;
}

export const staleLeader: FaultKind<StaleLeader> = {
  name: 'staleLeader',
  share: 0.23,
  draw: (random) => ({ kind: 'staleLeader', ms: drawDurationMs(random) }),
  inject({ world, masters }, { ms }) {
    masters.views.staleUntilMs = world.timeline.nowMs() + ms;
    return masters.machines.length > 1;
  },
  heal({ masters }) {
    masters.views.staleUntilMs = 0;
  },
};
