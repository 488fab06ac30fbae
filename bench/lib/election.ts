// A failover with an election: the leader is killed, a standby is elected, and agents and frameworks come back to it.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type DaemonProcess, loopbackFlags, startDaemonProcess, untilHealthy } from '@meseta/cli/daemon-process';
import { freePort } from '@meseta/cli/testing/daemons';
import { hasServer, SERVER_PACKAGES, startLocalService } from '@meseta/coordination/local-server';
import { type Emulator, startEmulator } from './emulator.js';
import type { FrameworksAnswer, FrameworksOrder } from './frameworks-process.js';
import { cpuOf, memoryOf } from './processes.js';
import { startWorker, type Worker } from './workers.js';

export interface ElectionSize {
  readonly agents: number;
  readonly frameworks: number;
  /** Each agent has one task of each of so many frameworks. */
  readonly tasksPerAgent: number;
  readonly sessionTimeoutMs: number;
}

/** Times in milliseconds. */
export interface Failover {
  /** From the death of the leader until the agents saw the next one. */
  readonly detection: number;
  /** The new leader's read of the registry. */
  readonly registryRead: number;
  /** From the detection on, of each agent and framework. */
  readonly agents: readonly number[];
  readonly frameworks: readonly number[];
  /** Of each agent, from its first re-registration, after its pause. */
  readonly agentsAfterPause: readonly number[];
  /** The new leader's processor time from the death of the old one until all were back. */
  readonly cpu: number;
  /** The longest pause of the standby's event loop while it rehearsed; undefined without a rehearsal. */
  readonly longestPause: number | undefined;
  readonly rssMiB: number;
}

const HEALTH_TIMEOUT_MS = 120_000;
const READY_TIMEOUT_MS = 600_000;
/** As bin/meseta starts a master. */
const NODE_FLAGS = ['--max-old-space-size=4096', '--max-semi-space-size=8', '--heap-growing-percent=40'];
const MASTER_FILE = fileURLToPath(new URL('../lib/standby-process.mjs', import.meta.url));
/** For a standby without a rehearsal, as long as one with a rehearsal idles after it. */
const IDLE_MS = 15_000;

/** What to install if this machine has no server that elects; undefined if it has one. */
export const lacksServer = (): string | undefined =>
  hasServer('etcd') || hasServer('zookeeper') ? undefined : SERVER_PACKAGES.etcd;

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
const wall = (): number => performance.timeOrigin + performance.now();

interface Master {
  readonly process: DaemonProcess;
  readonly address: string;
}

/** The lines of the log that contain the text, with their times. */
const linesWith = (
  { logFile }: DaemonProcess,
  text: string,
): readonly { readonly line: string; readonly ms: number }[] =>
  readFileSync(logFile, 'utf8')
    .split('\n')
    .filter((line) => line.includes(text))
    .map((line) => ({ line, ms: Date.parse(`${line.slice(0, 23).replace(' ', 'T')}Z`) }));

async function untilLogged(daemon: DaemonProcess, text: string): Promise<void> {
  for (const untilMs = wall() + READY_TIMEOUT_MS; linesWith(daemon, text).length === 0; await sleep(200)) {
    if (wall() > untilMs) throw new Error(`${daemon.logFile} has no line with ${text}`);
  }
}

async function pauseOf({ address }: Master): Promise<number> {
  const answer = await fetch(`http://${address}/metrics/snapshot`);
  const metrics = (await answer.json()) as Readonly<Record<string, number>>;
  return metrics['meseta/event_loop_pause_ms/max'] ?? Number.NaN;
}

/** Measures one failover with a standby that rehearses or does not. */
export async function measureFailover(size: ElectionSize, rehearses: boolean): Promise<Failover> {
  const directory = mkdtempSync(join(tmpdir(), 'meseta-bench-'));
  const kind = hasServer('etcd') ? 'etcd' : 'zookeeper';
  const server = await startLocalService(kind, { directory });
  if (!server.ok) throw new Error(server.error);
  const address = `${server.value.url}/bench`;
  const masters: DaemonProcess[] = [];
  const frameworks = startWorker<FrameworksOrder, FrameworksAnswer>('frameworks');
  let emulator: Emulator | undefined;
  const startMaster = async (name: string): Promise<Master> => {
    const port = await freePort();
    const started = startDaemonProcess({
      kind: 'master',
      command: [process.execPath, ...NODE_FLAGS, MASTER_FILE],
      flags: [
        ...loopbackFlags('master', port, join(directory, name)),
        `--${kind === 'etcd' ? 'coordinator' : 'zk'}=${address}`,
        `--zk_session_timeout=${size.sessionTimeoutMs}ms`,
        '--max_agents_per_address=1000000',
      ],
      logFile: join(directory, `${name}.log`),
      environment: { ...process.env, MESETA_BENCH_REHEARSES: rehearses ? '1' : '0' },
    });
    masters.push(started);
    await untilHealthy(started, `127.0.0.1:${port}`, HEALTH_TIMEOUT_MS);
    return { process: started, address: `127.0.0.1:${port}` };
  };
  try {
    const leader = await startMaster('leader');
    await untilLogged(leader.process, 'elected; the registry has');
    emulator = await startEmulator({ master: leader.address, agents: size.agents, processes: 2 });
    await emulator.register();
    const { infos } = await frameworks.ask({ kind: 'subscribe', master: address, count: size.frameworks });
    const shares = infos.slice(0, size.tasksPerAgent).map((info) => ({ info, tasksPerAgent: 1 }));
    await emulator.assignTasks(shares);
    await emulator.follow(address, size.sessionTimeoutMs);
    const standby = await startMaster('standby');
    if (rehearses) await untilLogged(standby.process, 'ready to lead');
    const longestPause = rehearses ? await pauseOf(standby) : undefined;
    await sleep(IDLE_MS);
    return { ...(await failOver(leader, standby, emulator, frameworks)), longestPause };
  } finally {
    await frameworks.stop();
    await emulator?.stop();
    for (const master of masters) await master.stop({ signal: 'SIGKILL', timeoutMs: 5000 });
    await server.value.stop();
    rmSync(directory, { recursive: true, force: true });
  }
}

async function failOver(
  leader: Master,
  standby: Master,
  emulator: Emulator,
  frameworks: Worker<FrameworksOrder, FrameworksAnswer>,
): Promise<Omit<Failover, 'longestPause'>> {
  const returned = emulator.awaitReturn();
  const subscribed = frameworks.ask({ kind: 'awaitReturn' });
  const cpu = cpuOf(standby.process.pid);
  const killedMs = wall();
  await leader.process.stop({ signal: 'SIGKILL', timeoutMs: 5000 });
  const [agents, { subscribedMs }] = await Promise.all([returned, subscribed]);
  const since = (times: readonly number[]): readonly number[] => times.map((ms) => ms - agents.detectedMs);
  const [begun] = linesWith(standby.process, 'elected: the term');
  const [read] = linesWith(standby.process, 'elected; the registry has');
  return {
    detection: agents.detectedMs - killedMs,
    registryRead: (read?.ms ?? Number.NaN) - (begun?.ms ?? Number.NaN),
    agents: since(agents.answeredMs),
    frameworks: since(subscribedMs),
    agentsAfterPause: agents.tookMs,
    cpu: (cpuOf(standby.process.pid) - cpu) * 1000,
    rssMiB: memoryOf(standby.process.pid).rss / 1024,
  };
}
