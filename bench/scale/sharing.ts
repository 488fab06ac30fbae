// Experiment `sharing`: the gain of sharing a cluster. Four kinds of workload run together on the whole cluster; the baseline
// is each of them alone on a quarter of it (static partitioning). The same jobs arrive at the same times in both. Compared are
// the mean time of a job, the share of a service's instances that run, and the cpus in use.
//
// SHARING-1: never more cpus are in use than the cluster has.
// SHARING-2: no workload starves on the shared cluster: every job that arrived ends.
import { assert } from '@meseta/base';
import { streamOf } from '@meseta/simulator/engine/chance';
import { checkAccounting, createScaleCluster, runUntil } from './cluster.js';
import { type Driver, startWorkload } from './drivers.js';
import { mean, rounded } from './figures.js';
import { fourWorkloads, type Workload } from './workloads.js';

export interface SharingOptions {
  readonly seed: number;
  /** The number of agents of the whole cluster; a multiple of four. */
  readonly agents: number;
  readonly cpusPerAgent: number;
  readonly minutes: number;
}

/** The cpus in use and wanted at one time, by workload in the order of `workloads`. */
export interface Sample {
  readonly seconds: number;
  readonly running: readonly number[];
  readonly wanted: readonly number[];
}

export interface Both<T> {
  readonly static: T;
  readonly shared: T;
}

export interface WorkloadResult {
  readonly name: string;
  readonly jobsEnded: Both<number>;
  /** Mean seconds of a job; undefined for the service. */
  readonly jobSeconds?: Both<number>;
  /** The share of the wanted instances that ran; only for the service. */
  readonly served?: Both<number>;
  /** Shared over static: the ratio of the mean job times, or of the served shares for the service. */
  readonly speedUp: number;
}

export interface SharingResult extends SharingOptions {
  readonly workloads: readonly WorkloadResult[];
  /** Mean share of all cpus in use. */
  readonly utilisation: Both<number>;
  /** Stored for one seed only, which the plots show. */
  readonly samples?: Both<readonly Sample[]> | undefined;
}

const SAMPLE_MS = 5_000;
const START_MS = 6_000;

/** Jobs that arrived during the measurement may end this much later; the load continues meanwhile. */
const OVERTIME_MS = 3_600_000;

interface Run {
  /** By workload: of every job that arrived; of the elastic workload, of those that ended during the measurement. */
  readonly jobSeconds: readonly (readonly number[])[];
  readonly samples: readonly Sample[];
}

function runOn(options: SharingOptions, agents: number, workloads: readonly Workload[]): Run {
  const { seed, cpusPerAgent, minutes } = options;
  const size = { cpus: cpusPerAgent, mem: 4_096 * cpusPerAgent, disk: 10_240 };
  const cluster = createScaleCluster({ seed, masters: 1 });
  cluster.addAgents(agents, size);
  const { timeline } = cluster.world;
  timeline.runUntil(START_MS - 2_000);
  const drivers = workloads.map((workload) => startWorkload(cluster, START_MS, workload));
  const samples: Sample[] = [];
  for (let ms = 0; ms <= minutes * 60_000; ms += SAMPLE_MS) {
    timeline.runUntil(START_MS + ms);
    const running = drivers.map((driver) => driver.running());
    const used = running.reduce((sum, count) => sum + count, 0);
    assert(used <= agents * cpusPerAgent, `${used} cpus are in use, there are ${agents * cpusPerAgent}`);
    samples.push({ seconds: ms / 1000, running, wanted: drivers.map((driver) => driver.wanted()) });
  }
  const jobSeconds = drivers.map((driver) => driver.jobSeconds.slice());
  const expected = workloads.map((workload) => (workload.kind === 'jobs' ? workload.jobs.length : 0));
  const allEnded = (): boolean => drivers.every((driver, index) => driver.jobSeconds.length >= (expected[index] ?? 0));
  assert(runUntil(cluster.world, SAMPLE_MS, OVERTIME_MS, allEnded), 'not every job ended');
  checkAccounting(cluster);
  return {
    jobSeconds: jobSeconds.map((seconds, index) => (expected[index] ? (drivers[index] as Driver).jobSeconds : seconds)),
    samples,
  };
}

/** The mean number of cpus in use. */
const used = (samples: readonly Sample[]): number =>
  mean(samples.map(({ running }) => running.reduce((sum, count) => sum + count, 0)));

/** The share of the wanted instances that ran, over all samples. */
function served(samples: readonly Sample[], index: number): number {
  let wanted = 0;
  let ran = 0;
  for (const sample of samples) {
    wanted += sample.wanted[index] ?? 0;
    ran += Math.min(sample.running[index] ?? 0, sample.wanted[index] ?? 0);
  }
  return ran / wanted;
}

function compare(workload: Workload, index: number, alone: Run, shared: Run): WorkloadResult {
  const { name } = workload;
  const [before, after] = [alone.jobSeconds[0] ?? [], shared.jobSeconds[index] ?? []];
  const jobsEnded = { static: before.length, shared: after.length };
  if (workload.kind === 'service') {
    const shares = { static: served(alone.samples, 0), shared: served(shared.samples, index) };
    const shown = { static: rounded(shares.static), shared: rounded(shares.shared) };
    return { name, jobsEnded, served: shown, speedUp: rounded(shares.shared / shares.static) };
  }
  const seconds = { static: mean(before), shared: mean(after) };
  const shown = { static: rounded(seconds.static), shared: rounded(seconds.shared) };
  return { name, jobsEnded, jobSeconds: shown, speedUp: rounded(seconds.static / seconds.shared) };
}

export function sharing(options: SharingOptions): SharingResult {
  const { seed, agents, cpusPerAgent, minutes } = options;
  const cpus = agents * cpusPerAgent;
  const workloads = fourWorkloads(streamOf(seed, 'workloads'), cpus, minutes * 60_000);
  const quarters = workloads.map((workload) => runOn(options, agents / 4, [workload]));
  const whole = runOn(options, agents, workloads);
  const [first] = quarters as [Run];
  const samples = first.samples.map(
    ({ seconds }, at): Sample => ({
      seconds,
      running: quarters.map((quarter) => quarter.samples[at]?.running[0] ?? 0),
      wanted: quarters.map((quarter) => quarter.samples[at]?.wanted[0] ?? 0),
    }),
  );
  return {
    ...options,
    workloads: workloads.map((workload, index) => compare(workload, index, quarters[index] ?? first, whole)),
    utilisation: { static: rounded(used(samples) / cpus), shared: rounded(used(whole.samples) / cpus) },
    samples: { static: samples, shared: whole.samples },
  };
}

/** The speed-ups of one workload, by seed. */
export const speedUps = (results: readonly SharingResult[], index: number): readonly number[] =>
  results.map(({ workloads }) => workloads[index]?.speedUp ?? Number.NaN);
