// A cluster of real processes on this machine: one master, some agents, each started as `meseta master|agent`.
//
// Owns: the processes that it started and the directory of their state, if it made that.
// LOCAL-CLUSTER-1: `stop` leaves no process of the cluster's behind: agents are asked to end their tasks first (SIGUSR1),
//     what doesn't end in time is killed.
import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, mkdirSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CommandError } from '../command.js';

const START_TIMEOUT_MS = 30_000;
const STOP_TIMEOUT_MS = 10_000;
const POLL_MS = 50;

export interface LocalClusterOptions {
  readonly agents: number;
  /** The port that is tried first; agents take the ones after it. */
  readonly port: number;
  /** Kept after the end; without it a temporary directory that is removed. */
  readonly workDir: string | undefined;
  /** Each agent's, as its flag takes them. */
  readonly resources: string;
}

export interface LocalCluster {
  readonly master: string;
  readonly agents: readonly string[];
  readonly workDir: string;
  /** Settles with a text when a process ends that shouldn't have. */
  readonly failure: Promise<string>;
  stop(): Promise<void>;
}

interface Started {
  readonly name: string;
  readonly child: ChildProcess;
  readonly logFile: string;
  readonly ended: Promise<void>;
}

export async function startLocalCluster(options: LocalClusterOptions): Promise<LocalCluster> {
  const workDir = options.workDir ?? mkdtempSync(join(tmpdir(), 'meseta-up-'));
  mkdirSync(workDir, { recursive: true });
  const started: Started[] = [];
  let stopping = false;
  let fail: (text: string) => void = () => undefined;
  const failure = new Promise<string>((resolve) => {
    fail = resolve;
  });
  const start = (name: string, argv: readonly string[]): Started => {
    const process = startProcess(name, argv, workDir);
    started.push(process);
    process.child.once('exit', (code, signal) => {
      if (!stopping) fail(`${name} ended (${signal ?? code}); ${lastLines(process.logFile)}`);
    });
    return process;
  };
  const stop = async (): Promise<void> => {
    stopping = true;
    await stopAll(started);
    if (options.workDir === undefined) rmSync(workDir, { recursive: true, force: true });
  };

  try {
    const ports = await freePorts(options.port, 1 + options.agents);
    const [masterPort, ...agentPorts] = ports as [number, ...number[]];
    const master = `127.0.0.1:${masterPort}`;
    start('master', [
      'master',
      '--ip=127.0.0.1',
      `--port=${masterPort}`,
      `--work_dir=${join(workDir, 'master')}`,
      '--hostname=localhost',
    ]);
    await Promise.race([untilHealthy(master), thrown(failure)]);
    agentPorts.forEach((port, at) => {
      const name = `agent-${at + 1}`;
      start(name, [
        'agent',
        `--master=${master}`,
        '--ip=127.0.0.1',
        '--hostname=localhost',
        `--port=${port}`,
        `--work_dir=${join(workDir, name)}`,
        `--runtime_dir=${join(workDir, name, 'run')}`,
        // The default, below /tmp, may be another user's.
        `--fetcher_cache_dir=${join(workDir, name, 'fetch')}`,
        `--resources=${options.resources}`,
        `--attributes=name:${name}`,
      ]);
    });
    const agents = agentPorts.map((port) => `127.0.0.1:${port}`);
    await Promise.race([Promise.all(agents.map(untilHealthy)), thrown(failure)]);
    return { master, agents, workDir, failure, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function thrown(failure: Promise<string>): Promise<never> {
  throw new CommandError(`the cluster did not start: ${await failure}`);
}

/** Runs this very program with other arguments, its output in a file of its own. */
function startProcess(name: string, argv: readonly string[], workDir: string): Started {
  const logFile = join(workDir, `${name}.log`);
  const log = openSync(logFile, 'a');
  // A session of its own: Ctrl-C reaches only us, and we end the parts in the right order.
  const child = spawn(process.execPath, [...process.execArgv, process.argv[1] as string, ...argv], {
    stdio: ['ignore', log, log],
    detached: true,
  });
  closeSync(log);
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  return { name, child, logFile, ended };
}

const lastLines = (file: string): string => {
  const lines = readFileSync(file, 'utf8').trimEnd().split('\n').slice(-5);
  return `the end of ${file}:\n${lines.map((line) => `  ${line}`).join('\n')}`;
};

async function untilHealthy(address: string): Promise<void> {
  const deadline = Date.now() + START_TIMEOUT_MS;
  for (;;) {
    const healthy = await fetch(`http://${address}/health`, { signal: AbortSignal.timeout(2000) }).then(
      (answer) => answer.status === 200,
      () => false,
    );
    if (healthy) return;
    if (Date.now() > deadline) throw new CommandError(`${address} did not answer /health in ${START_TIMEOUT_MS} ms`);
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}

async function stopAll(started: readonly Started[]): Promise<void> {
  const agents = started.filter(({ name }) => name !== 'master');
  const rest = started.filter(({ name }) => name === 'master');
  await endAll(agents, 'SIGUSR1');
  await endAll(rest, 'SIGTERM');
}

async function endAll(processes: readonly Started[], signal: NodeJS.Signals): Promise<void> {
  for (const { child } of processes) child.kill(signal);
  let timer: NodeJS.Timeout | undefined;
  const timeout = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, STOP_TIMEOUT_MS);
  });
  await Promise.race([Promise.all(processes.map(({ ended }) => ended)), timeout]);
  clearTimeout(timer);
  for (const { child } of processes) if (child.exitCode === null && child.signalCode === null) child.kill('SIGKILL');
  await Promise.all(processes.map(({ ended }) => ended));
}

/** The wanted port and the ones behind it where they are free, others where they aren't. */
async function freePorts(first: number, count: number): Promise<readonly number[]> {
  const ports: number[] = [];
  for (let wanted = first; ports.length < count; wanted++) {
    if (wanted > 65_535) throw new CommandError(`no ${count} free ports from ${first} on`);
    if (await isFree(wanted)) ports.push(wanted);
  }
  return ports;
}

const isFree = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
  });
