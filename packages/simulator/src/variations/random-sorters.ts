// Offers in random order instead of by shares (`--role_sorter`, `--framework_sorter`).
// Draws: which of the two sorters, or both.
// Effect: from the start, on every master.
// Ends: never.
import { pick } from '../engine/chance.js';
import type { Variation } from './variation.js';

export const randomSorters: Variation = {
  name: 'random sorters',
  share: 0.2,
  draw: (random, plan) => ({
    ...plan,
    sorters: pick(random, [
      { roleSorter: 'random', frameworkSorter: 'random' },
      { roleSorter: 'random', frameworkSorter: 'drf' },
      { roleSorter: 'drf', frameworkSorter: 'random' },
    ] as const),
  }),
};
