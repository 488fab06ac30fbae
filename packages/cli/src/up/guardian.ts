// The guardian of a cluster on one machine: a process that ends the cluster's processes when the command that started them was
// killed and could not do it itself.
//
// Boundary: its standard input is the command. It gets a line for each process, and its end; a guardian that is dismissed is killed.
// GUARDIAN-1: when its standard input ends, every process that it was told of has ended soon after, also a paused one: agents,
//     which end their tasks, before masters and servers. A process that does not end in time is killed.
import { spawn } from 'node:child_process';
import { readFileSync, rmSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { STOP_SIGNALS } from '../daemon-process.js';

/** The argument of `meseta` that runs a guardian. */
export const GUARDIAN = 'cluster-guardian';

const SIGNALS = { ...STOP_SIGNALS, server: 'SIGKILL' } as const;
export type GuardedKind = keyof typeof SIGNALS;
const ORDER = ['agent', 'master', 'server'] as const satisfies readonly GuardedKind[];

const STOP_TIMEOUT_MS = 10_000;
const POLL_MS = 50;

export interface Guardian {
  /** To be called when the process has been started. */
  guard(kind: GuardedKind, pid: number): void;
  /** To be called when the processes have ended. */
  dismiss(): void;
}

/** `command` runs `meseta`. The guardian removes the directory, if there is one, at the end of its work. */
export function startGuardian(command: readonly [string, ...string[]], directory: string | undefined): Guardian {
  const [program, ...argv] = command;
  // In a session of its own, so that it outlives the terminal.
  const child = spawn(program, [...argv, GUARDIAN, ...(directory === undefined ? [] : [directory])], {
    stdio: ['pipe', 'ignore', 'ignore'],
    detached: true,
  });
  child.on('error', () => {});
  child.stdin.on('error', () => {});
  child.unref();
  return {
    guard(kind, pid) {
      child.stdin.write(`${kind} ${pid}\n`);
    },
    dismiss() {
      child.kill('SIGKILL');
      child.stdin.destroy();
    },
  };
}

interface Guarded {
  readonly pid: number;
  readonly startTime: string;
}

/** The time at which the process was started, in ticks of the kernel; undefined for a process that has ended. */
function startTimeOf(pid: number): string | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const [state, ...fields] = text.slice(text.lastIndexOf(')') + 2).split(' ');
    return state === 'Z' || state === 'X' ? undefined : fields[18];
  } catch {
    return undefined;
  }
}

/** False also if another process has the id by now. */
const isRunning = ({ pid, startTime }: Guarded): boolean => startTimeOf(pid) === startTime;

function signal({ pid }: Guarded, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch {
    // It has ended.
  }
}

/** GUARDIAN-1 */
async function endProcesses(processes: readonly Guarded[], name: NodeJS.Signals): Promise<void> {
  const running = processes.filter(isRunning);
  for (const each of running) {
    signal(each, name);
    signal(each, 'SIGCONT');
  }
  for (const untilMs = performance.now() + STOP_TIMEOUT_MS; running.some(isRunning); await sleep(POLL_MS)) {
    if (performance.now() < untilMs) continue;
    for (const each of running.filter(isRunning)) signal(each, 'SIGKILL');
  }
}

/** The process itself. */
export async function guardianMain([directory]: readonly string[]): Promise<number> {
  const guarded: { [K in GuardedKind]: Guarded[] } = { agent: [], master: [], server: [] };
  for await (const line of createInterface({ input: process.stdin })) {
    const [kind, pid] = line.split(' ');
    const startTime = startTimeOf(Number(pid));
    if (startTime !== undefined) guarded[kind as GuardedKind].push({ pid: Number(pid), startTime });
  }
  for (const kind of ORDER) await endProcesses(guarded[kind], SIGNALS[kind]);
  if (directory !== undefined) rmSync(directory, { recursive: true, force: true });
  return 0;
}
