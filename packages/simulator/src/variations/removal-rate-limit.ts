// A limit on how fast agents are marked unreachable (`--agent_removal_rate_limit`).
// Draws: the limit.
// Effect: from the start, on every master; agents beyond the limit wait.
// Ends: never; no agent waits longer than the recovery phase.
import { pick } from '../engine/chance.js';
import type { Variation } from './variation.js';

export const removalRateLimit: Variation = {
  name: 'removal rate limit',
  share: 0.2,
  draw: (random, plan) => ({
    ...plan,
    agentRemovalRateLimit: pick(random, [
      { permits: 1, perMs: 60_000 },
      { permits: 1, perMs: 20_000 },
      { permits: 2, perMs: 90_000 },
    ]),
  }),
};
