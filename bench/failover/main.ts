// The failover of a master.
//
// A restart: the next master starts from the registry, and all agents re-register with their tasks. Measured from the first message
// to the last answer; the baseline is decoding the same messages.
//
// An election: the leader of two masters is killed. Agents and frameworks follow the election as real ones do: an agent pauses for
// up to a second before it re-registers, a framework of the SDK for up to a quarter of a second. Measured with a standby that has
// rehearsed, and with one that has not as the baseline.
import { ReregisterAgentMessageCodec } from '@meseta/wire/codecs';
import { benchmark, type Scale } from '../lib/benchmark.js';
import { createBenchDaemons } from '../lib/daemons.js';
import { type ElectionSize, type Failover, lacksServer, measureFailover } from '../lib/election.js';
import { agentInfo, reregistration, runningTask } from '../lib/emulated-agent.js';
import { type Emulator, type FrameworkShare, startEmulator } from '../lib/emulator.js';
import type { Measured } from '../lib/figures.js';
import { cpuOf, memoryOf } from '../lib/processes.js';
import { subscribe } from '../lib/scheduler.js';
import { quantile } from '../lib/statistics.js';

const FRAMEWORKS = 10;
const TASKS_PER_AGENT = 10;

/** The frameworks that the tasks belong to: subscribed once, so that a master has given them their ids. */
async function frameworksOf(master: string): Promise<readonly FrameworkShare[]> {
  const shares: FrameworkShare[] = [];
  for (let at = 0; at < FRAMEWORKS; at++) {
    const scheduler = await subscribe({ master, name: `f${at}`, suppressed: true, onEvent() {} });
    shares.push({ info: scheduler.info, tasksPerAgent: TASKS_PER_AGENT / FRAMEWORKS });
    scheduler.close();
  }
  return shares;
}

/** The milliseconds to decode the agents' messages. */
function decoding(agents: number, frameworks: readonly FrameworkShare[]): number {
  const infos = frameworks.map(({ info }) => info);
  const messages = Array.from({ length: Math.min(agents, 200) }, (_, at) => {
    const id = `b5f3a1c2-0000-4000-8000-000000000000-S${at}`;
    const tasks = infos.map((info) => runningTask(`task-${at}-${info.name}-0`, id, info.id?.value ?? ''));
    return ReregisterAgentMessageCodec.encode(reregistration(agentInfo(at, 40_000 + at, id), tasks, infos));
  });
  const all = (): number => {
    const begun = performance.now();
    for (let at = 0; at < agents; at++) {
      const decoded = ReregisterAgentMessageCodec.decode(messages[at % messages.length] as Uint8Array);
      if (!decoded.ok) throw new Error(decoded.error.message);
    }
    return performance.now() - begun;
  };
  all();
  return all();
}

const FULL_ELECTION: ElectionSize = { agents: 4000, frameworks: 200, tasksPerAgent: 10, sessionTimeoutMs: 10_000 };
const SHORT_ELECTION: ElectionSize = { agents: 200, frameworks: 20, tasksPerAgent: 10, sessionTimeoutMs: 4000 };

async function runElection(size: ElectionSize): Promise<readonly Measured[]> {
  const missing = lacksServer();
  if (missing !== undefined) {
    console.log(`the election is left out: apt-get install ${missing}`);
    return [];
  }
  const cold = await measureFailover(size, false);
  const rehearsed = await measureFailover(size, true);
  const figure = (name: string, read: (failover: Failover) => number, limit?: number): Measured => ({
    name,
    unit: 'ms',
    value: read(rehearsed),
    baseline: { name: 'without a rehearsal', value: read(cold) },
    ...(limit === undefined ? {} : { target: { of: 'value', is: 'at most', limit } }),
  });
  const spread = (name: string, of: (failover: Failover) => readonly number[], limit?: number) => [
    figure(`${name}, p50`, (failover) => quantile(of(failover), 0.5)),
    figure(`${name}, p95`, (failover) => quantile(of(failover), 0.95), limit),
    figure(`${name}, the last`, (failover) => quantile(of(failover), 1)),
  ];
  return [
    figure('detection', ({ detection }) => detection),
    figure('registry read', ({ registryRead }) => registryRead),
    ...spread(`${size.agents} agents back after detection`, ({ agents }) => agents),
    ...spread('agents back after their pause', ({ agentsAfterPause }) => agentsAfterPause, MAX_BACK_MS),
    ...spread(`${size.frameworks} frameworks back after detection`, ({ frameworks }) => frameworks, MAX_BACK_MS),
    figure('CPU of the new leader', ({ cpu }) => cpu),
    { ...figure('RSS of the new leader', ({ rssMiB }) => rssMiB), unit: 'MB' },
    { name: 'longest pause of the rehearsing standby', unit: 'ms', value: rehearsed.longestPause ?? Number.NaN },
  ];
}

/** At the 95th percentile. */
const MAX_BACK_MS = 500;

const run = async ({ full }: Scale): Promise<readonly Measured[]> => [
  ...(await runRestart(full)),
  ...(await runElection(full ? FULL_ELECTION : SHORT_ELECTION)),
];

async function runRestart(full: boolean): Promise<readonly Measured[]> {
  const agents = full ? 5000 : 1000;
  const daemons = createBenchDaemons();
  let emulator: Emulator | undefined;
  try {
    const first = await daemons.master();
    emulator = await startEmulator({ master: first.address, agents, processes: full ? 2 : 1 });
    await emulator.register();
    const frameworks = await frameworksOf(first.address);
    await emulator.assignTasks(frameworks);
    await first.stop('SIGKILL');
    const next = await daemons.master([], Number(first.address.split(':')[1]));
    const cpu = cpuOf(next.pid);
    const tookMs = await emulator.reregister(next.address);
    const cpuMs = (cpuOf(next.pid) - cpu) * 1000;
    const decodeMs = decoding(agents, frameworks);
    const baseline = { name: 'decoding the same bytes', value: decodeMs };
    return [
      {
        name: `${agents} agents x ${TASKS_PER_AGENT} tasks re-registered`,
        unit: 'ms',
        value: tookMs,
        baseline,
        target: { of: 'ratio', is: 'at most', limit: 3 },
      },
      { name: 'master CPU of the failover', unit: 'ms', value: cpuMs, baseline },
      { name: 'master RSS after the failover', unit: 'MB', value: memoryOf(next.pid).rss / 1024 },
    ];
  } finally {
    await emulator?.stop();
    await daemons.stop();
  }
}

await benchmark('failover', run);
