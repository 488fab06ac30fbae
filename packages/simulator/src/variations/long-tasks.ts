// Long tasks that send hundreds of updates.
// Draws: a framework with executors of its own, and how many updates each of its tasks sends while it runs.
// Effect: from the start. Its executors break their connections often, and then resend unacknowledged updates.
// Ends: it starts no tasks after the fault phase, as all frameworks; its running tasks end.
import { happens, pick, wholeBetween } from '../engine/chance.js';
import { PLAIN_FRAMEWORK } from '../schedulers/framework-plan.js';
import { type Variation, withFramework } from './variation.js';

export const longTasks: Variation = {
  name: 'long tasks',
  share: 0.12,
  draw: (random, plan) =>
    withFramework(plan, {
      ...PLAIN_FRAMEWORK,
      kind: 'runner',
      role: pick(random, ['red', 'green', 'blue']),
      partitionAware: happens(random, 0.7),
      alive: wholeBetween(random, 1, 2),
      total: wholeBetween(random, 2, 4),
      longestTaskMs: 5_000,
      launches: 'executors',
      updatesPerTask: wholeBetween(random, 120, 320),
    }),
};
