// An agent's disk is slow.
// Draws: the agent, and for how long.
// Effect: a sync of its checkpoint takes 2 s on average.
// Ends: by itself after that time, and at the end of the fault phase.
import { agentFault, drawDurationMs, type FaultKind } from './fault.js';

export interface SlowDisk {
  readonly kind: 'slowDisk';
  readonly agent: number;
  readonly ms: number;
}

const SYNC_MS = 2;
const SLOW_SYNC_MS = 2_000;

export const slowDisk: FaultKind<SlowDisk> = agentFault('slowDisk', (random) => ({ ms: drawDurationMs(random) }), {
  inject({ world, agents }, { agent: index, ms }) {
    const agent = agents.get(index);
    if (agent === undefined) return false;
    agent.disk.meanSyncMs = SLOW_SYNC_MS;
    world.timeline.after(ms, () => {
      agent.disk.meanSyncMs = SYNC_MS;
    });
    return agent.core !== undefined;
  },
  heal({ agents }) {
    for (const { disk } of agents.values()) disk.meanSyncMs = SYNC_MS;
  },
});
