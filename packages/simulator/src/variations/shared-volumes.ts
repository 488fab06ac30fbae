// A framework with shared volumes, and with volumes that it grows and shrinks.
// Draws: the framework (schedulers/sharer.ts).
// Strikes: from the start; the faults of the storm strike it as others.
// Heals: it rests with the other frameworks.
import { happens, pick, wholeBetween } from '../engine/chance.js';
import { type Variation, withFramework } from './variation.js';

export const sharedVolumes: Variation = {
  name: 'shared volumes',
  share: 0.2,
  draw: (random, plan) =>
    withFramework(plan, {
      kind: 'sharer',
      role: pick(random, ['red', 'green', 'red/x']),
      partitionAware: happens(random, 0.7),
      checkpoint: true,
      failoverTimeoutMs: 3_600_000,
      alive: wholeBetween(random, 2, 6),
      total: wholeBetween(random, 10, 40),
      longestTaskMs: pick(random, [5_000, 60_000]),
      launches: 'commands',
      curious: false,
      speaks: 'http',
    }),
};
