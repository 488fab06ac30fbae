// Every variation. One that changes the parts that others draw comes after them.
import { fullDisks } from './full-disks.js';
import { largeNumbers } from './large-numbers.js';
import { longTasks } from './long-tasks.js';
import { manyWeights } from './many-weights.js';
import { prefixedRoles } from './prefixed-roles.js';
import { randomSorters } from './random-sorters.js';
import { refusingAuthorizer } from './refusing-authorizer.js';
import { registryLimits } from './registry-limits.js';
import { removalRateLimit } from './removal-rate-limit.js';
import { sharedVolumes } from './shared-volumes.js';
import type { Variation } from './variation.js';

export const VARIATIONS: readonly Variation[] = [
  fullDisks,
  refusingAuthorizer,
  removalRateLimit,
  registryLimits,
  randomSorters,
  sharedVolumes,
  longTasks,
  largeNumbers,
  manyWeights,
  prefixedRoles,
];
