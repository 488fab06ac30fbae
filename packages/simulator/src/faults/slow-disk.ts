// An agent's disk is slow.
// Draws: the agent, and for how long.
// Strikes: a sync of its checkpoint takes 2 s on the mean.
// Heals: by itself when the time is over, and with the end of the storm.
import { anyAgent, drawDurationMs, type FaultKind } from './fault.js';

export interface SlowDisk {
  readonly kind: 'slowDisk';
  readonly agent: number;
  readonly ms: number;
}

const SYNC_MS = 2;
const SLOW_SYNC_MS = 2_000;

export const slowDisk: FaultKind<SlowDisk> = {
  name: 'slowDisk',
  share: 0.23,
  draw: (random, shape) => ({
    kind: 'slowDisk',
    agent: anyAgent(random, shape),
    ms: drawDurationMs(random),
  }),
  strike({ world, agents }, { agent: index, ms }) {
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
};
