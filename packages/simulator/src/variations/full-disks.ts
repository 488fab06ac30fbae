// Full disks.
// Draws: one to three agents, when each one's disk fills up, and for how long.
// Strikes: no container can be launched there, and a look at the disk says that it is full, so sandboxes are removed
//     however young they are. The checkpoint has room of its own.
// Heals: by itself when the time is over, and with everything else at the end of the storm.
import { between, wholeBetween } from '../engine/chance.js';
import type { Fault } from '../run/plan.js';
import { type Variation, withFaults } from './variation.js';

export const fullDisks: Variation = {
  name: 'full disks',
  share: 0.15,
  draw(random, plan) {
    const faults = Array.from(
      { length: wholeBetween(random, 1, 3) },
      (): Fault => ({
        atMs: between(random, 1_000, plan.stormMs),
        kind: 'fullDisk',
        agent: wholeBetween(random, 0, plan.agents.size - 1),
        ms: between(random, 5_000, 150_000),
      }),
    );
    return withFaults(plan, faults);
  },
};
