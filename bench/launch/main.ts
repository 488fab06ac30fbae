// Launching through the master: suppressed frameworks revive together and launch tasks on many emulated agents, until the last
// TASK_RUNNING is acknowledged. The baseline is an echo through node:http of as many messages as the master received, of
// their mean size.

import type { Daemon } from '@meseta/cli/testing/daemons';
import { benchmark, type Scale } from '../lib/benchmark.js';
import { createBenchDaemons } from '../lib/daemons.js';
import { echoSeconds } from '../lib/echo.js';
import { type Emulator, startEmulator } from '../lib/emulator.js';
import type { Measured } from '../lib/figures.js';
import { cpuOf } from '../lib/processes.js';
import { quantile } from '../lib/statistics.js';
import { runTasks, type TaskRun } from '../lib/task-runner.js';

const TASK = { cpus: 0.1, mem: 32 };
const PER_OFFER = 10;
const CONNECTIONS = 4;
const COMMAND = 'sleep 3600';
/** Two messages each reach the master: as many as the echo is given before its clock starts. */
const WARM_UP_TASKS = 1000;

const SIZES = {
  short: { agents: 200, frameworks: 10, tasks: 4000 },
  full: { agents: 1000, frameworks: 20, tasks: 20_000 },
};

interface Launched {
  readonly seconds: number;
  readonly cpuSeconds: number;
  /** CPU of the emulated agents and of the frameworks, which run in this process. */
  readonly generatorSeconds: number;
  readonly messages: number;
  readonly bytes: number;
  readonly waited: readonly number[];
}

/** Lets V8 compile the code that is measured. */
async function warmUp({ address }: Daemon): Promise<void> {
  const { scheduler, done } = await runTasks({
    master: address,
    name: 'warm-up',
    count: WARM_UP_TASKS,
    command: COMMAND,
    resources: TASK,
    goal: 'running',
    perOffer: PER_OFFER,
    connections: CONNECTIONS,
  });
  await done;
  scheduler.close();
}

async function launch(master: Daemon, emulator: Emulator, size: (typeof SIZES)['full']): Promise<Launched> {
  await emulator.register();
  await warmUp(master);
  const runs: TaskRun[] = [];
  for (let at = 0; at < size.frameworks; at++) {
    runs.push(
      await runTasks({
        master: master.address,
        name: `framework-${at}`,
        count: size.tasks / size.frameworks,
        command: COMMAND,
        resources: TASK,
        goal: 'running',
        perOffer: PER_OFFER,
        connections: CONNECTIONS,
        suppressed: true,
      }),
    );
  }
  const generators = [process.pid, ...emulator.pids];
  const generatorCpu = (): number => generators.reduce((sum, pid) => sum + cpuOf(pid), 0);
  const before = { cpu: cpuOf(master.pid), generator: generatorCpu(), sent: await emulator.counts() };
  const begun = performance.now();
  await Promise.all(runs.map(({ scheduler }) => scheduler.call({ type: 'REVIVE' })));
  await Promise.all(runs.map(({ done }) => done));
  const seconds = (performance.now() - begun) / 1000;
  const after = { cpu: cpuOf(master.pid), generator: generatorCpu(), sent: await emulator.counts() };
  const calls = runs.map(({ scheduler }) => scheduler.sent);
  for (const { scheduler } of runs) scheduler.close();
  return {
    seconds,
    cpuSeconds: after.cpu - before.cpu,
    generatorSeconds: after.generator - before.generator,
    messages: calls.reduce((sum, it) => sum + it.calls, after.sent.messages - before.sent.messages),
    bytes: calls.reduce((sum, it) => sum + it.bytes, after.sent.bytes - before.sent.bytes),
    waited: runs.flatMap(({ acceptedMs, runningMs }) =>
      [...runningMs].map(([id, ms]) => ms - (acceptedMs.get(id) ?? 0)),
    ),
  };
}

async function run({ full }: Scale): Promise<readonly Measured[]> {
  const size = full ? SIZES.full : SIZES.short;
  const daemons = createBenchDaemons();
  let emulator: Emulator | undefined;
  try {
    const master = await daemons.master(['--registry=in_memory']);
    emulator = await startEmulator({ master: master.address, agents: size.agents });
    const { seconds, cpuSeconds, generatorSeconds, messages, bytes, waited } = await launch(master, emulator, size);
    const echo = await echoSeconds(messages, Math.round(bytes / messages), size.frameworks * CONNECTIONS);
    return [
      {
        name: 'tasks launched and acknowledged',
        unit: 'tasks/s',
        value: size.tasks / seconds,
        baseline: { name: 'an echo of the same messages', value: size.tasks / echo },
        target: { of: 'ratio', is: 'at least', limit: 0.3 },
      },
      {
        name: 'master CPU per task',
        unit: 'us',
        value: (cpuSeconds / size.tasks) * 1e6,
        target: { of: 'value', is: 'at most', limit: 200 },
      },
      { name: 'CPU of agents and frameworks per task', unit: 'us', value: (generatorSeconds / size.tasks) * 1e6 },
      { name: 'messages to the master per task', unit: 'messages', value: messages / size.tasks },
      { name: 'ACCEPT to TASK_RUNNING p50', unit: 'ms', value: quantile(waited, 0.5) },
      { name: 'ACCEPT to TASK_RUNNING p99', unit: 'ms', value: quantile(waited, 0.99) },
    ];
  } finally {
    await emulator?.stop();
    await daemons.stop();
  }
}

await benchmark('launch', run);
