// A cluster of real processes on this machine: masters and agents, and for several masters the server that elects their leader.
//
// Owns: the processes that it started, and the directory of their state if it made that.
// LOCAL-CLUSTER-1: `stop` leaves no process of the cluster: agents end their tasks first, then the masters and the server end; a
//     process that does not end in time is killed. If this process is killed before, a guardian does the same (GUARDIAN-1).
// LOCAL-CLUSTER-2: of several masters one that ends is started again, as a master ends when it loses the lead. An agent is started
//     again only if the cluster is told so, and a server too. Otherwise the end of a process is the failure of the cluster.
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  hasServer,
  type LocalServer,
  type LocalService,
  SERVER_PACKAGES,
  type ServerKind,
  startLocalService,
} from '@meseta/coordination/local-server';
import { CommandError, EXIT } from '../command.js';
import {
  type DaemonKind,
  type DaemonProcess,
  findFreePort,
  logTail,
  loopbackFlags,
  startDaemonProcess,
  untilHealthy,
} from '../daemon-process.js';
import { type Guardian, startGuardian } from './guardian.js';

const START_TIMEOUT_MS = 30_000;
const STOP_TIMEOUT_MS = 10_000;
const RESTART_PAUSE_MS = 500;
/** A daemon that exits within this time did not start. One that was killed is started again. */
const MIN_RUN_MS = 1000;
/** Shorter than the default, as the processes of one machine answer fast: a dead leader is replaced sooner. */
const SESSION_TIMEOUT = '4secs';

/** Where the processes run: on loopback, or each in a network of its own. */
export interface LocalNetwork {
  /** The address of a daemon or a server, and the command before its own that puts it there. */
  join(name: string): Promise<{ readonly ip: string; readonly command: readonly string[] }>;
}

export interface LocalClusterOptions {
  readonly masters: number;
  readonly agents: number;
  /** The first port to try for the master; the others take the next free ones. */
  readonly port: number;
  /** Kept after the end. Undefined: a temporary directory that is removed at the end. */
  readonly workDir: string | undefined;
  /** The resources of each agent, as its flag takes them. */
  readonly resources: string;
  /** For several masters; undefined: the one that is installed. */
  readonly coordinator: ServerKind | undefined;
  /** Of the service that elects the leader; one unless given. */
  readonly servers?: number;
  readonly network?: LocalNetwork;
  /** LOCAL-CLUSTER-2: also agents and servers. */
  readonly restartsAll?: boolean;
}

export interface LocalDaemon {
  readonly kind: DaemonKind;
  readonly name: string;
  /** `ip:port`, the same after a restart. */
  readonly address: string;
  /** The process that runs now. */
  pid(): number;
}

export interface LocalCluster {
  /** The master, or the address of the service that elects the leader. */
  readonly address: string;
  readonly masters: readonly LocalDaemon[];
  readonly agents: readonly LocalDaemon[];
  /** Of the service that elects the leader. */
  readonly servers: readonly Pick<LocalServer, 'name' | 'pid'>[];
  readonly coordinator: ServerKind | undefined;
  readonly workDir: string;
  /** Resolves with the reason when the cluster cannot go on. */
  readonly failure: Promise<string>;
  stop(): Promise<void>;
}

interface State {
  readonly options: LocalClusterOptions;
  readonly workDir: string;
  /** The process of each daemon that runs or ran last. */
  readonly processes: Map<string, DaemonProcess>;
  readonly guardian: Guardian;
  service: LocalService | undefined;
  isStopping: boolean;
  fail: (reason: string) => void;
}

/** How a daemon is started, also when it is started again. */
interface DaemonPlan {
  readonly kind: DaemonKind;
  readonly name: string;
  readonly ip: string;
  readonly port: number;
  readonly command: readonly [string, ...string[]];
  readonly flags: readonly string[];
  readonly isRestarted: boolean;
}

export async function startLocalCluster(options: LocalClusterOptions): Promise<LocalCluster> {
  const workDir = options.workDir ?? mkdtempSync(join(tmpdir(), 'meseta-up-'));
  mkdirSync(workDir, { recursive: true });
  let fail: (reason: string) => void = () => undefined;
  const failure = new Promise<string>((resolve) => {
    fail = resolve;
  });
  const guardian = startGuardian(ownCommand(), options.workDir === undefined ? workDir : undefined);
  const state: State = {
    options,
    workDir,
    processes: new Map(),
    guardian,
    service: undefined,
    isStopping: false,
    fail,
  };
  try {
    const { masters, agents, address } = await startAll(state);
    const { kind: coordinator, servers = [] } = state.service ?? {};
    return { address, masters, agents, servers, coordinator, workDir, failure, stop: () => stopAll(state) };
  } catch (error) {
    await stopAll(state);
    if (error instanceof CommandError) throw error;
    throw new CommandError(`the cluster did not start: ${error instanceof Error ? error.message : String(error)}`);
  }
}

/** The command of this program. */
const ownCommand = (): [string, ...string[]] => [process.execPath, ...process.execArgv, process.argv[1] as string];

