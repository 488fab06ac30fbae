// Experiment `hold`: a cluster is filled with tasks that keep running; then its leading master ends and another takes over.
// Measured in virtual time: how long the launches take, and the recovery after the failover. Measured in real time: the CPU of
// the master's core per task and per agent, and the memory per agent and task. The cluster sizes are compared with each other;
// there is no other baseline.
//
// HOLD-1: every task runs in exactly one container, before and after the failover; none is lost, none is started again.
// HOLD-2: the new master has every agent and every task.
import { assert } from '@meseta/base';
import type { MasterState } from '@meseta/master/core/state';
import type { AgentSize } from '@meseta/simulator/nodes/agent-size';
import type { SchedulerClient } from '@meseta/simulator/nodes/scheduler';
import type { Offer } from '@meseta/wire';
import { checkAccounting, containersRunning, createScaleCluster, runUntil, type ScaleCluster } from './cluster.js';
import { heapUsed, rounded, type Spread, spreadOf } from './figures.js';
import { type Cost, type Stopwatch, startStopwatch } from './stopwatch.js';
import { decline, tasksWithin } from './tasks.js';

export interface HoldOptions {
  readonly seed: number;
  readonly agents: number;
  readonly frameworks: number;
  readonly tasksPerAgent: number;
}

export interface HoldResult extends HoldOptions {
  readonly tasks: number;
  readonly fillSeconds: number;
  readonly launchMs: Spread;
  readonly cpuMicrosPerTask: number;
  readonly steps: Readonly<Record<string, Cost>>;
  /** Memory of the whole simulation: master, agent, its machine and disk, the scheduler's memory. */
  readonly bytesPerAgent: number;
  readonly bytesPerTask: number;
  readonly heapBytes: number;
  readonly failover: Failover;
  readonly realSeconds: { readonly fill: number; readonly failover: number };
}

/** Seconds of virtual time since the old master's end. */
export interface Failover {
  readonly electedSeconds: number;
  readonly halfOfAgentsSeconds: number;
  readonly allAgentsSeconds: number;
  readonly allFrameworksSeconds: number;
  readonly masterCpuSeconds: number;
  readonly cpuMicrosPerAgent: number;
  readonly curve: readonly (readonly [seconds: number, share: number])[];
}

interface Launches {
  running: number;
  readonly launchMs: number[];
}

const SHAPE = { cpus: 1, mem: 256 };

/** A framework that launches `wanted` tasks, which keep running. */
function startHolder(cluster: ScaleCluster, name: string, wanted: number, launches: Launches): SchedulerClient {
  let missing = wanted;
  return cluster.framework(name, {
    offers(client, offers) {
      const unused: Offer[] = [];
      for (const offer of offers) {
        const tasks = tasksWithin(client, offer, SHAPE, missing, () => '');
        missing -= tasks.length;
        if (tasks.length > 0) client.launch([offer], tasks);
        else unused.push(offer);
      }
      decline(client, unused, 600);
      if (missing === 0) client.call({ type: 'SUPPRESS' });
    },
    updated(_client, task, { state }) {
      if (state !== 'TASK_RUNNING') return;
      launches.running++;
      launches.launchMs.push(cluster.world.timeline.nowMs() - task.launchedAtMs);
    },
  });
}

const registered = (state: MasterState | undefined): number => state?.agents.registered.size ?? 0;

const sizeFor = (tasks: number): AgentSize => ({ cpus: tasks * SHAPE.cpus, mem: tasks * SHAPE.mem, disk: 10_240 });

const allRegistered = ({ masters, agents }: ScaleCluster): boolean =>
  registered(masters.leader()?.core.state) === agents.length;

/** The memory per agent is measured with at most this many: more take time and give the same figure. */
const MAX_MEASURED_AGENTS = 5_000;

/** Bytes per agent without tasks, including what the master keeps of it. */
function bytesPerIdleAgent({ seed, agents, tasksPerAgent }: HoldOptions): number {
  const emptyBytes = heapUsed();
  const cluster = createScaleCluster({ seed, masters: 2 });
  cluster.addAgents(Math.min(agents, MAX_MEASURED_AGENTS), sizeFor(tasksPerAgent));
  assert(
    runUntil(cluster.world, 1_000, 60_000, () => allRegistered(cluster)),
    'not all agents registered',
  );
  return (heapUsed() - emptyBytes) / cluster.agents.length;
}

export function hold(options: HoldOptions): HoldResult {
  const { seed, agents, tasksPerAgent } = options;
  const bytesPerAgent = bytesPerIdleAgent(options);
  const emptyBytes = heapUsed();
  const cluster = createScaleCluster({ seed, masters: 2 });
  const stopwatch = startStopwatch(cluster.world);
  const filled = fill(cluster, options, stopwatch);
  checkAccounting(cluster);
  const fullBytes = heapUsed() - emptyBytes;
  const { failover, realSeconds } = failOver(cluster, stopwatch, options);
  checkAccounting(cluster);
  const tasks = agents * tasksPerAgent;
  return {
    ...options,
    tasks,
    ...filled.figures,
    bytesPerAgent: Math.round(bytesPerAgent),
    bytesPerTask: Math.round((fullBytes - bytesPerAgent * agents) / tasks),
    heapBytes: fullBytes,
    failover,
    realSeconds: { fill: filled.realSeconds, failover: realSeconds },
  };
}

