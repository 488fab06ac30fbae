// The four kinds of workload of the experiment `sharing`, as data: the same on the shared cluster and on its quarters.
import { type Random, uniform } from '@meseta/base';
import type { TaskShape } from './tasks.js';

/** A job: all of its tasks can run from its arrival on. */
export interface Job {
  readonly arrivesMs: number;
  readonly tasks: number;
  /** The mean duration of a task; each takes between half and one and a half of it. */
  readonly taskMs: number;
}

export type Workload = {
  readonly name: string;
  readonly shape: TaskShape;
} & (
  | { readonly kind: 'jobs'; readonly jobs: readonly Job[] }
  /** The next job arrives when the last has ended; there is always one. */
  | { readonly kind: 'elastic'; readonly job: Omit<Job, 'arrivesMs'> }
  /** The number of wanted instances, from each time on. */
  | { readonly kind: 'service'; readonly wanted: readonly (readonly [fromMs: number, instances: number])[] }
);

/** Every task has one cpu, so that fragmentation plays no part; see docs/scale.md. */
const CPU = { cpus: 1, mem: 2_048 };

/** Jobs at irregular times, one in each slot of `everyMs`. */
function jobsEvery(random: Random, everyMs: number, untilMs: number, job: Omit<Job, 'arrivesMs'>): readonly Job[] {
  return Array.from({ length: Math.floor(untilMs / everyMs) }, (_, slot) => ({
    ...job,
    arrivesMs: Math.round(slot * everyMs + (everyMs / 2) * uniform(random)),
  }));
}

/** Between `low` and `high` and back, twice, in steps of a minute. */
function waves(low: number, high: number, untilMs: number): readonly (readonly [number, number])[] {
  return Array.from({ length: Math.ceil(untilMs / 60_000) }, (_, minute) => {
    const phase = ((minute * 60_000 * 2) / untilMs) % 1;
    return [minute * 60_000, Math.round(low + (high - low) * (1 - Math.abs(2 * phase - 1)))];
  });
}

/** For a cluster of `cpus`: without the elastic workload, their demand is mostly below the cluster's size. */
export function fourWorkloads(random: Random, cpus: number, untilMs: number): readonly Workload[] {
  const quarter = cpus / 4;
  const part = (share: number): number => Math.max(1, Math.round(quarter * share));
  return [
    { name: 'service', shape: CPU, kind: 'service', wanted: waves(part(0.2), part(1.5), untilMs) },
    {
      name: 'large-jobs',
      shape: CPU,
      kind: 'jobs',
      jobs: jobsEvery(random, 480_000, untilMs, { tasks: part(3), taskMs: 60_000 }),
    },
    {
      name: 'small-jobs',
      shape: CPU,
      kind: 'jobs',
      jobs: jobsEvery(random, 20_000, untilMs, { tasks: part(0.4), taskMs: 15_000 }),
    },
    { name: 'elastic', shape: CPU, kind: 'elastic', job: { tasks: part(20), taskMs: 20_000 } },
  ];
}
