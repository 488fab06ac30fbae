// The steps of a task from ACCEPT to TASK_RUNNING, observed from outside: messages between master and agent by a proxy, the
// agent's steps by the birth times of files (as exact as the kernel's file times, often 4 ms), the rest by the scheduler.
import { existsSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { formatTable } from '@meseta/cli/table';
import type { Daemons } from '@meseta/cli/testing/daemons';
import { pause } from '@meseta/platform/testing/until';
import type { LibprocessMessage } from '@meseta/wire';
import { benchmark, type Scale } from '../lib/benchmark.js';
import { createBenchDaemons } from '../lib/daemons.js';
import type { Measured } from '../lib/figures.js';
import { formatNumber, quantile } from '../lib/statistics.js';
import { openTap, type Tap } from '../lib/tap.js';
import { runTasks, type TaskRun } from '../lib/task-runner.js';

/** In the order in which a task passes them. */
const MOMENTS = [
  ['run', 'the master has sent RunTaskMessage'],
  ['sandbox', 'the sandbox is made'],
  ['plan', 'the launch plan is written'],
  ['record', 'the supervisor is forked'],
  ['begun', 'the command itself runs'],
  ['starting', 'the agent has sent TASK_STARTING'],
  ['acknowledged', 'the scheduler has acknowledged TASK_STARTING'],
  ['running', 'the agent has sent TASK_RUNNING'],
  ['heard', 'the scheduler has TASK_RUNNING'],
] as const;

type Moment = (typeof MOMENTS)[number][0];
/** Milliseconds of the wall clock. */
type Trace = Partial<Record<Moment, number>>;

const COMMAND = ': >begun; exec sleep 600';
const TASK = { cpus: 0.01, mem: 1 };

interface Bench {
  readonly daemons: Daemons;
  readonly master: string;
  readonly traces: Map<string, Trace>;
  readonly taps: readonly Tap[];
  /** The number of frameworks that have run. */
  runs: number;
}

const wall = (ms: number): number => performance.timeOrigin + ms;

async function start(): Promise<Bench> {
  const traces = new Map<string, Trace>();
  const mark = (id: string, moment: Moment, atMs: number): void => {
    const trace = traces.get(id) ?? {};
    if (trace[moment] === undefined) traces.set(id, { ...trace, [moment]: atMs });
  };
  const starting = new Set<string>();
  const heard = (message: LibprocessMessage, atMs: number): void => {
    if (message.name === 'RunTaskMessage') mark(message.body.task.task_id.value, 'run', atMs);
    if (message.name === 'StatusUpdateAcknowledgementMessage' && starting.delete(message.body.uuid)) {
      mark(message.body.task_id.value, 'acknowledged', atMs);
    }
    if (message.name !== 'StatusUpdateMessage') return;
    const { status } = message.body.update;
    if (status.state === 'TASK_STARTING' && status.uuid !== undefined) starting.add(status.uuid);
    if (status.state === 'TASK_STARTING') mark(status.task_id.value, 'starting', atMs);
    if (status.state === 'TASK_RUNNING') mark(status.task_id.value, 'running', atMs);
  };
  const daemons = createBenchDaemons();
  const [toMaster, toAgent] = [await openTap(heard), await openTap(heard)];
  const master = await daemons.master([`--advertise_port=${toMaster.port}`]);
  toMaster.target = master.address;
  const flags = [`--advertise_port=${toAgent.port}`, '--resources=cpus:64;mem:65536;disk:65536'];
  const agent = daemons.agent(`127.0.0.1:${toMaster.port}`, flags);
  toAgent.target = (await agent).address;
  return { daemons, master: master.address, traces, taps: [toMaster, toAgent], runs: 0 };
}

const below = (path: string): readonly string[] =>
  existsSync(path) ? readdirSync(path).map((it) => join(path, it)) : [];

function born(path: string): number | undefined {
  return statSync(path, { throwIfNoEntry: false })?.birthtimeMs;
}

/** The moments that files show, by task. */
function tracesOfFiles({ daemons: { directory } }: Bench): ReadonlyMap<string, Trace> {
  const traces = new Map<string, Trace>();
  const frameworks = below(join(directory, 'agent/slaves')).flatMap((agent) => below(join(agent, 'frameworks')));
  for (const executor of frameworks.flatMap((framework) => below(join(framework, 'executors')))) {
    const [run] = below(join(executor, 'runs')).filter((path) => !path.endsWith('/latest'));
    if (run === undefined) continue;
    const containerId = run.slice(run.lastIndexOf('/') + 1);
    const file = (name: string): string => join(directory, 'agent/run/containers', `${containerId}.${name}`);
    const moments: readonly [Moment, string][] = [
      ['sandbox', run],
      ['plan', file('plan')],
      ['record', file('record')],
      ['begun', join(run, 'begun')],
    ];
    const trace = Object.fromEntries(moments.map(([moment, path]) => [moment, born(path)]));
    traces.set(executor.slice(executor.lastIndexOf('/') + 1), trace);
  }
  return traces;
}

/** Milliseconds since ACCEPT, by moment, of all tasks of a run. */
function sinceAccept(bench: Bench, run: TaskRun): ReadonlyMap<Moment, readonly number[]> {
  const files = tracesOfFiles(bench);
  const times = new Map<Moment, number[]>(MOMENTS.map(([moment]) => [moment, []]));
  for (const [id, accepted] of run.acceptedMs) {
    const trace: Trace = { ...bench.traces.get(id), ...files.get(id), heard: wall(run.runningMs.get(id) ?? 0) };
    for (const [moment] of MOMENTS) {
      const at = trace[moment];
      if (at !== undefined) times.get(moment)?.push(at - wall(accepted));
    }
  }
  return times;
}

/** `atOnce` tasks with one ACCEPT, `times` times. */
async function measure(bench: Bench, atOnce: number, times: number): Promise<ReadonlyMap<Moment, number>> {
  const all = new Map<Moment, number[]>(MOMENTS.map(([moment]) => [moment, []]));
  for (let at = 0; at < times; at++) {
    const name = `t${bench.runs++}`;
    const options = { master: bench.master, name, count: atOnce, command: COMMAND, resources: TASK };
    const run = await runTasks({ ...options, goal: 'running' });
    await run.done;
    for (const [moment, values] of sinceAccept(bench, run)) all.get(moment)?.push(...values);
    await run.scheduler.call({ type: 'TEARDOWN' });
    run.scheduler.close();
    await pause(1000);
  }
  return new Map([...all].map(([moment, values]) => [moment, quantile(values, 0.5)]));
}

async function run({ full }: Scale): Promise<readonly Measured[]> {
  const bench = await start();
  try {
    await measure(bench, 20, 2);
    const cases = [
      { atOnce: 1, medians: await measure(bench, 1, full ? 20 : 8) },
      { atOnce: 20, medians: await measure(bench, 20, full ? 10 : 3) },
      { atOnce: 200, medians: await measure(bench, 200, full ? 3 : 1) },
    ];
    const value =
      (at: number) =>
      ([moment]: (typeof MOMENTS)[number]) =>
        formatNumber(Math.max(0, cases[at]?.medians.get(moment) ?? Number.NaN));
    const columns = cases.map(({ atOnce }, at) => ({
      title: `${atOnce} at once`,
      value: value(at),
      align: 'right' as const,
    }));
    const table = formatTable([{ title: 'ms since ACCEPT (p50)', value: ([, text]) => text }, ...columns], MOMENTS);
    console.log(`${table}\n`);
    return cases.map(({ atOnce, medians }) => ({
      name: `ACCEPT to TASK_RUNNING, ${atOnce} at once`,
      unit: 'ms',
      value: medians.get('heard') ?? Number.NaN,
    }));
  } finally {
    await bench.daemons.stop();
    for (const tap of bench.taps) tap.close();
  }
}

await benchmark('launch-path', run);
