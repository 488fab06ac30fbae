// Thousands of emulated agents in separate processes (agents-process.ts), and the commands that benchmarks send them.
import { type ChildProcess, fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { FrameworkInfo } from '@meseta/wire';

/** A task with this command ends once its TASK_RUNNING is acknowledged; other tasks continue. */
export const ENDING_COMMAND = 'exit 0';

export interface FrameworkShare {
  readonly info: FrameworkInfo;
  readonly tasksPerAgent: number;
}

export type EmulatorOrder =
  | {
      readonly kind: 'open';
      readonly master: string;
      readonly first: number;
      readonly count: number;
      readonly perAddress: number;
    }
  | { readonly kind: 'register' }
  | { readonly kind: 'assignTasks'; readonly frameworks: readonly FrameworkShare[] }
  | { readonly kind: 'reregister'; readonly master: string }
  /** From now on the agents follow the election, as real ones do: they re-register with each other leader. */
  | { readonly kind: 'follow'; readonly address: string; readonly sessionTimeoutMs: number }
  | { readonly kind: 'awaitReturn' }
  | { readonly kind: 'count' }
  /** Sends TASK_RUNNING updates with changed health for launched tasks, `perSecond` per second. */
  | { readonly kind: 'sendUpdates'; readonly perSecond: number; readonly forMs: number; readonly message: string };

/** Times are milliseconds of the wall clock. */
export type EmulatorReport =
  | { readonly kind: 'opened' }
  | { readonly kind: 'assigned' }
  | { readonly kind: 'updatesSent' }
  | { readonly kind: 'registered'; readonly beganMs: number; readonly endedMs: number }
  | { readonly kind: 'following' }
  | ({ readonly kind: 'returned' } & AgentReturns)
  | ({ readonly kind: 'counts' } & EmulatorCounts);

/** What happened after the election of another leader. */
export interface AgentReturns {
  /** When the last process of agents saw the new leader. */
  readonly detectedMs: number;
  /** Of each agent, when its re-registration was answered. */
  readonly answeredMs: readonly number[];
  /** Of each agent, the time from its first re-registration, after its pause, to the answer. */
  readonly tookMs: readonly number[];
}

export interface EmulatorCounts {
  readonly registered: number;
  readonly launched: number;
  readonly acknowledged: number;
  /** Messages sent to the master, and the bytes of their bodies. */
  readonly messages: number;
  readonly bytes: number;
}

export interface EmulatorOptions {
  readonly master: string;
  readonly agents: number;
  readonly processes?: number | undefined;
  /** The number of agents that share one address and its two sockets. */
  readonly perAddress?: number | undefined;
}

export interface Emulator {
  /** Returns the milliseconds from the first message to the last answer. */
  register(): Promise<number>;
  /** Gives each agent running tasks to report. */
  assignTasks(frameworks: readonly FrameworkShare[]): Promise<void>;
  reregister(master: string): Promise<number>;
  /** The agents follow the election at this address. */
  follow(address: string, sessionTimeoutMs: number): Promise<void>;
  /** Resolves when all agents have re-registered with another leader. */
  awaitReturn(): Promise<AgentReturns>;
  counts(): Promise<EmulatorCounts>;
  /** Sends status updates of launched tasks for `forMs`, `perSecond` from all agents together, each with that message. */
  sendUpdates(perSecond: number, forMs: number, message: string): Promise<void>;
  readonly pids: readonly number[];
  stop(): Promise<void>;
}

const ANSWER_TIMEOUT_MS = 180_000;

type ReportOf<Kind extends EmulatorReport['kind']> = Extract<EmulatorReport, { readonly kind: Kind }>;

function answer<Kind extends EmulatorReport['kind']>(
  child: ChildProcess,
  kind: Kind,
  order: EmulatorOrder,
): Promise<ReportOf<Kind>> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`emulated agents: no answer to ${order.kind}`)), ANSWER_TIMEOUT_MS);
    const onReport = (report: EmulatorReport): void => {
      if (report.kind !== kind) return;
      clearTimeout(timer);
      child.off('message', onReport);
      child.off('exit', onExit);
      resolve(report as ReportOf<Kind>);
    };
    const onExit = (): void => reject(new Error('a process of emulated agents ended'));
    child.on('message', onReport);
    child.once('exit', onExit);
    child.send(order);
  });
}

export async function startEmulator(options: EmulatorOptions): Promise<Emulator> {
  const { master, agents, processes = 1, perAddress = 1 } = options;
  const file = fileURLToPath(new URL('../lib/agents-process.mjs', import.meta.url));
  const children = Array.from({ length: processes }, () => fork(file, { execArgv: ['--max-semi-space-size=16'] }));
  const each = Math.ceil(agents / processes);
  const opening = children.map((child, at) => {
    const first = at * each;
    const count = Math.min(each, agents - first);
    return answer(child, 'opened', { kind: 'open', master, first, count, perAddress });
  });
  await Promise.all(opening);
  const all = <Kind extends EmulatorReport['kind']>(kind: Kind, order: EmulatorOrder): Promise<ReportOf<Kind>[]> =>
    Promise.all(children.map((child) => answer(child, kind, order)));
  const wave = async (order: EmulatorOrder): Promise<number> => {
    const reports = await all('registered', order);
    return Math.max(...reports.map((it) => it.endedMs)) - Math.min(...reports.map((it) => it.beganMs));
  };
  return {
    pids: children.flatMap(({ pid }) => pid ?? []),
    register: () => wave({ kind: 'register' }),
    async assignTasks(frameworks) {
      await all('assigned', { kind: 'assignTasks', frameworks });
    },
    async sendUpdates(perSecond, forMs, message) {
      await all('updatesSent', { kind: 'sendUpdates', perSecond: perSecond / processes, forMs, message });
    },
    reregister: (to) => wave({ kind: 'reregister', master: to }),
    async follow(address, sessionTimeoutMs) {
      await all('following', { kind: 'follow', address, sessionTimeoutMs });
    },
    async awaitReturn() {
      const reports = await all('returned', { kind: 'awaitReturn' });
      return {
        detectedMs: Math.max(...reports.map((report) => report.detectedMs)),
        answeredMs: reports.flatMap((report) => report.answeredMs),
        tookMs: reports.flatMap((report) => report.tookMs),
      };
    },
    async counts() {
      const reports = await all('counts', { kind: 'count' });
      const sum = (key: keyof EmulatorCounts): number => reports.reduce((total, report) => total + report[key], 0);
      return {
        registered: sum('registered'),
        launched: sum('launched'),
        acknowledged: sum('acknowledged'),
        messages: sum('messages'),
        bytes: sum('bytes'),
      };
    },
    async stop() {
      await Promise.all(
        children.map(async (child) => {
          if (child.exitCode !== null) return;
          const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
          child.disconnect();
          await ended;
        }),
      );
    },
  };
}
