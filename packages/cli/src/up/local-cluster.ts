// A cluster of real processes on this machine: one master and some agents.
//
// Owns: the processes that it started, and the directory of their state if it made that.
// LOCAL-CLUSTER-1: `stop` leaves no process of the cluster: agents end their tasks first, then the master ends; a process
//     that does not end in time is killed.
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CommandError } from '../command.js';
import {
  type DaemonKind,
  type DaemonProcess,
  findFreePort,
  logTail,
  loopbackFlags,
  startDaemonProcess,
  untilHealthy,
} from '../daemon-process.js';

const START_TIMEOUT_MS = 30_000;
const STOP_TIMEOUT_MS = 10_000;

export interface LocalClusterOptions {
  readonly agents: number;
  /** The first port to try for the master; the agents take the next free ones. */
  readonly port: number;
  /** Kept after the end. Undefined: a temporary directory that is removed at the end. */
  readonly workDir: string | undefined;
  /** The resources of each agent, as its flag takes them. */
  readonly resources: string;
}

export interface LocalCluster {
  readonly master: string;
  readonly agents: readonly string[];
  readonly workDir: string;
  /** Resolves with the reason when a process ends unexpectedly. */
  readonly failure: Promise<string>;
  stop(): Promise<void>;
}

export async function startLocalCluster(options: LocalClusterOptions): Promise<LocalCluster> {
  const workDir = options.workDir ?? mkdtempSync(join(tmpdir(), 'meseta-up-'));
  mkdirSync(workDir, { recursive: true });
  const started: DaemonProcess[] = [];
  let isStopping = false;
  let fail: (reason: string) => void = () => undefined;
  const failure = new Promise<string>((resolve) => {
    fail = resolve;
  });
  const start = async (kind: DaemonKind, name: string, port: number, flags: readonly string[]): Promise<string> => {
    const daemon = startDaemonProcess({
      kind,
      command: [process.execPath, ...process.execArgv, process.argv[1] as string],
      flags: [...loopbackFlags(kind, port, join(workDir, name)), ...flags],
      logFile: join(workDir, `${name}.log`),
      hasOwnSession: true,
    });
    started.push(daemon);
    daemon.ended.then((how) => {
      if (!isStopping) fail(`${name} ended (${how}); ${logTail(daemon)}`);
    });
    const address = `127.0.0.1:${port}`;
    await untilHealthy(daemon, address, START_TIMEOUT_MS);
    return address;
  };
  const stop = async (): Promise<void> => {
    isStopping = true;
    await stopAll(started, 'agent');
    await stopAll(started, 'master');
    if (options.workDir === undefined) rmSync(workDir, { recursive: true, force: true });
  };

  try {
    const [masterPort, ...agentPorts] = (await freePorts(options.port, 1 + options.agents)) as [number, ...number[]];
    const master = await start('master', 'master', masterPort, []);
    const starting = agentPorts.map((port, at) => {
      const name = `agent-${at + 1}`;
      const flags = [`--master=${master}`, `--resources=${options.resources}`, `--attributes=name:${name}`];
      return start('agent', name, port, flags);
    });
    return { master, agents: await Promise.all(starting), workDir, failure, stop };
  } catch (error) {
    await stop();
    throw new CommandError(`the cluster did not start: ${error instanceof Error ? error.message : String(error)}`);
  }
}

const stopAll = (daemons: readonly DaemonProcess[], kind: DaemonKind): Promise<unknown> =>
  Promise.all(
    daemons.filter((daemon) => daemon.kind === kind).map((daemon) => daemon.stop({ timeoutMs: STOP_TIMEOUT_MS })),
  );

/** The first `count` free ports from `first` on. */
async function freePorts(first: number, count: number): Promise<readonly number[]> {
  const ports: number[] = [];
  for (let port = first; ports.length < count; port++) {
    if (port > 65_535) throw new CommandError(`expected ${count} free ports from ${first} on, found ${ports.length}`);
    if ((await findFreePort(port)) !== undefined) ports.push(port);
  }
  return ports;
}
