// Command tasks through one real agent: tasks per second from the first ACCEPT to the last acknowledged TASK_FINISHED, with
// fork, exec and wait of the same command as the baseline; and the memory and processes of a running task.
import { spawnSync } from 'node:child_process';
import type { Daemon } from '@meseta/cli/testing/daemons';
import { pause } from '@meseta/platform/testing/until';
import { benchmark, type Scale } from '../lib/benchmark.js';
import { createBenchDaemons } from '../lib/daemons.js';
import type { Measured } from '../lib/figures.js';
import { cpuOf, memoryOf, processesLike } from '../lib/processes.js';
import { quantile } from '../lib/statistics.js';
import { runTasks } from '../lib/task-runner.js';

const COMMAND = 'exit 0';
const AT_ONCE = 200;
const BARE_AT_ONCE = 20;
const TASK = { cpus: 0.1, mem: 1 };
const LIVE = 200;
const SETTLE_MS = 1500;

/** The same command started by a shell, per second. */
function shellBaseline(count: number): number {
  const script = `i=0; while [ $i -lt ${count / BARE_AT_ONCE} ]; do ${'sh -c "$1" & '.repeat(BARE_AT_ONCE)}wait; i=$((i+1)); done`;
  const begun = performance.now();
  spawnSync('/bin/sh', ['-c', script, 'sh', COMMAND]);
  return (count / (performance.now() - begun)) * 1000;
}

async function finish(master: Daemon, agent: Daemon, count: number): Promise<readonly Measured[]> {
  const baseline = { name: 'fork, exec and wait', value: shellBaseline(count) };
  const cpu = { master: cpuOf(master.pid), agent: cpuOf(agent.pid) };
  const run = await runTasks({
    master: master.address,
    name: 'finish',
    count,
    command: COMMAND,
    resources: TASK,
    goal: 'finished',
  });
  await run.done;
  const first = Math.min(...run.acceptedMs.values());
  const perSecond = (count / (performance.now() - first)) * 1000;
  const waited = [...run.runningMs].map(([id, ms]) => ms - (run.acceptedMs.get(id) ?? 0));
  await run.scheduler.call({ type: 'TEARDOWN' });
  run.scheduler.close();
  const perTask = (daemon: Daemon, before: number): number => ((cpuOf(daemon.pid) - before) / count) * 1000;
  return [
    {
      name: 'tasks finished and acknowledged',
      unit: 'tasks/s',
      value: perSecond,
      baseline,
      target: { of: 'ratio', is: 'at least', limit: 0.5 },
    },
    { name: 'master CPU per task', unit: 'ms', value: perTask(master, cpu.master) },
    { name: 'agent CPU per task', unit: 'ms', value: perTask(agent, cpu.agent) },
    { name: `ACCEPT to TASK_RUNNING p50, ${AT_ONCE} at once`, unit: 'ms', value: quantile(waited, 0.5) },
    { name: `ACCEPT to TASK_RUNNING p99, ${AT_ONCE} at once`, unit: 'ms', value: quantile(waited, 0.99) },
  ];
}

/** The memory and processes of running tasks, without the processes of their commands. */
async function live(master: Daemon, agent: Daemon): Promise<readonly Measured[]> {
  await pause(SETTLE_MS);
  const before = { master: memoryOf(master.pid), agent: memoryOf(agent.pid) };
  const run = await runTasks({
    master: master.address,
    name: 'live',
    count: LIVE,
    command: 'exec sleep 600',
    resources: TASK,
    goal: 'running',
  });
  await run.done;
  await pause(SETTLE_MS);
  const after = { master: memoryOf(master.pid), agent: memoryOf(agent.pid) };
  const supervisors = processesLike(/meseta\.mjs supervisor /);
  await run.scheduler.call({ type: 'TEARDOWN' });
  run.scheduler.close();
  const supervising = supervisors.reduce((sum, { pss }) => sum + pss, 0);
  const grown = after.master.pss - before.master.pss + after.agent.pss - before.agent.pss;
  return [
    {
      name: 'processes per running task, besides its own',
      unit: 'processes',
      value: Math.round((supervisors.length / LIVE) * 10) / 10,
      target: { of: 'value', is: 'at most', limit: 1 },
    },
    {
      name: 'memory (PSS) per running task',
      unit: 'KB',
      value: (supervising + grown) / LIVE,
      target: { of: 'value', is: 'at most', limit: 300 },
    },
    { name: 'memory (PSS) of supervisors per running task', unit: 'KB', value: supervising / LIVE },
    { name: 'master RSS', unit: 'MB', value: after.master.rss / 1024 },
    { name: 'agent RSS', unit: 'MB', value: after.agent.rss / 1024 },
  ];
}

async function run({ full }: Scale): Promise<readonly Measured[]> {
  const daemons = createBenchDaemons();
  try {
    const master = await daemons.master();
    const resources = `cpus:${AT_ONCE * TASK.cpus};mem:${AT_ONCE * TASK.mem};disk:1024`;
    const agent = await daemons.agent(master.address, [`--resources=${resources}`]);
    const speed = await finish(master, agent, full ? 1000 : 400);
    return [...speed, ...(await live(master, agent))];
  } finally {
    await daemons.stop();
  }
}

await benchmark('tasks', run);
