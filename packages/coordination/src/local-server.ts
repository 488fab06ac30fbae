// The ZooKeeper or etcd servers of a cluster on one machine, for `meseta up`, `meseta chaos` and tests. Their programs are the
// distribution's.
//
// Boundary: servers without authentication; the directory is the caller's.
// LOCALSERVER-1: after `stop` resolves the servers have ended.
// LOCALSERVER-2: a server that ends is started again only if the caller asks for it, at the same address and with its state.
import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, existsSync, mkdirSync, openSync, writeFileSync } from 'node:fs';
import { get } from 'node:http';
import { createServer } from 'node:net';
import { delimiter, join } from 'node:path';
import { err, ok, type Result } from '@meseta/base';
import { openConnection } from './zookeeper/connection.js';
import { connectFrame, NEW_SESSION } from './zookeeper/protocol.js';

export type ServerKind = 'zookeeper' | 'etcd';

export interface LocalServer {
  /** `zookeeper-1` */
  readonly name: string;
  readonly port: number;
  /** The process that runs now or ran last. */
  pid(): number;
}

export interface LocalService {
  readonly kind: ServerKind;
  readonly servers: readonly LocalServer[];
  /** The address of all servers without a path: `zk://127.0.0.1:2181`. */
  readonly url: string;
  /** Resolves with the reason when a server has ended and is not started again. */
  readonly failure: Promise<string>;
  stop(): Promise<void>;
}

/** The address of a server, and the command before its own that puts it there. */
export interface ServerPlace {
  readonly ip: string;
  readonly command: readonly string[];
}

export interface LocalServiceOptions {
  /** An existing directory for the state, the configuration and the log of each server. */
  readonly directory: string;
  /** One unless given. */
  readonly servers?: number;
  /** Added to the arguments of etcd, or to the lines of ZooKeeper's configuration. */
  readonly settings?: readonly string[];
  /** On loopback unless given. */
  readonly placeOf?: (name: string) => Promise<ServerPlace>;
  /** LOCALSERVER-2 */
  readonly restarts?: boolean;
  /** Called with each process that is started. */
  readonly onProcess?: (pid: number) => void;
}

const JARS = '/usr/share/java';
const JAR = `${JARS}/zookeeper.jar`;
/** For the log, and of Netty, which TLS needs: Debian's zookeeper.jar does not name them. */
const FURTHER_JARS = ['slf4j-simple', 'netty-codec', 'netty-resolver', 'netty-transport-native-unix-common'] as const;
const LOOPBACK = '127.0.0.1';
const START_TIMEOUT_MS = 60_000;
const CHECK_PAUSE_MS = 100;
const CHECK_TIMEOUT_MS = 2000;
const RESTART_PAUSE_MS = 500;
/** A server that exits within this time did not start. One that was killed is started again. */
const MIN_RUN_MS = 1000;
const TICK_MS = 1000;

/** By kind: the package of Debian and Ubuntu that has the server. */
export const SERVER_PACKAGES: { readonly [K in ServerKind]: string } = { zookeeper: 'zookeeper', etcd: 'etcd-server' };

const isOnPath = (program: string): boolean =>
  (process.env['PATH'] ?? '').split(delimiter).some((folder) => folder !== '' && existsSync(join(folder, program)));

/** Whether this machine has what the server needs. */
export const hasServer = (kind: ServerKind): boolean =>
  kind === 'etcd' ? isOnPath('etcd') : existsSync(JAR) && isOnPath('java');

/** A port that nothing listens on. */
export const findFreePort = (ip: string): Promise<number> =>
  new Promise((resolve) => {
    const server = createServer();
    server.listen(0, ip, () => {
      const address = server.address();
      server.close(() => resolve(typeof address === 'object' && address !== null ? address.port : 0));
    });
  });

/** A server of the service before it is started. */
interface Member {
  /** From 1 on. */
  readonly number: number;
  readonly name: string;
  readonly place: ServerPlace;
  readonly directory: string;
  readonly port: number;
  /** For the other members. */
  readonly peerPorts: readonly [number, number];
}

