// `meseta chaos`: a cluster with several masters under faults by seed, while a framework runs tasks on it.
import { seededRandom } from '@meseta/base';
import { coordinatorAt } from '@meseta/coordination/coordinator';
import { readElectedMaster } from '@meseta/wire/leader-info';
import { type ChaosNetwork, canCutNetworks, isInside, openNetwork, runInside } from '../chaos/network.js';
import { type Fault, planFaults } from '../chaos/plan.js';
import { type Outcome, startWork, type Work } from '../chaos/work.js';
import {
  CommandError,
  defineCommand,
  EXIT,
  MAX_TIMER_MS,
  parseDurationOption,
  parseInteger,
  usageError,
} from '../command.js';
import { type Interruption, listenForInterruption } from '../interruption.js';
import { printText } from '../output.js';
import { formatSpan } from '../table.js';
import { type LocalCluster, type LocalDaemon, startLocalCluster } from '../up/local-cluster.js';
import { MAX_AGENTS, parseCoordinator, parseMasters } from './up.js';

const options = {
  masters: { type: 'string', default: '3', value: 'N', help: 'the number of masters, at least 2 (default 3)' },
  agents: { type: 'string', default: '5', value: 'N', help: 'the number of agents (default 5)' },
  coordinator: { type: 'string', value: 'NAME', help: 'zookeeper or etcd (default: the one that is installed)' },
  servers: {
    type: 'string',
    default: '1',
    value: 'N',
    help: 'the number of ZooKeeper or etcd servers (default 1); three go on while one of them has a fault',
  },
  for: { type: 'string', default: '2mins', value: 'DURATION', help: 'how long faults are made (default 2mins)' },
  seed: { type: 'string', value: 'N', help: 'chooses the faults (default: a random one, which is printed)' },
  'work-dir': { type: 'string', value: 'DIR', help: 'keep state and logs in this directory' },
} as const;

/** The time in which the tasks must end after the last fault. */
const FINISH_TIMEOUT_MS = 90_000;
const INTERRUPTED_TIMEOUT_MS = 10_000;
const FIRST_PORT = 15_050;
const MAX_SEED = 2 ** 32 - 1;
/** Faults of servers have a random stream of their own. */
const SERVER_STREAM = 0x5e7e7;
const SERVER_COUNTS = [1, 3, 5];

function parseServers(path: string, text: string): number {
  const servers = parseInteger(path, 'servers', text, 1, 5);
  if (SERVER_COUNTS.includes(servers)) return servers;
  throw usageError(
    path,
    `--servers: expected ${SERVER_COUNTS.join(', ').replace(/, (?=[^,]*$)/, ' or ')}, got '${text}'`,
  );
}

export const chaos = defineCommand({
  summary: 'Runs a cluster with several masters under kills, pauses and network cuts.',
  positionals: '',
  about: `Starts a cluster on this machine, as 'meseta up --masters=3' does, and a framework that launches batches of tasks. Meanwhile
it kills, pauses and, as root, cuts off the leader, other masters, agents and the servers that elect the leader, one at a time,
as the seed says. The report tells how many tasks ran, and which were lost, ran twice or never ended; the exit status is 1 if there are any.`,
  options,
  async run(values, _positionals, path) {
    const masters = parseMasters(path, values.masters);
    if (masters < 2) throw usageError(path, `--masters: expected at least 2, got '${values.masters}'`);
    const coordinator = parseCoordinator(path, values.coordinator);
    const agents = parseInteger(path, 'agents', values.agents, 0, MAX_AGENTS);
    const servers = parseServers(path, values.servers);
    const totalMs = parseDurationOption(path, 'for', values.for, MAX_TIMER_MS);
    const seed =
      values.seed === undefined
        ? Math.floor(Math.random() * MAX_SEED)
        : parseInteger(path, 'seed', values.seed, 0, MAX_SEED);
    if (!isInside() && canCutNetworks()) {
      if (values.seed === undefined) process.argv.push(`--seed=${seed}`);
      return runInside();
    }
    const interruption = listenForInterruption();
    const network = isInside() ? await openNetwork() : undefined;
    printText(`seed ${seed}${network === undefined ? '; no network cuts: they need root, unshare and ip' : ''}`);
    const cluster = await startLocalCluster({
      masters,
      agents,
      coordinator,
      port: FIRST_PORT,
      workDir: values['work-dir'],
      resources: 'cpus:4;mem:2048;disk:4096;ports:[31000-32000]',
      servers,
      restartsAll: true,
      ...(network !== undefined && { network }),
    });
    try {
      return await runFaults(
        cluster,
        network,
        planFaults(seededRandom(seed), seededRandom(seed ^ SERVER_STREAM), {
          totalMs,
          canCut: network !== undefined,
          hasServerFaults: true,
        }),
        interruption,
      );
    } finally {
      await cluster.stop();
    }
  },
});

