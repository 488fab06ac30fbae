// An agent's disk is full. Drawn by the variation `full disks`.
// Draws: the agent, and for how long.
// Effect: no container can be launched there, and the disk is measured as full, so sandboxes are removed at any age.
//     The checkpoint is on another disk.
// Ends: by itself after that time, and at the end of the fault phase.
import { between } from '../engine/chance.js';
import { agentFault, type FaultKind } from './fault.js';

export interface FullDisk {
  readonly kind: 'fullDisk';
  readonly agent: number;
  readonly ms: number;
}

export const fullDisk: FaultKind<FullDisk> = agentFault(
  'fullDisk',
  (random) => ({ ms: between(random, 5_000, 150_000) }),
  {
    inject({ world, agents }, { agent: index, ms }) {
      const agent = agents.get(index);
      if (agent === undefined) return false;
      agent.diskFullUntilMs = Math.max(agent.diskFullUntilMs, world.timeline.nowMs() + ms);
      return agent.core !== undefined;
    },
    heal({ agents }) {
      for (const agent of agents.values()) agent.diskFullUntilMs = 0;
    },
  },
  0,
);
