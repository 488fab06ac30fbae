// A ZooKeeper or etcd server on this machine's loopback, for `meseta up` and tests. Its programs are the distribution's.
//
// Boundary: one server without authentication; its directory is the caller's.
// LOCALSERVER-1: after `stop` resolves the server has ended.
import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, existsSync, openSync, writeFileSync } from 'node:fs';
import { get } from 'node:http';
import { createServer } from 'node:net';
import { delimiter, join } from 'node:path';
import { err, ok, type Result } from '@meseta/base';
import { openConnection } from './zookeeper/connection.js';
import { connectFrame, NEW_SESSION } from './zookeeper/protocol.js';

export type ServerKind = 'zookeeper' | 'etcd';

export interface LocalServer {
  readonly kind: ServerKind;
  readonly port: number;
  /** The address without a path: `zk://127.0.0.1:2181`. */
  readonly url: string;
  readonly pid: number;
  readonly ended: Promise<void>;
  stop(): Promise<void>;
}

export interface LocalServerOptions {
  /** An existing directory for its state, its configuration and its log. */
  readonly directory: string;
  /** Added to the arguments of the program. */
  readonly arguments?: readonly string[];
  /** 127.0.0.1 unless given. */
  readonly ip?: string;
}

const JAR = '/usr/share/java/zookeeper.jar';
const START_TIMEOUT_MS = 60_000;
const CHECK_PAUSE_MS = 100;
const CHECK_TIMEOUT_MS = 2000;
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

/** The error is a message for the person who started it. */
export async function startLocalServer(
  kind: ServerKind,
  options: LocalServerOptions,
): Promise<Result<LocalServer, string>> {
  if (!hasServer(kind)) return err(`no ${kind} server on this machine: apt-get install ${SERVER_PACKAGES[kind]}`);
  const { directory, ip = '127.0.0.1' } = options;
  const port = await findFreePort(ip);
  const argv = kind === 'etcd' ? await etcdArguments(directory, ip, port) : zooKeeperArguments(directory, ip, port);
  const log = openSync(join(directory, 'log'), 'a', 0o600);
  const [program = '', ...rest] = [...argv, ...(options.arguments ?? [])];
  // In a session of its own: Ctrl-C reaches the parent only, which then ends its processes in order.
  const child = spawn(program, rest, { stdio: ['ignore', log, log], cwd: directory, detached: true });
  closeSync(log);
  const ended = new Promise<void>((resolve) => {
    child.once('exit', () => resolve());
    child.once('error', () => resolve());
  });
  const stop = async (): Promise<void> => {
    child.kill('SIGKILL');
    await ended;
  };
  const answers = kind === 'etcd' ? etcdAnswers : zooKeeperAnswers;
  for (const untilMs = performance.now() + START_TIMEOUT_MS; !(await answers(ip, port)); ) {
    if (performance.now() > untilMs || hasEnded(child)) {
      await stop();
      return err(`the ${kind} server did not start; its log is ${join(directory, 'log')}`);
    }
    await new Promise((resolve) => setTimeout(resolve, CHECK_PAUSE_MS));
  }
  const url = `${kind === 'etcd' ? 'etcd' : 'zk'}://${ip}:${port}`;
  return ok({ kind, port, url, pid: child.pid ?? 0, ended, stop });
}

const hasEnded = ({ exitCode, signalCode, pid }: ChildProcess): boolean =>
  exitCode !== null || signalCode !== null || pid === undefined;

function zooKeeperArguments(directory: string, ip: string, port: number): readonly string[] {
  const lines = [
    `tickTime=${TICK_MS}`,
    `dataDir=${directory}/data`,
    `clientPort=${port}`,
    `clientPortAddress=${ip}`,
    'admin.enableServer=false',
    'maxClientCnxns=0',
  ];
  const file = join(directory, 'zoo.cfg');
  writeFileSync(file, `${lines.join('\n')}\n`);
  const main = 'org.apache.zookeeper.server.quorum.QuorumPeerMain';
  return ['java', '-Xmx256m', '-Dzookeeper.forceSync=no', '-cp', JAR, main, file];
}

async function etcdArguments(directory: string, ip: string, port: number): Promise<readonly string[]> {
  const [client, peer] = [`http://${ip}:${port}`, `http://${ip}:${await findFreePort(ip)}`];
  return [
    'etcd',
    '--name=local',
    `--data-dir=${join(directory, 'data')}`,
    `--listen-client-urls=${client}`,
    `--advertise-client-urls=${client}`,
    `--listen-peer-urls=${peer}`,
    `--initial-advertise-peer-urls=${peer}`,
    `--initial-cluster=local=${peer}`,
    '--auto-compaction-mode=revision',
    '--auto-compaction-retention=1000',
  ];
}

const etcdAnswers = (host: string, port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const request = get({ host, port, path: '/health', timeout: CHECK_TIMEOUT_MS }, (answer) => {
      answer.resume();
      resolve(answer.statusCode === 200);
    });
    request.on('timeout', () => request.destroy());
    request.on('error', () => resolve(false));
  });

const zooKeeperAnswers = (host: string, port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const handlers = {
      onOpen: () => connection.write(connectFrame(NEW_SESSION, 0n, 2 * TICK_MS)),
      onFrame() {
        resolve(true);
        connection.end();
      },
      onClosed: () => resolve(false),
    };
    const connection = openConnection({ host, port }, handlers);
    // A server that is starting may never answer a connection.
    setTimeout(() => connection.destroy('no answer'), CHECK_TIMEOUT_MS).unref();
  });
