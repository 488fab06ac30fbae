// Real daemons for tests: started from the checkout's own command, each in a directory that is removed at the end.
import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, existsSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const END_TIMEOUT_MS = 15_000;
const meseta = join(process.cwd(), 'bin/meseta');

export interface TestCluster {
  readonly directory: string;
  readonly master: string;
  readonly agent: string;
  startMaster(): Promise<void>;
  startAgent(): Promise<void>;
  /** kill -9, and waits until the process is gone. */
  kill(name: 'master' | 'agent'): Promise<void>;
  pidOf(name: 'master' | 'agent'): number;
  stop(): Promise<void>;
}

export async function until(what: string, probe: () => boolean | Promise<boolean>, timeoutMs = 60_000): Promise<void> {
  const deadline = Date.now() + timeoutMs;
  while (!(await probe())) {
    if (Date.now() > deadline) throw new Error(`${timeoutMs} ms passed, still waiting for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

export async function createTestCluster(
  masterFlags: readonly string[] = [],
  agentFlags: readonly string[] = [],
  nodeFlags: readonly string[] = [],
): Promise<TestCluster> {
  const directory = mkdtempSync(join(tmpdir(), 'meseta-test-'));
  const masterPort = await freePort();
  const agentPort = await freePort();
  const running = new Map<string, ChildProcess>();

  const start = async (name: 'master' | 'agent', port: number, flags: readonly string[]): Promise<void> => {
    const log = openSync(join(directory, `${name}.log`), 'a');
    const argv = [
      ...nodeFlags,
      meseta,
      name,
      '--ip=127.0.0.1',
      '--hostname=localhost',
      `--port=${port}`,
      `--work_dir=${join(directory, name)}`,
    ];
    running.set(name, spawn(process.execPath, [...argv, ...flags], { stdio: ['ignore', log, log], cwd: directory }));
    closeSync(log);
    await until(`${name} to answer`, () =>
      fetch(`http://127.0.0.1:${port}/health`).then(
        (answer) => answer.status === 200,
        () => false,
      ),
    ).catch((error: unknown) => {
      throw new Error(`${String(error)}\n${readFileSync(join(directory, `${name}.log`), 'utf8').slice(-3000)}`);
    });
  };
  const end = async (name: string, signal: NodeJS.Signals): Promise<void> => {
    const child = running.get(name);
    if (child === undefined) return;
    running.delete(name);
    const gone = new Promise<void>((resolve) => child.once('exit', () => resolve()));
    if (child.exitCode !== null || child.signalCode !== null) return;
    child.kill(signal);
    let late = false;
    const timer = setTimeout(() => {
      late = true;
      child.kill('SIGKILL');
    }, END_TIMEOUT_MS);
    await gone;
    clearTimeout(timer);
    if (late) throw new Error(`${name} did not end in ${END_TIMEOUT_MS} ms after ${signal}`);
  };

  return {
    directory,
    master: `127.0.0.1:${masterPort}`,
    agent: `127.0.0.1:${agentPort}`,
    startMaster: () => start('master', masterPort, ['--allocation_interval=100ms', ...masterFlags]),
    startAgent: () =>
      start('agent', agentPort, [
        `--master=127.0.0.1:${masterPort}`,
        `--runtime_dir=${join(directory, 'run')}`,
        `--fetcher_cache_dir=${join(directory, 'fetch')}`,
        '--resources=cpus:16;mem:16384;disk:16384;ports:[31000-32000]',
        ...agentFlags,
      ]),
    kill: (name) => end(name, 'SIGKILL'),
    pidOf: (name) => running.get(name)?.pid ?? 0,
    async stop() {
      // SIGUSR1 makes an agent end its tasks and unregister (Mesos: docs/agent-recovery).
      await end('agent', 'SIGUSR1');
      await end('master', 'SIGTERM');
      if (existsSync(directory)) rmSync(directory, { recursive: true, force: true });
    },
  };
}

export const freePort = (): Promise<number> =>
  new Promise((resolve) => {
    const server = createServer();
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => resolve(typeof address === 'object' && address !== null ? address.port : 0));
    });
  });