interface State {
  readonly options: LocalServiceOptions;
  readonly processes: Map<string, ChildProcess>;
  isStopping: boolean;
  readonly fail: (reason: string) => void;
}

/** The error is a message for the person who started it. */
export async function startLocalService(
  kind: ServerKind,
  options: LocalServiceOptions,
): Promise<Result<LocalService, string>> {
  if (!hasServer(kind)) return err(`no ${kind} server on this machine: apt-get install ${SERVER_PACKAGES[kind]}`);
  const { servers = 1, settings = [] } = options;
  const members: Member[] = [];
  for (let number = 1; number <= servers; number++) members.push(await memberOf(kind, number, options));
  let fail: (reason: string) => void = () => {};
  const failure = new Promise<string>((resolve) => {
    fail = resolve;
  });
  const state: State = { options, processes: new Map(), isStopping: false, fail };
  for (const member of members) {
    mkdirSync(member.directory, { recursive: true, mode: 0o700 });
    const command = kind === 'etcd' ? etcdCommand(member, members) : zooKeeperCommand(member, members, settings);
    const all = [...member.place.command, ...command, ...(kind === 'etcd' ? settings : [])];
    startServer(state, member, all as [string, ...string[]]);
  }
  const stop = (): Promise<void> => stopServers(state);
  const unstarted = await Promise.all(members.map((member) => findStartFailure(state, kind, member)));
  const problem = unstarted.find((text) => text !== undefined);
  if (problem !== undefined) {
    await stop();
    return err(problem);
  }
  const addresses = members.map(({ place, port }) => `${place.ip}:${port}`);
  return ok({
    kind,
    servers: members.map(({ name, port }) => ({ name, port, pid: () => state.processes.get(name)?.pid ?? 0 })),
    url: `${kind === 'etcd' ? 'etcd' : 'zk'}://${addresses.join(',')}`,
    failure,
    stop,
  });
}

async function memberOf(kind: ServerKind, number: number, options: LocalServiceOptions): Promise<Member> {
  const name = `${kind}-${number}`;
  return {
    number,
    name,
    place: (await options.placeOf?.(name)) ?? { ip: LOOPBACK, command: [] },
    directory: join(options.directory, name),
    port: await findFreePort(LOOPBACK),
    peerPorts: [await findFreePort(LOOPBACK), await findFreePort(LOOPBACK)],
  };
}

const logOf = ({ directory }: Member): string => join(directory, 'log');

/** LOCALSERVER-2 */
function startServer(state: State, member: Member, command: readonly [string, ...string[]]): void {
  const [program, ...argv] = command;
  const startedAtMs = performance.now();
  const log = openSync(logOf(member), 'a', 0o600);
  // In a session of its own: Ctrl-C reaches the parent only, which then ends its processes in order.
  const child = spawn(program, argv, { stdio: ['ignore', log, log], cwd: member.directory, detached: true });
  closeSync(log);
  state.processes.set(member.name, child);
  if (child.pid !== undefined) state.options.onProcess?.(child.pid);
  child.once('error', () => {});
  void endOf(child).then(() => {
    if (state.isStopping) return;
    const isStartFailure = child.exitCode !== null && performance.now() - startedAtMs < MIN_RUN_MS;
    if (state.options.restarts !== true || isStartFailure) {
      state.fail(`${member.name} ended; its log is ${logOf(member)}`);
      return;
    }
    setTimeout(() => {
      if (!state.isStopping) startServer(state, member, command);
    }, RESTART_PAUSE_MS);
  });
}

const hasEnded = ({ exitCode, signalCode, pid }: ChildProcess): boolean =>
  exitCode !== null || signalCode !== null || pid === undefined;

const endOf = (child: ChildProcess): Promise<void> =>
  new Promise((resolve) => {
    if (hasEnded(child)) return resolve();
    child.once('exit', () => resolve());
  });

