// How many unreachable and gone agents the registry remembers (`--registry_max_agent_count`).
// Draws: the limit, and the interval of the registry's garbage collection.
// Effect: from the start, on every master. The limit on ages has no effect, as the masters' clocks jump.
// Ends: never.
import { pick, wholeBetween } from '../engine/chance.js';
import type { Variation } from './variation.js';

export const registryLimits: Variation = {
  name: 'registry limits',
  share: 0.2,
  draw: (random, plan) => ({
    ...plan,
    registryMaxAgentAgeMs: 1_209_600_000,
    registryMaxAgentCount: wholeBetween(random, 0, 2),
    registryGcIntervalMs: pick(random, [5_000, 30_000]),
  }),
};
