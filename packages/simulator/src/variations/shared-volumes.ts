// A framework with shared volumes, and with volumes that it grows and shrinks.
// Draws: the framework (schedulers/sharer.ts).
// Effect: from the start; faults affect it as other frameworks.
// Ends: it starts no tasks after the fault phase, as all frameworks.
import { happens, pick, wholeBetween } from '../engine/chance.js';
import { PLAIN_FRAMEWORK } from '../schedulers/framework-plan.js';
import { type Variation, withFramework } from './variation.js';

export const sharedVolumes: Variation = {
  name: 'shared volumes',
  share: 0.2,
  draw: (random, plan) =>
    withFramework(plan, {
      ...PLAIN_FRAMEWORK,
      kind: 'sharer',
      role: pick(random, ['red', 'green', 'red/x']),
      partitionAware: happens(random, 0.7),
      alive: wholeBetween(random, 2, 6),
      total: wholeBetween(random, 10, 40),
      longestTaskMs: pick(random, [5_000, 60_000]),
    }),
};