/** LOCALSERVER-1 */
async function stopServers(state: State): Promise<void> {
  state.isStopping = true;
  for (const child of state.processes.values()) child.kill('SIGKILL');
  await Promise.all([...state.processes.values()].map(endOf));
}

/** Waits for the server; undefined once it answers. */
async function findStartFailure(state: State, kind: ServerKind, member: Member): Promise<string | undefined> {
  const answers = kind === 'etcd' ? isEtcdUp : isZooKeeperUp;
  for (const untilMs = performance.now() + START_TIMEOUT_MS; !(await answers(member.place.ip, member.port)); ) {
    const child = state.processes.get(member.name);
    if (performance.now() > untilMs || child === undefined || hasEnded(child))
      return `the ${kind} server did not start; its log is ${logOf(member)}`;
    await new Promise((resolve) => setTimeout(resolve, CHECK_PAUSE_MS));
  }
  return undefined;
}

function zooKeeperCommand(
  { directory, number, place, port }: Member,
  members: readonly Member[],
  settings: readonly string[],
): readonly string[] {
  const ensemble = members.map(
    (each) => `server.${each.number}=${each.place.ip}:${each.peerPorts[0]}:${each.peerPorts[1]}`,
  );
  const lines = [
    `tickTime=${TICK_MS}`,
    `dataDir=${directory}/data`,
    `clientPort=${port}`,
    `clientPortAddress=${place.ip}`,
    'admin.enableServer=false',
    'maxClientCnxns=0',
    // Of several servers a silent one is replaced sooner than by default, within the term of a master.
    ...(members.length > 1 ? ['initLimit=10', 'syncLimit=2', ...ensemble] : []),
    ...settings,
  ];
  const file = join(directory, 'zoo.cfg');
  writeFileSync(file, `${lines.join('\n')}\n`);
  mkdirSync(join(directory, 'data'), { recursive: true });
  writeFileSync(join(directory, 'data', 'myid'), `${number}\n`);
  const classPath = [JAR, ...FURTHER_JARS.map((name) => `${JARS}/${name}.jar`)].join(delimiter);
  const options = ['-Xmx256m', '-Dzookeeper.forceSync=no', '-Dorg.slf4j.simpleLogger.defaultLogLevel=warn'];
  return ['java', ...options, '-cp', classPath, 'org.apache.zookeeper.server.quorum.QuorumPeerMain', file];
}

const peerUrl = ({ place, peerPorts }: Member): string => `http://${place.ip}:${peerPorts[0]}`;

function etcdCommand(member: Member, members: readonly Member[]): readonly string[] {
  const { directory, name, place, port } = member;
  const [client, peer] = [`http://${place.ip}:${port}`, peerUrl(member)];
  return [
    'etcd',
    `--name=${name}`,
    `--data-dir=${join(directory, 'data')}`,
    `--listen-client-urls=${client}`,
    `--advertise-client-urls=${client}`,
    `--listen-peer-urls=${peer}`,
    `--initial-advertise-peer-urls=${peer}`,
    `--initial-cluster=${members.map((each) => `${each.name}=${peerUrl(each)}`).join(',')}`,
    '--auto-compaction-mode=revision',
    '--auto-compaction-retention=1000',
  ];
}

const isEtcdUp = (host: string, port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const request = get({ host, port, path: '/health', timeout: CHECK_TIMEOUT_MS }, (answer) => {
      answer.resume();
      resolve(answer.statusCode === 200);
    });
    request.on('timeout', () => request.destroy());
    request.on('error', () => resolve(false));
  });

const isZooKeeperUp = (host: string, port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const handlers = {
      onOpen: () => connection.write(connectFrame(NEW_SESSION, 0n, 2 * TICK_MS)),
      onFrame() {
        resolve(true);
        connection.end();
      },
      onClosed: () => resolve(false),
    };
    const connection = openConnection({ host, port }, undefined, handlers);
    // A server that is starting may never answer a connection.
    setTimeout(() => connection.destroy('no answer'), CHECK_TIMEOUT_MS).unref();
  });
