// The experiments of docs/scale.md by name, with their sizes; `scripts/plots.mjs` runs each in a separate process.
import { type AllocationResult, allocation } from './allocation.js';
import { type HoldResult, hold } from './hold.js';
import { type LoadResult, paperLoad } from './paper-load.js';
import { type SharingResult, sharing } from './sharing.js';

export interface Results {
  readonly allocation: readonly AllocationResult[];
  readonly hold: readonly HoldResult[];
  readonly load: readonly LoadResult[];
  /** One result per seed; the first has its samples. */
  readonly sharing: readonly SharingResult[];
}

export type Experiment = keyof Results;

const FRAMEWORKS = 200;
const SEED = 1;
const SHARING_SEEDS = [1, 2, 3];
const SIZES = [1_000, 2_000, 5_000, 10_000, 20_000, 50_000];

/** The numbers of agents of an experiment, each run in a separate process; null: one process for all. */
export const SIZES_OF: Readonly<Record<Experiment, readonly number[] | null>> = {
  allocation: null,
  hold: [1_000, 10_000, 50_000],
  load: [1_000, 5_000, 10_000, 50_000],
  sharing: null,
};

/** Returns the results of an experiment; with sizes, the result for one number of agents. */
export function runExperiment(experiment: Experiment, agents: number): unknown {
  switch (experiment) {
    case 'allocation':
      // V8 compiles the measured code first.
      for (let i = 0; i < 10; i++) allocation(SIZES[0] as number, FRAMEWORKS);
      return SIZES.map((size) => allocation(size, FRAMEWORKS));
    case 'hold':
      return hold({ seed: SEED, agents, frameworks: FRAMEWORKS, tasksPerAgent: 10 });
    case 'load':
      return paperLoad({ seed: SEED, agents, frameworks: FRAMEWORKS, warmUpSeconds: 60, measuredSeconds: 30 });
    case 'sharing':
      return SHARING_SEEDS.map((seed): SharingResult => {
        const { samples, ...rest } = sharing({ seed, agents: 40, cpusPerAgent: 4, minutes: 40 });
        return { ...rest, samples: seed === SEED ? samples : undefined };
      });
  }
}
