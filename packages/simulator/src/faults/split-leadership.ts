// Two masters lead, each with agents and frameworks that follow it: the session of the leader has ended, it does not hear of it,
// and the reads of some clients are stale.
// Draws: for how long, and which agents and frameworks keep to the old leader.
// Effect: the old leader registers agents, sends offers and launches tasks while the new one does. Its writes are refused.
// Ends: when the old leader hears that its session has ended, and ends; its followers read the new leader then.
import type { Random } from '@meseta/base';
import { happens, wholeBetween } from '../engine/chance.js';
import type { FaultKind } from './fault.js';

export interface SplitLeadership {
  readonly kind: 'splitLeadership';
  readonly ms: number;
  /** Their indexes in the plan. */
  readonly agents: readonly number[];
  readonly frameworks: readonly number[];
}

const LONGEST_MS = 40_000;

const drawSome = (random: Random, count: number): readonly number[] =>
  Array.from({ length: count }, (_, index) => index).filter(() => happens(random, 0.5));

export const splitLeadership: FaultKind<SplitLeadership> = {
  name: 'splitLeadership',
  share: 0.45,
  maxCount: 6,
  draw: (random, shape) => ({
    kind: 'splitLeadership',
    ms: wholeBetween(random, 2_000, LONGEST_MS),
    agents: drawSome(random, shape.agents),
    frameworks: drawSome(random, shape.frameworks),
  }),
  inject(cluster, { ms, agents, frameworks }) {
    const { masters } = cluster;
    if (masters.machines.length < 2 || masters.leader() === undefined) return false;
    const followers = [
      ...agents.map((index) => cluster.agents.get(index)?.machine.address),
      ...frameworks.map((index) => cluster.frameworks.get(index)?.clients.at(-1)?.address),
    ];
    for (const address of followers) if (address !== undefined) masters.views.readStale(address, ms);
    return masters.expireSession(ms);
  },
};
