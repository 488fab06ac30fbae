// The leading master is paused while a write of it is under way, until another master leads.
// Draws: for how long, and how long after the pause it does not hear that another one leads.
// Effect: it continues with all inputs of the pause and with the leadership that it remembers. What it writes is refused.
// Ends: when the old leader hears of the new one, and ends.
import { between } from '../engine/chance.js';
import type { FaultKind } from './fault.js';

export interface PauseLeader {
  readonly kind: 'pauseLeader';
  readonly ms: number;
  readonly hearsAfterMs: number;
}

/** Longer than a session: see nodes/masters.ts. */
const SHORTEST_MS = 11_000;
const LONGEST_MS = 60_000;
const LONGEST_UNHEARD_MS = 5_000;

export const pauseLeader: FaultKind<PauseLeader> = {
  name: 'pauseLeader',
  share: 0.23,
  maxCount: 4,
  draw: (random) => ({
    kind: 'pauseLeader',
    ms: between(random, SHORTEST_MS, LONGEST_MS),
    hearsAfterMs: between(random, 0, LONGEST_UNHEARD_MS),
  }),
  inject({ world: { timeline }, masters }, { ms, hearsAfterMs }) {
    if (masters.machines.length < 2) return false;
    masters.store.onNextWrite = () => {
      const leader = masters.leader();
      if (leader === undefined) return;
      const untilMs = timeline.nowMs() + ms;
      leader.machine.pausedUntilMs = Math.max(leader.machine.pausedUntilMs, untilMs);
      masters.delayLoss(leader, untilMs + hearsAfterMs);
    };
    return true;
  },
  heal({ masters }) {
    masters.store.onNextWrite = undefined;
  },
};
