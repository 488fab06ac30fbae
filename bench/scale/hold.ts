// Experiment `hold`: a cluster is filled with tasks that stay, its leading master dies, another takes over.
// Virtual: what launching and recovery take. Real: the master's CPU a task, and bytes an agent and a task.
//
// HOLD-1: every task runs in exactly one container, before and after the failover; none is lost, none started anew.
// HOLD-2: the new master knows of every agent and every task.
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
  /** Of the whole simulation: master, agent, its machine and disk, the scheduler's memory. */
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

/** Launches until it has `wanted` tasks, which stay. */
function holder(cluster: ScaleCluster, name: string, wanted: number, launches: Launches): SchedulerClient {
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

/** More would cost time and give the same figure. */
const AGENTS_WEIGHED = 5_000;

/** Of agents that run nothing, and of the master's part of them. */
function weighAgents({ seed, agents, tasksPerAgent }: HoldOptions): number {
  const emptyBytes = heapUsed();
  const cluster = createScaleCluster({ seed, masters: 2 });
  cluster.addAgents(Math.min(agents, AGENTS_WEIGHED), sizeFor(tasksPerAgent));
  assert(
    runUntil(cluster.world, 1_000, 60_000, () => allRegistered(cluster)),
    'not all agents registered',
  );
  return (heapUsed() - emptyBytes) / cluster.agents.length;
}

export function hold(options: HoldOptions): HoldResult {
  const { seed, agents, tasksPerAgent } = options;
  const bytesPerAgent = weighAgents(options);
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

/** The frameworks are there before the agents, so that these are shared out as they come. */
function fill(cluster: ScaleCluster, { agents, frameworks, tasksPerAgent }: HoldOptions, stopwatch: Stopwatch) {
  const { world } = cluster;
  const tasks = agents * tasksPerAgent;
  const launches: Launches = { running: 0, launchMs: [] };
  for (let i = 0; i < frameworks; i++) {
    const wanted = Math.floor(((i + 1) * tasks) / frameworks) - Math.floor((i * tasks) / frameworks);
    holder(cluster, `holder-${i}`, wanted, launches);
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
  // The last acknowledgements.
  world.timeline.runUntil(world.timeline.nowMs() + 2_000);
  checkHeld(cluster, tasks, launches);
  return { figures, realSeconds: rounded((performance.now() - realMs) / 1000) };
}

/** HOLD-1, HOLD-2. */
function checkHeld({ agents, masters }: ScaleCluster, tasks: number, launches?: Launches): void {
  const state = masters.leader()?.core.state;
  assert(containersRunning(agents) === tasks, `${containersRunning(agents)} containers run, expected ${tasks}`);
  assert(state?.taskCounts.get('TASK_RUNNING') === tasks, `the master knows other tasks than the ${tasks} that run`);
  assert(launches === undefined || launches.running === tasks, `${launches?.running} tasks were told to be running`);
}

function failOver(cluster: ScaleCluster, stopwatch: Stopwatch, options: HoldOptions) {
  const { agents, frameworks, tasksPerAgent } = options;
  const { world, masters } = cluster;
  const old = masters.leader()?.machine;
  assert(old !== undefined, 'nobody leads');
  const startMs = world.timeline.nowMs();
  const realMs = performance.now();
  stopwatch.reset();
  masters.crash(masters.machines.indexOf(old), 'reset', 3_600_000);
  const seconds = (): number => (world.timeline.nowMs() - startMs) / 1000;
  const curve: [number, number][] = [[0, 0]];
  const seen: { elected?: number; half?: number; agents?: number; frameworks?: number } = {};
  const look = (): boolean => {
    const state = masters.leader()?.core.state;
    if (state?.recovered === true) seen.elected ??= seconds();
    const share = state === undefined ? 0 : registered(state) / agents;
    curve.push([seconds(), rounded(share)]);
    if (share >= 0.5) seen.half ??= seconds();
    if (share === 1 && state?.taskCounts.get('TASK_RUNNING') === agents * tasksPerAgent) seen.agents ??= seconds();
    const active = [...(state?.frameworks.values() ?? [])].filter(({ status }) => status === 'active').length;
    if (active === frameworks) seen.frameworks ??= seconds();
    return seen.agents !== undefined && seen.frameworks !== undefined;
  };
  assert(runUntil(world, 250, 300_000, look), `not everybody came back: ${JSON.stringify(seen)}`);
  world.timeline.runUntil(world.timeline.nowMs() + 2_000);
  checkHeld(cluster, agents * tasksPerAgent);
  const failover: Failover = {
    electedSeconds: seen.elected ?? Number.NaN,
    halfOfAgentsSeconds: seen.half ?? Number.NaN,
    allAgentsSeconds: seen.agents ?? Number.NaN,
    allFrameworksSeconds: seen.frameworks ?? Number.NaN,
    masterCpuSeconds: rounded(stopwatch.totalMs() / 1000),
    cpuMicrosPerAgent: rounded((stopwatch.totalMs() * 1000) / agents),
    curve,
  };
  return { failover, realSeconds: rounded((performance.now() - realMs) / 1000) };
}
