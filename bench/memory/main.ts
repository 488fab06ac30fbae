// The memory of a master: its RSS without agents, with agents and with their tasks, each after an idle period; and the delay of
// its event loop while tasks are launched and end.

import type { Daemon } from '@meseta/cli/testing/daemons';
import { pause } from '@meseta/platform/testing/until';
import { benchmark, type Scale } from '../lib/benchmark.js';
import { createBenchDaemons } from '../lib/daemons.js';
import { type Emulator, ENDING_COMMAND, startEmulator } from '../lib/emulator.js';
import type { Measured } from '../lib/figures.js';
import { probeHealth } from '../lib/health.js';
import { probeLoopDelay } from '../lib/loop-delay.js';
import { memoryOf } from '../lib/processes.js';
import { runTasks } from '../lib/task-runner.js';

const TASKS_PER_AGENT = 10;
/** V8 returns memory about half a minute after the last work. */
const SETTLE_MS = 30_000;
/** The targets are in units of 1,000 bytes. */
const KB = 1.024;

async function rssAfterIdle(master: Daemon): Promise<number> {
  await pause(SETTLE_MS);
  return memoryOf(master.pid).rss;
}

/** The master's RSS in KB. */
interface Sizes {
  readonly empty: number;
  readonly withAgents: number;
  readonly withTasks: number;
}

async function sizesWith(agents: number): Promise<Sizes> {
  const daemons = createBenchDaemons();
  let emulator: Emulator | undefined;
  try {
    const master = await daemons.master(['--registry=in_memory']);
    const empty = await rssAfterIdle(master);
    // Four to an address: the sockets of ten thousand addresses are more than many a limit allows.
    emulator = await startEmulator({ master: master.address, agents, perAddress: 4 });
    await emulator.register();
    const withAgents = await rssAfterIdle(master);
    const run = await runTasks({
      master: master.address,
      name: 'memory',
      count: agents * TASKS_PER_AGENT,
      command: 'sleep 3600',
      resources: { cpus: 0.1, mem: 32 },
      goal: 'running',
      perOffer: TASKS_PER_AGENT,
    });
    await run.done;
    const withTasks = await rssAfterIdle(master);
    run.scheduler.close();
    return { empty, withAgents, withTasks };
  } finally {
    await emulator?.stop();
    await daemons.stop();
  }
}

/** The delay of the event loop and of /health while tasks are launched and end. */
async function churn(agents: number, tasks: number): Promise<readonly Measured[]> {
  const daemons = createBenchDaemons();
  let emulator: Emulator | undefined;
  try {
    const master = await daemons.master(['--registry=in_memory']);
    emulator = await startEmulator({ master: master.address, agents, perAddress: 4 });
    await emulator.register();
    const health = probeHealth(master.address);
    const loop = probeLoopDelay(master.address);
    const run = await runTasks({
      master: master.address,
      name: 'churn',
      count: tasks,
      command: ENDING_COMMAND,
      resources: { cpus: 0.1, mem: 32 },
      goal: 'finished',
      perOffer: TASKS_PER_AGENT,
      connections: 8,
    });
    await run.done;
    run.scheduler.close();
    const delay = await loop.stop();
    return [
      { name: `event loop delay p50 while ${tasks} tasks are launched and end`, unit: 'ms', value: delay.p50 },
      { name: `event loop delay p99 while ${tasks} tasks are launched and end`, unit: 'ms', value: delay.p99 },
      { name: `/health p99 while ${tasks} tasks are launched and end`, unit: 'ms', value: health.stop().p99 },
    ];
  } finally {
    await emulator?.stop();
    await daemons.stop();
  }
}

async function run({ full }: Scale): Promise<readonly Measured[]> {
  const [few, many] = full ? [1000, 10_000] : [500, 2000];
  const small = await sizesWith(few);
  const large = await sizesWith(many);
  // Differences between the larger and the smaller cluster, so that fixed costs (compiled code, buffers) do not count.
  const agent = ((large.withAgents - small.withAgents) * KB) / (many - few);
  const tasks = (many - few) * TASKS_PER_AGENT;
  const task = ((large.withTasks - large.withAgents - (small.withTasks - small.withAgents)) * KB) / tasks;
  return [
    { name: 'memory per agent', unit: 'KB', value: agent, target: { of: 'value', is: 'at most', limit: 10 } },
    { name: 'memory per task', unit: 'KB', value: task, target: { of: 'value', is: 'at most', limit: 2 } },
    { name: 'master RSS, empty', unit: 'MB', value: large.empty / 1024 },
    { name: `master RSS, ${few} agents x ${TASKS_PER_AGENT} tasks`, unit: 'MB', value: small.withTasks / 1024 },
    { name: `master RSS, ${many} agents x ${TASKS_PER_AGENT} tasks`, unit: 'MB', value: large.withTasks / 1024 },
    ...(await churn(full ? 1000 : 200, full ? 500_000 : 20_000)),
  ];
}

// One run of the full size takes half an hour.
await benchmark('memory', run, 1);
