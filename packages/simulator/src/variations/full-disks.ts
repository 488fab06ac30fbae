// Full disks.
// Draws: one to three agents, when each one's disk fills up, for how long, and whether the agent's process ends meanwhile.
// Strikes: no container can be launched there, and a look at the disk says that it is full, so sandboxes are removed
//     however young they are. The checkpoint has room of its own.
// Heals: by itself when the time is over, and with everything else at the end of the storm.
import { between, happens, wholeBetween } from '../engine/chance.js';
import type { Fault } from '../run/plan.js';
import { type Variation, withFaults } from './variation.js';

export const fullDisks: Variation = {
  name: 'full disks',
  share: 0.15,
  draw(random, plan) {
    const faults = Array.from({ length: wholeBetween(random, 1, 3) }, (): readonly Fault[] => {
      const agent = wholeBetween(random, 0, plan.agents.size - 1);
      const atMs = between(random, 1_000, plan.stormMs);
      const ms = between(random, 5_000, 150_000);
      const full: Fault = { atMs, kind: 'fullDisk', agent, ms };
      const killedMs = atMs + between(random, 0, ms / 2);
      const kill: Fault = { atMs: killedMs, kind: 'killAgent', agent, downMs: 1_000, atWrite: false };
      return happens(random, 0.6) && killedMs < plan.stormMs ? [full, kill] : [full];
    }).flat();
    return withFaults(plan, faults);
  },
};
