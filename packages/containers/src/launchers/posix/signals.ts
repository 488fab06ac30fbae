// Signals to a container: every process of it gets them.
import type { ContainerId } from '@meseta/base';
import { type ProcessStat, type ProcessTable, stillLives } from '../../processes/process-table.js';
import { isUnreportedByShells } from '../../supervisor/exit-record.js';
import { type Container, findContainerProcesses, type PosixState, runtimeFile, updateContainer } from './state.js';

const SIGINT = 2;
const SIGQUIT = 3;
const SIGCONT = 18;
const SIGSTOP = 19;

/** How often the process table is read for one signal. */
const MAX_STOP_ROUNDS = 50;
const RESET_TIMEOUT_MS = 500;
const RESET_POLL_MS = 2;

/** Sends a signal, at once or as soon as the container runs. */
export function signalContainer(
  state: PosixState,
  readTable: () => Promise<ProcessTable>,
  containerId: ContainerId,
  signal: number,
): void {
  const container = state.containers.get(containerId);
  if (container === undefined) return;
  if (container.phase === 'running') void sendSignal(state, readTable, containerId, signal);
  if (container.phase === 'launching' && !container.pendingSignals.includes(signal)) {
    updateContainer(state, containerId, { pendingSignals: [...container.pendingSignals, signal] });
  }
}

/** Sends the signals that waited for the start of the container. */
export function sendPendingSignals(
  state: PosixState,
  readTable: () => Promise<ProcessTable>,
  { containerId, pendingSignals }: Container,
): void {
  for (const signal of pendingSignals) void sendSignal(state, readTable, containerId, signal);
}

async function sendSignal(
  state: PosixState,
  readTable: () => Promise<ProcessTable>,
  containerId: ContainerId,
  signal: number,
): Promise<void> {
  const container = state.containers.get(containerId);
  if (container?.pid === undefined) return;
  const { sentSignals } = container;
  if (isUnreportedByShells(signal) && !sentSignals.has(signal)) {
    updateContainer(state, containerId, { sentSignals: new Set([...sentSignals, signal]) });
    await state.files.write(runtimeFile(state, containerId, 'sent'), `${signal}\n`, { append: true });
  }
  await waitUntilNotIgnored(state, container, signal);
  if (state.containers.get(containerId)?.phase === 'running') await signalTree(state, readTable, container, signal);
}

/** Shells ignore INT and QUIT in their background processes, until the launch has reset them: an early one waits for that. */
async function waitUntilNotIgnored(state: PosixState, { pid, launchedMs }: Container, signal: number): Promise<void> {
  if (signal !== SIGINT && signal !== SIGQUIT) return;
  while (performance.now() - launchedMs < RESET_TIMEOUT_MS) {
    const status = state.files.readTextNow(`/proc/${pid}/status`) ?? '';
    const ignored = BigInt(`0x${/^SigIgn:\s*([0-9a-f]+)/m.exec(status)?.[1] ?? '0'}`);
    if (((ignored >> BigInt(signal - 1)) & 1n) === 0n) return;
    await new Promise((resolve) => setTimeout(resolve, RESET_POLL_MS));
  }
}

/**
 * Stops every process before the next reading of the table, so that none forks unseen. Then all get the signal and continue,
 * except those that have ended: another process may have their pid by now (POSIX-4). Processes that fork and end without
 * pause are followed for a limited number of rounds.
 */
async function signalTree(
  { files, processes, foreignSessions }: PosixState,
  readTable: () => Promise<ProcessTable>,
  container: Container,
  signal: number,
): Promise<void> {
  const stopped = new Map<number, ProcessStat>();
  for (let round = 0; round < MAX_STOP_ROUNDS; round++) {
    const members = findContainerProcesses(await readTable(), container, foreignSessions);
    const found = members.filter(({ pid, startTicks }) => stopped.get(pid)?.startTicks !== startTicks);
    if (found.length === 0) break;
    for (const stat of found) {
      stopped.set(stat.pid, stat);
      processes.kill(stat.pid, SIGSTOP);
    }
  }
  const live = [...stopped.values()].filter((stat) => stillLives(files, stat));
  for (const { pid } of live) processes.kill(pid, signal);
  for (const { pid } of live) processes.kill(pid, SIGCONT);
}
