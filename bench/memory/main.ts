// What agents and their tasks cost the master in memory: its RSS empty, with the agents, and with their tasks, after a while of
// quiet; and how late its event loop answers while tasks come and go.
import { benchmark, type Scale } from '../lib/benchmark.js';
import { createDaemons, type Daemon, pause } from '../lib/daemons.js';
import { type Emulator, startEmulator } from '../lib/emulator.js';
import type { Measured } from '../lib/figures.js';
import { probeHealth } from '../lib/health.js';
import { memoryOf } from '../lib/processes.js';
import { runTasks } from '../lib/task-runner.js';

const TASKS_PER_AGENT = 10;
const SETTLE_MS = 4000;
/** The aims speak of thousands and of bytes. */
const KB = 1.024;

async function settled(master: Daemon): Promise<number> {
  await pause(SETTLE_MS);
  return memoryOf(master.pid).rss;
}

/** Kilobytes an agent and a task. */
async function grow(agents: number): Promise<{ readonly agent: number; readonly task: number; readonly rss: number }> {
  const daemons = createDaemons();
  let emulator: Emulator | undefined;
  try {
    const master = await daemons.master(['--registry=in_memory']);
    const empty = await settled(master);
    // Four to an address: the sockets of ten thousand addresses are more than many a limit allows.
    emulator = await startEmulator({ master: master.address, agents, perAddress: 4 });
    await emulator.register();
    const withAgents = await settled(master);
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
    const withTasks = await settled(master);
    run.scheduler.close();
    return {
      agent: ((withAgents - empty) * KB) / agents,
      task: ((withTasks - withAgents) * KB) / (agents * TASKS_PER_AGENT),
      rss: withTasks,
    };
  } finally {
    await emulator?.stop();
    await daemons.stop();
  }
}

/** /health while tasks are launched and end. */
async function churn(agents: number, tasks: number): Promise<Measured> {
  const daemons = createDaemons();
  let emulator: Emulator | undefined;
  try {
    const master = await daemons.master(['--registry=in_memory']);
    emulator = await startEmulator({ master: master.address, agents, perAddress: 4, life: 'ends' });
    await emulator.register();
    const health = probeHealth(master.address);
    const run = await runTasks({
      master: master.address,
      name: 'churn',
      count: tasks,
      command: 'exit 0',
      resources: { cpus: 0.1, mem: 32 },
      goal: 'finished',
      perOffer: TASKS_PER_AGENT,
      connections: 8,
    });
    await run.done;
    run.scheduler.close();
    return { name: `/health p99 while ${tasks} tasks churn`, unit: 'ms', value: health.stop().p99 };
  } finally {
    await emulator?.stop();
    await daemons.stop();
  }
}

async function run({ full }: Scale): Promise<readonly Measured[]> {
  const figures: Measured[] = [];
  for (const agents of full ? [1000, 10_000] : [1000]) {
    const { agent, task, rss } = await grow(agents);
    figures.push(
      { name: `an agent, of ${agents}`, unit: 'KB', value: agent, aim: { of: 'value', is: 'at most', limit: 10 } },
      {
        name: `a task, of ${agents * TASKS_PER_AGENT}`,
        unit: 'KB',
        value: task,
        aim: { of: 'value', is: 'at most', limit: 2 },
      },
      { name: `master RSS with ${agents} agents`, unit: 'MB', value: rss / 1024 },
    );
  }
  figures.push(await churn(full ? 1000 : 200, full ? 500_000 : 5000));
  return figures;
}

await benchmark('memory', run);
