// Real daemons, started by the checkout's own command, in a directory that is removed at the end.
//
// Owns: the processes that it started and their directory.
// DAEMONS-1: `stop` leaves neither.
import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const START_TIMEOUT_MS = 60_000;
const STOP_TIMEOUT_MS = 60_000;

export interface Daemon {
  readonly pid: number;
  /** `ip:port` */
  readonly address: string;
  /** Ends it, and waits until it is gone. */
  stop(signal?: NodeJS.Signals): Promise<void>;
}

export interface Daemons {
  readonly directory: string;
  /** `port`: of an earlier one, to come back there. */
  master(flags?: readonly string[], port?: number): Promise<Daemon>;
  agent(master: string, flags?: readonly string[], port?: number): Promise<Daemon>;
  stop(): Promise<void>;
}

export const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

export async function until(what: string, probe: () => boolean | Promise<boolean>, timeoutMs: number): Promise<void> {
  const deadline = performance.now() + timeoutMs;
  while (!(await probe())) {
    if (performance.now() > deadline) throw new Error(`${timeoutMs} ms passed, still waiting for ${what}`);
    await pause(20);
  }
}

const freePort = (): Promise<number> =>
  new Promise((resolve) => {
    const server = createServer();
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => resolve(typeof address === 'object' && address !== null ? address.port : 0));
    });
  });

/** `nodeOptions`: of the daemons, such as `--cpu-prof`. */
export function createDaemons(nodeOptions: readonly string[] = profiling()): Daemons {
  const directory = mkdtempSync(join(tmpdir(), 'meseta-bench-'));
  const running = new Set<Daemon>();

  const start = async (name: string, port: number, flags: readonly string[], end: NodeJS.Signals): Promise<Daemon> => {
    const logFile = join(directory, `${name}.log`);
    const log = openSync(logFile, 'a');
    // As operators start it, with the sizes of heap that bin/meseta chooses; options of Node's own need Node itself.
    const command = nodeOptions.length === 0 ? ['bin/meseta'] : [process.execPath, ...nodeOptions, 'bin/meseta'];
    const [file, ...before] = command as [string, ...string[]];
    const argv = [name, '--ip=127.0.0.1', '--hostname=localhost', `--port=${port}`];
    const workDir = `--work_dir=${join(directory, name)}`;
    const child = spawn(file, [...before, ...argv, workDir, ...flags], { stdio: ['ignore', log, log] });
    closeSync(log);
    const address = `127.0.0.1:${port}`;
    const daemon: Daemon = {
      pid: child.pid ?? 0,
      address,
      async stop(signal = end) {
        running.delete(daemon);
        await ended(child, signal);
      },
    };
    running.add(daemon);
    await until(`${name} at ${address}`, () => isHealthy(child, address), START_TIMEOUT_MS).catch((cause: unknown) => {
      throw new Error(`${String(cause)}\n${readFileSync(logFile, 'utf8').slice(-3000)}`);
    });
    return daemon;
  };
  return {
    directory,
    // The agents of a benchmark are all on this machine.
    master: async (flags = [], port) =>
      start('master', port ?? (await freePort()), ['--max_agents_per_address=1000000', ...flags], 'SIGTERM'),
    agent: async (master, flags = [], port) =>
      // SIGUSR1: it ends its tasks and leaves (Mesos: docs/agent-recovery).
      start(
        'agent',
        port ?? (await freePort()),
        [
          `--master=${master}`,
          `--runtime_dir=${join(directory, 'run')}`,
          `--fetcher_cache_dir=${join(directory, 'fetch')}`,
          ...flags,
        ],
        'SIGUSR1',
      ),
    async stop() {
      for (const daemon of [...running].reverse()) await daemon.stop();
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

/** MESETA_BENCH_PROFILE=DIRECTORY leaves a CPU profile of each daemon there. */
function profiling(): readonly string[] {
  const into = process.env['MESETA_BENCH_PROFILE'];
  return into === undefined ? [] : ['--cpu-prof', `--cpu-prof-dir=${into}`];
}

async function isHealthy(child: ChildProcess, address: string): Promise<boolean> {
  if (child.exitCode !== null || child.signalCode !== null) throw new Error('it ended');
  const answer = await fetch(`http://${address}/health`, { signal: AbortSignal.timeout(2000) }).catch(() => undefined);
  return answer?.status === 200;
}

async function ended(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  child.kill(signal);
  const timer = setTimeout(() => child.kill('SIGKILL'), STOP_TIMEOUT_MS);
  await gone;
  clearTimeout(timer);
}