/** A change of leader: from the fault that caused it to the election and to the framework's subscription. */
interface Failover {
  readonly from: string;
  readonly to: string;
  readonly beganMs: number;
  readonly electedMs: number;
  subscribedMs: number | undefined;
}

interface Watch {
  leader(): string | undefined;
  /** The time of the fault at the leader, from which its failover is measured. */
  beginFailover(atMs: number): void;
  /** The time of a fault at a server, which may cost the leader its lead unless a failover has begun already. */
  mayBeginFailover(atMs: number): void;
  onSubscribed(): void;
  readonly failovers: readonly Failover[];
  close(): Promise<void>;
}

function watchLeader(cluster: LocalCluster): Watch {
  const coordinator = coordinatorAt(cluster.address);
  if (!coordinator.ok) throw new Error(coordinator.error);
  const observer = coordinator.value({ sessionTimeoutMs: 4000, warn: () => {} });
  const failovers: Failover[] = [];
  let leader: string | undefined;
  let beganMs = 0;
  let isElected = true;
  observer.watch((elected) => {
    const read = elected && readElectedMaster(elected.info);
    const authority = read?.ok ? read.value.authority : undefined;
    const master = cluster.masters.find(
      ({ address }) => address === authority || address === authority?.replace('localhost', '127.0.0.1'),
    );
    if (master === undefined || master.name === leader) return;
    const electedMs = performance.now();
    if (leader !== undefined)
      failovers.push({ from: leader, to: master.name, beganMs, electedMs, subscribedMs: undefined });
    leader = master.name;
    isElected = true;
  });
  return {
    leader: () => leader,
    beginFailover(atMs) {
      beganMs = atMs;
      isElected = false;
    },
    mayBeginFailover(atMs) {
      if (isElected) beganMs = atMs;
    },
    onSubscribed() {
      const last = failovers.at(-1);
      if (last !== undefined) last.subscribedMs ??= performance.now();
    },
    failovers,
    close: () => observer.close(),
  };
}

async function runFaults(
  cluster: LocalCluster,
  network: ChaosNetwork | undefined,
  faults: readonly Fault[],
  { happened: interrupted, hasHappened }: Interruption,
): Promise<number> {
  const watch = watchLeader(cluster);
  const work = startWork(cluster.address, cluster.workDir, watch.onSubscribed);
  const beganMs = performance.now();
  try {
    const made: Fault[] = [];
    const faultsMade = (async () => {
      for (const fault of faults) {
        await Promise.race([sleepUntil(beganMs + fault.atMs), interrupted]);
        if (hasHappened()) return;
        made.push(fault);
        await makeFault(fault, { cluster, network, watch, work, beganMs, interrupted });
      }
    })();
    const failed = cluster.failure.then((text) => Promise.reject(new CommandError(`meseta chaos: ${text}`)));
    await Promise.race([faultsMade, work.failure, failed]);
    printText(`${elapsed(beganMs)}  no more faults; waiting for ${work.counts().launched - work.counts().ended} tasks`);
    const outcome = await Promise.race([
      work.finish(hasHappened() ? INTERRUPTED_TIMEOUT_MS : FINISH_TIMEOUT_MS),
      work.failure,
      failed,
    ]);
    printText(reportOf(outcome, watch.failovers, made));
    return outcome.lost.length + outcome.doubled.length + outcome.unknown.length === 0 ? EXIT.done : EXIT.failed;
  } finally {
    await watch.close();
  }
}

