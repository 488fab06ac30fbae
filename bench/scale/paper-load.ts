// Experiment `load`: the load of Mesos' paper (NSDI'11, section 6.5). Many frameworks launch a task on each agent that they are
// offered, at most two per agent, each for 30 s on average (standard deviation 10 s). Once the number of running tasks is
// steady, a new framework subscribes each second, runs a single task of 10 s and leaves. Measured is its overhead: the time
// from its subscription to TASK_FINISHED beyond those 10 s, which the paper plots over the number of agents; also the time
// from ACCEPT to TASK_RUNNING and the CPU of the master's core per task.
//
// PAPER-LOAD-1: no agent ever runs more than two tasks, and schedulers and machines agree on the number of running tasks.
import { assert, type Random, uniform } from '@meseta/base';
import { between } from '@meseta/simulator/engine/chance';
import { checkAccounting, containersRunning, createScaleCluster, runUntil, type ScaleCluster } from './cluster.js';
import { rounded, type Spread, spreadOf } from './figures.js';
import { type Cost, startStopwatch } from './stopwatch.js';
import { decline, tasksWithin } from './tasks.js';

export interface LoadOptions {
  readonly seed: number;
  readonly agents: number;
  readonly frameworks: number;
  readonly warmUpSeconds: number;
  readonly measuredSeconds: number;
}

export interface LoadResult extends LoadOptions {
  readonly launched: number;
  readonly launchedPerSecond: number;
  /** The mean share of the agents' task slots in use. */
  readonly busy: number;
  /** From ACCEPT until the framework receives TASK_RUNNING. */
  readonly launchMs: Spread;
  /** The single task's framework: from its subscription to TASK_FINISHED, without the task's 10 s. */
  readonly overheadMs: Spread;
  readonly cpuMicrosPerTask: number;
  readonly steps: Readonly<Record<string, Cost>>;
  readonly realSeconds: number;
}

const SHAPE = { cpus: 1, mem: 256 };
const TASKS_PER_AGENT = 2;
const PROBE_TASK_MS = 10_000;

/** Approximately normal: the sum of twelve uniform draws. */
function durationMs(random: Random): number {
  let sum = -6;
  for (let i = 0; i < 12; i++) sum += uniform(random);
  return Math.max(1_000, Math.round(30_000 + 10_000 * sum));
}

interface Counts {
  launched: number;
  running: number;
  readonly launchMs: number[];
}

/** A framework of the load. */
function startLauncher(cluster: ScaleCluster, name: string, counts: Counts): void {
  const { timeline } = cluster.world;
  cluster.framework(name, {
    offers(client, offers) {
      for (const offer of offers) {
        const tasks = tasksWithin(client, offer, SHAPE, 1, () => `run ${durationMs(client.random)}`);
        counts.launched += tasks.length;
        if (tasks.length > 0) client.launch([offer], tasks);
        else decline(client, [offer], 5);
      }
    },
    updated({ memory }, task, { state }) {
      if (state === 'TASK_RUNNING') {
        counts.running++;
        counts.launchMs.push(timeline.nowMs() - task.launchedAtMs);
      } else if (state === 'TASK_FINISHED') {
        counts.running--;
        memory.tasks.delete(task.id);
      }
    },
  });
}

/** A framework that runs a single task and leaves; adds its overhead to the list. */
function startProbe(cluster: ScaleCluster, name: string, overheadMs: number[]): void {
  const { timeline } = cluster.world;
  let startMs = 0;
  let missing = 1;
  cluster.framework(name, {
    subscribed() {
      startMs = timeline.nowMs();
    },
    offers(client, offers) {
      for (const offer of offers) {
        const tasks = tasksWithin(client, offer, SHAPE, missing, () => `run ${PROBE_TASK_MS}`);
        missing -= tasks.length;
        if (tasks.length > 0) client.launch([offer], tasks);
        else decline(client, [offer], 5);
      }
      if (missing === 0) client.call({ type: 'SUPPRESS' });
    },
    updated(client, _task, { state }) {
      if (state !== 'TASK_FINISHED') return;
      overheadMs.push(timeline.nowMs() - startMs - PROBE_TASK_MS);
      // After the acknowledgement of this update.
      timeline.after(100, () => {
        client.call({ type: 'TEARDOWN' });
        timeline.after(1_000, () => client.kill());
      });
    },
  });
}

export function paperLoad(options: LoadOptions): LoadResult {
  const { seed, agents, frameworks, warmUpSeconds, measuredSeconds } = options;
  const realMs = performance.now();
  const size = { cpus: TASKS_PER_AGENT * SHAPE.cpus, mem: TASKS_PER_AGENT * SHAPE.mem, disk: 1_024 };
  const cluster = createScaleCluster({ seed, masters: 1 });
  cluster.addAgents(agents, size);
  const { world } = cluster;
  const stopwatch = startStopwatch(world);
  const counts: Counts = { launched: 0, running: 0, launchMs: [] };
  world.timeline.runUntil(6_000);
  for (let i = 0; i < frameworks; i++) startLauncher(cluster, `launcher-${i}`, counts);
  world.timeline.runUntil(world.timeline.nowMs() + warmUpSeconds * 1000);

  stopwatch.reset();
  counts.launchMs.length = 0;
  counts.launched = 0;
  const overheadMs: number[] = [];
  const random = world.random('probes');
  const startMs = world.timeline.nowMs();
  for (let second = 0; second < measuredSeconds; second++) {
    const atMs = startMs + 1000 * (second + between(random, 0, 1));
    world.timeline.at(atMs, () => startProbe(cluster, `probe-${second}`, overheadMs));
  }
  let busy = 0;
  for (let second = 0; second < measuredSeconds; second++) {
    world.timeline.runUntil(world.timeline.nowMs() + 1_000);
    busy += counts.running / (agents * TASKS_PER_AGENT * measuredSeconds);
  }
  const { launched } = counts;
  const launchMs = spreadOf(counts.launchMs);
  const steps = stopwatch.costs();
  const cpuMicrosPerTask = rounded((stopwatch.totalMs() * 1000) / launched);
  const allEnded = runUntil(world, 1_000, 120_000, () => overheadMs.length === measuredSeconds);
  assert(allEnded, `${measuredSeconds - overheadMs.length} single tasks did not end`);
  checkLoad(cluster, counts);
  return {
    ...options,
    launched,
    launchedPerSecond: rounded(launched / measuredSeconds),
    busy: rounded(busy),
    launchMs,
    overheadMs: spreadOf(overheadMs),
    cpuMicrosPerTask,
    steps,
    realSeconds: rounded((performance.now() - realMs) / 1000),
  };
}

/** PAPER-LOAD-1. */
function checkLoad(cluster: ScaleCluster, counts: Counts): void {
  checkAccounting(cluster);
  for (const { name, containers } of cluster.agents) {
    const running = [...containers.all.values()].filter(({ state }) => state === 'running').length;
    assert(running <= TASKS_PER_AGENT, `${name} runs ${running} tasks`);
  }
  // Updates in flight are known to one side only.
  const difference = Math.abs(containersRunning(cluster.agents) - counts.running);
  assert(difference <= 2 + cluster.agents.length / 20, `schedulers and machines differ by ${difference} running tasks`);
}
