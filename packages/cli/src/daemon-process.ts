// A master or an agent as a child process: `meseta up`, the integration tests and the benchmarks start theirs here.
//
// Boundary: one process on loopback; which daemons make a cluster, and where their state lies, is the caller's.
// DAEMON-PROCESS-1: after `stop` resolves the process has ended: it is killed if it does not end in time.
import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';

const POLL_MS = 20;
const HEALTH_TIMEOUT_MS = 2_000;
const LOG_LINES_SHOWN = 5;
const LOOPBACK = '127.0.0.1';

export type DaemonKind = 'master' | 'agent';

/** SIGUSR1 makes an agent end its tasks and unregister (Mesos: docs/agent-recovery.md). */
export const STOP_SIGNALS = { master: 'SIGTERM', agent: 'SIGUSR1' } as const satisfies Record<
  DaemonKind,
  NodeJS.Signals
>;

export interface DaemonProcess {
  readonly kind: DaemonKind;
  readonly pid: number;
  readonly logFile: string;
  /** Resolves when the process has ended, with its exit status or the signal that ended it. */
  readonly ended: Promise<string>;
  isRunning(): boolean;
  /** Sends the signal (by default the one that ends the daemon cleanly) and waits for the end of the process. */
  stop(options: { readonly signal?: NodeJS.Signals | undefined; readonly timeoutMs: number }): Promise<void>;
}

export interface DaemonProcessOptions {
  readonly kind: DaemonKind;
  /** The program and the arguments that precede the kind: `bin/meseta`, or Node with its options and `bin/meseta`. */
  readonly command: readonly [program: string, ...argv: string[]];
  readonly flags: readonly string[];
  /** Standard output and error are appended to it. */
  readonly logFile: string;
  /** This process' environment unless given. */
  readonly environment?: NodeJS.ProcessEnv | undefined;
  /** In a session of its own, Ctrl-C reaches the parent only, which then ends its daemons in order. */
  readonly hasOwnSession?: boolean;
}

/** Flags of a daemon, on loopback unless an address is given, that keeps all its state below `directory`. */
export function loopbackFlags(kind: DaemonKind, port: number, directory: string, ip = LOOPBACK): readonly string[] {
  const hostname = ip === LOOPBACK ? 'localhost' : ip;
  const flags = [`--ip=${ip}`, `--hostname=${hostname}`, `--port=${port}`, `--work_dir=${directory}`];
  if (kind === 'master') return flags;
  // The defaults lie below /tmp and /var, where another user's may exist.
  return [...flags, `--runtime_dir=${join(directory, 'run')}`, `--fetcher_cache_dir=${join(directory, 'fetch')}`];
}

export function startDaemonProcess(options: DaemonProcessOptions): DaemonProcess {
  const { kind, command, flags, logFile, environment, hasOwnSession = false } = options;
  const [program, ...argv] = command;
  const log = openSync(logFile, 'a');
  const child = spawn(program, [...argv, kind, ...flags], {
    stdio: ['ignore', log, log],
    detached: hasOwnSession,
    env: environment ?? process.env,
  });
  closeSync(log);
  const ended = new Promise<string>((resolve) => {
    child.once('exit', (code, signal) => resolve(String(signal ?? code)));
    child.once('error', (error) => resolve(error.message));
  });
  const isRunning = (): boolean => child.pid !== undefined && child.exitCode === null && child.signalCode === null;
  return {
    kind,
    pid: child.pid ?? 0,
    logFile,
    ended,
    isRunning,
    async stop({ signal = STOP_SIGNALS[kind], timeoutMs }) {
      if (isRunning()) await endProcess(child, ended, signal, timeoutMs);
    },
  };
}

/** DAEMON-PROCESS-1. */
async function endProcess(
  child: ChildProcess,
  ended: Promise<string>,
  signal: NodeJS.Signals,
  timeoutMs: number,
): Promise<void> {
  child.kill(signal);
  // A paused process gets the signal only when it continues.
  child.kill('SIGCONT');
  const timer = setTimeout(() => child.kill('SIGKILL'), timeoutMs);
  await ended;
  clearTimeout(timer);
}

/** The last lines of the daemon's log, under its path. */
export function logTail({ logFile }: Pick<DaemonProcess, 'logFile'>, lines = LOG_LINES_SHOWN): string {
  const last = readFileSync(logFile, 'utf8').trimEnd().split('\n').slice(-lines);
  return `the end of ${logFile}:\n${last.map((line) => `  ${line}`).join('\n')}`;
}

/** Resolves once the daemon answers /health; rejects if it ends or does not answer in time. */
export async function untilHealthy(daemon: DaemonProcess, address: string, timeoutMs: number): Promise<void> {
  const deadlineMs = performance.now() + timeoutMs;
  while (!(await isHealthy(address))) {
    if (!daemon.isRunning()) throw new Error(`the ${daemon.kind} ended (${await daemon.ended}); ${logTail(daemon)}`);
    if (performance.now() > deadlineMs) {
      throw new Error(`the ${daemon.kind} at ${address} did not answer /health in ${timeoutMs} ms; ${logTail(daemon)}`);
    }
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}

const isHealthy = (address: string): Promise<boolean> =>
  fetch(`http://${address}/health`, { signal: AbortSignal.timeout(HEALTH_TIMEOUT_MS) }).then(
    ({ status }) => status === 200,
    () => false,
  );

/** The port if it is free on loopback, or any free one for port 0; undefined if it is not free. */
export const findFreePort = (port = 0): Promise<number | undefined> =>
  new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(undefined));
    server.listen(port, LOOPBACK, () => {
      const address = server.address();
      server.close(() => resolve(typeof address === 'object' && address !== null ? address.port : undefined));
    });
  });