/** Frameworks subscribe before the agents register, so that agents are offered to all of them. */
function fill(cluster: ScaleCluster, { agents, frameworks, tasksPerAgent }: HoldOptions, stopwatch: Stopwatch) {
  const { world } = cluster;
  const tasks = agents * tasksPerAgent;
  const launches: Launches = { running: 0, launchMs: [] };
  for (let i = 0; i < frameworks; i++) {
    const wanted = Math.floor(((i + 1) * tasks) / frameworks) - Math.floor((i * tasks) / frameworks);
    startHolder(cluster, `holder-${i}`, wanted, launches);
  }
  world.timeline.runUntil(5_000);
  stopwatch.reset();
  const startMs = world.timeline.nowMs();
  const realMs = performance.now();
  cluster.addAgents(agents, sizeFor(tasksPerAgent));
  assert(
    runUntil(world, 250, 300_000, () => launches.running >= tasks),
    `${launches.running} of ${tasks} tasks run`,
  );
  const fillSeconds = rounded((world.timeline.nowMs() - startMs) / 1000);
  const figures = {
    fillSeconds,
    launchMs: spreadOf(launches.launchMs),
    cpuMicrosPerTask: rounded((stopwatch.totalMs() * 1000) / tasks),
    steps: stopwatch.costs(),
  };
  launches.launchMs.length = 0;
  // The last acknowledgements arrive.
  world.timeline.runUntil(world.timeline.nowMs() + 2_000);
  checkTasks(cluster, tasks, launches);
  return { figures, realSeconds: rounded((performance.now() - realMs) / 1000) };
}

/** HOLD-1, HOLD-2. */
function checkTasks({ agents, masters }: ScaleCluster, tasks: number, launches?: Launches): void {
  const state = masters.leader()?.core.state;
  assert(containersRunning(agents) === tasks, `${containersRunning(agents)} containers run, expected ${tasks}`);
  assert(state?.taskCounts.get('TASK_RUNNING') === tasks, `the master does not have the ${tasks} tasks that run`);
  assert(launches === undefined || launches.running === tasks, `${launches?.running} tasks were reported as running`);
}

function failOver(cluster: ScaleCluster, stopwatch: Stopwatch, options: HoldOptions) {
  const { agents, frameworks, tasksPerAgent } = options;
  const { world, masters } = cluster;
  const old = masters.leader()?.machine;
  assert(old !== undefined, 'no master leads');
  const startMs = world.timeline.nowMs();
  const realMs = performance.now();
  stopwatch.reset();
  masters.crash(masters.machines.indexOf(old), 'reset', 3_600_000);
  const seconds = (): number => (world.timeline.nowMs() - startMs) / 1000;
  const curve: [number, number][] = [[0, 0]];
  const reachedSeconds: { elected?: number; half?: number; agents?: number; frameworks?: number } = {};
  const hasRecovered = (): boolean => {
    const state = masters.leader()?.core.state;
    if (state?.recovered === true) reachedSeconds.elected ??= seconds();
    const share = state === undefined ? 0 : registered(state) / agents;
    curve.push([seconds(), rounded(share)]);
    if (share >= 0.5) reachedSeconds.half ??= seconds();
    if (share === 1 && state?.taskCounts.get('TASK_RUNNING') === agents * tasksPerAgent)
      reachedSeconds.agents ??= seconds();
    const active = [...(state?.frameworks.values() ?? [])].filter(({ status }) => status === 'active').length;
    if (active === frameworks) reachedSeconds.frameworks ??= seconds();
    return reachedSeconds.agents !== undefined && reachedSeconds.frameworks !== undefined;
  };
  assert(runUntil(world, 250, 300_000, hasRecovered), `the cluster did not recover: ${JSON.stringify(reachedSeconds)}`);
  world.timeline.runUntil(world.timeline.nowMs() + 2_000);
  checkTasks(cluster, agents * tasksPerAgent);
  const failover: Failover = {
    electedSeconds: reachedSeconds.elected ?? Number.NaN,
    halfOfAgentsSeconds: reachedSeconds.half ?? Number.NaN,
    allAgentsSeconds: reachedSeconds.agents ?? Number.NaN,
    allFrameworksSeconds: reachedSeconds.frameworks ?? Number.NaN,
    masterCpuSeconds: rounded(stopwatch.totalMs() / 1000),
    cpuMicrosPerAgent: rounded((stopwatch.totalMs() * 1000) / agents),
    curve,
  };
  return { failover, realSeconds: rounded((performance.now() - realMs) / 1000) };
}