async function startAll(state: State) {
  const { masters, agents, port, resources, restartsAll = false } = state.options;
  const election = masters > 1 ? await startElection(state) : undefined;
  const ports = await freePorts(port, masters + agents);
  const startNamed = async (
    kind: DaemonKind,
    count: number,
    firstPort: number,
    flagsOf: (name: string) => string[],
  ) => {
    const names = Array.from({ length: count }, (_, at) =>
      kind === 'master' && count === 1 ? kind : `${kind}-${at + 1}`,
    );
    return Promise.all(
      names.map(async (name, at) => {
        const { ip, command } = (await state.options.network?.join(name)) ?? { ip: '127.0.0.1', command: [] };
        const isRestarted = kind === 'master' ? election !== undefined : restartsAll;
        const own = [...command, ...ownCommand()];
        return startDaemon(state, {
          kind,
          name,
          ip,
          port: ports[firstPort + at] as number,
          command: own as [string, ...string[]],
          flags: flagsOf(name),
          isRestarted,
        });
      }),
    );
  };
  const startedMasters = await startNamed('master', masters, 0, () =>
    election === undefined ? [] : [...election.flags, `--quorum=${Math.floor(masters / 2) + 1}`],
  );
  const address = election?.address ?? (startedMasters[0] as LocalDaemon).address;
  const startedAgents = await startNamed('agent', agents, masters, (name) => [
    `--master=${address}`,
    ...(election === undefined ? [] : [`--zk_session_timeout=${SESSION_TIMEOUT}`]),
    `--resources=${resources}`,
    `--attributes=name:${name}`,
  ]);
  return { masters: startedMasters, agents: startedAgents, address };
}

/** Which of the two services this machine has; the error says what to install. */
function findCoordinator(wanted: ServerKind | undefined): ServerKind {
  const kinds: readonly ServerKind[] = wanted === undefined ? ['zookeeper', 'etcd'] : [wanted];
  const found = kinds.find(hasServer);
  if (found !== undefined) return found;
  const packages = kinds.map((kind) => `'${SERVER_PACKAGES[kind]}'`).join(' or ');
  throw new CommandError(
    `several masters need ${kinds.join(' or ')} to elect their leader, and none is installed; install the package ${packages} (Debian, Ubuntu)`,
    EXIT.usage,
  );
}

async function startElection(state: State): Promise<{ readonly address: string; readonly flags: readonly string[] }> {
  const kind = findCoordinator(state.options.coordinator);
  const directory = join(state.workDir, kind);
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  const { network, servers = 1, restartsAll = false } = state.options;
  const service = await startLocalService(kind, {
    directory,
    servers,
    restarts: restartsAll,
    onProcess: (pid) => state.guardian.guard('server', pid),
    ...(network !== undefined && { placeOf: network.join }),
  });
  if (!service.ok) throw new Error(service.error);
  state.service = service.value;
  void service.value.failure.then(state.fail);
  const address = `${service.value.url}/meseta`;
  const flag = kind === 'zookeeper' ? 'zk' : 'coordinator';
  return { address, flags: [`--${flag}=${address}`, `--zk_session_timeout=${SESSION_TIMEOUT}`] };
}

async function startDaemon(state: State, plan: DaemonPlan): Promise<LocalDaemon> {
  const { kind, name, ip, port } = plan;
  // Another daemon failed to start, and the cluster is being stopped: this one would be left running.
  if (state.isStopping) throw new Error(`${name} was not started`);
  const daemon = spawnDaemon(state, plan);
  const address = `${ip}:${port}`;
  await untilHealthy(daemon, address, START_TIMEOUT_MS);
  return { kind, name, address, pid: () => state.processes.get(name)?.pid ?? 0 };
}

/** LOCAL-CLUSTER-2 */
function spawnDaemon(state: State, plan: DaemonPlan): DaemonProcess {
  const { kind, name, ip, port, command, flags, isRestarted } = plan;
  const startedAtMs = performance.now();
  const daemon = startDaemonProcess({
    kind,
    command,
    flags: [...loopbackFlags(kind, port, join(state.workDir, name), ip), ...flags],
    logFile: join(state.workDir, `${name}.log`),
    hasOwnSession: true,
  });
  state.processes.set(name, daemon);
  state.guardian.guard(kind, daemon.pid);
  void daemon.ended.then((how) => {
    if (state.isStopping) return;
    const isStartFailure = /^\d+$/.test(how) && performance.now() - startedAtMs < MIN_RUN_MS;
    if (!isRestarted || isStartFailure) {
      state.fail(`${name} ended (${how}); ${logTail(daemon)}`);
      return;
    }
    setTimeout(() => {
      if (!state.isStopping) spawnDaemon(state, plan);
    }, RESTART_PAUSE_MS);
  });
  return daemon;
}

/** LOCAL-CLUSTER-1 */
async function stopAll(state: State): Promise<void> {
  state.isStopping = true;
  for (const kind of ['agent', 'master'] as const) {
    const daemons = [...state.processes.values()].filter((daemon) => daemon.kind === kind);
    await Promise.all(daemons.map((daemon) => daemon.stop({ timeoutMs: STOP_TIMEOUT_MS })));
  }
  await state.service?.stop();
  state.guardian.dismiss();
  if (state.options.workDir === undefined) rmSync(state.workDir, { recursive: true, force: true });
}

/** The first `count` free ports from `first` on. */
async function freePorts(first: number, count: number): Promise<readonly number[]> {
  const ports: number[] = [];
  for (let port = first; ports.length < count; port++) {
    if (port > 65_535) throw new CommandError(`expected ${count} free ports from ${first} on, found ${ports.length}`);
    if ((await findFreePort(port)) !== undefined) ports.push(port);
  }
  return ports;
}