interface Run {
  readonly cluster: LocalCluster;
  readonly network: ChaosNetwork | undefined;
  readonly watch: Watch;
  readonly work: Work;
  readonly beganMs: number;
  readonly interrupted: Promise<void>;
}

async function makeFault({ kind, target, durationMs }: Fault, run: Run): Promise<void> {
  const daemon = targetOf(target, run);
  if (daemon === undefined) return;
  const pid = daemon.pid();
  const isLeader = daemon.name === run.watch.leader();
  const { launched, ended } = run.work.counts();
  const span = durationMs === 0 ? '' : ` for ${formatSpan(durationMs)}`;
  printText(
    `${elapsed(run.beganMs)}  ${kind} ${daemon.name}${isLeader ? ' (leads)' : ''}${span}; ${ended} of ${launched} tasks ended`,
  );
  if (isLeader) run.watch.beginFailover(performance.now());
  if (target.role === 'server') run.watch.mayBeginFailover(performance.now());
  const pause = (): Promise<unknown> => Promise.race([sleepUntil(performance.now() + durationMs), run.interrupted]);
  switch (kind) {
    case 'kill':
      return signal(pid, 'SIGKILL');
    case 'pause':
      signal(pid, 'SIGSTOP');
      await pause();
      return signal(pid, 'SIGCONT');
    case 'cut':
      await run.network?.setCut(daemon.name, true);
      await pause();
      await run.network?.setCut(daemon.name, false);
  }
}

type Target = Pick<LocalDaemon, 'name' | 'pid'>;

function targetOf({ role, number }: Fault['target'], { cluster, watch }: Run): Target | undefined {
  const leader = watch.leader();
  if (role === 'leader') return cluster.masters.find(({ name }) => name === leader);
  const among: readonly Target[] =
    role === 'agent'
      ? cluster.agents
      : role === 'server'
        ? cluster.servers
        : cluster.masters.filter(({ name }) => name !== leader);
  return among[number % Math.max(1, among.length)];
}

/** The process may have ended meanwhile. */
function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch {
    // It is being started again.
  }
}

function reportOf(outcome: Outcome, failovers: readonly Failover[], faults: readonly Fault[]): string {
  const { started, finished, notStarted, lost, doubled, unknown } = outcome;
  const lines = failovers.map(({ from, to, beganMs, electedMs, subscribedMs }) => {
    const subscribed =
      subscribedMs === undefined
        ? 'the framework did not come'
        : `framework after ${formatSpan(subscribedMs - beganMs)}`;
    return `  ${from} -> ${to}: elected after ${formatSpan(electedMs - beganMs)}, ${subscribed}`;
  });
  const atServers = faults.filter(({ target }) => target.role === 'server').length;
  const details = [...lost, ...doubled, ...unknown].slice(0, 20).map((line) => `  ${line}`);
  return [
    '',
    `${faults.length} faults, ${atServers} of them at servers of the election; ${failovers.length} failovers`,
    ...lines,
    `tasks: ${started} started, ${finished} finished, ${notStarted} launches lost and reported so`,
    `       ${lost.length} lost, ${doubled.length} doubled, ${unknown.length} unknown`,
    ...details,
  ].join('\n');
}

const elapsed = (beganMs: number): string => `${((performance.now() - beganMs) / 1000).toFixed(1).padStart(6)} s`;

const sleepUntil = (timeMs: number): Promise<void> =>
  new Promise((resolve) => {
    setTimeout(resolve, Math.max(0, timeMs - performance.now()));
  });
