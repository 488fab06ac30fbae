// Ends containers and reports their ends. One loop serves all containers that are being destroyed or whose first process
// has ended: each round reports the containers without a live process, then reads the process table once for the others
// and kills their processes.
//
// Rounds take at most a tenth of this process' time however many containers end: the pause after a round grows with its
// duration.
//
// ENDINGS-1: `exited` is reported once a container, when its status is known and none of its processes lives.
import type { ContainerId } from '@meseta/base';
import { createSessionWatch, readProcessTable, type SessionWatch, stillLives } from '../../processes/process-table.js';
import { type RecordedEnd, toExitStatus } from '../../supervisor/exit-record.js';
import type { ExitStatus } from '../../types.js';
import {
  type Container,
  findContainerProcesses,
  isSupervisorAlive,
  type PosixState,
  readRecord,
  updateContainer,
} from './state.js';

const SIGKILL = 9;
const SIGSTOP = 19;
const MIN_PAUSE_MS = 10;
const MAX_PAUSE_MS = 1000;
const MAX_PAUSE_AFTER_ROUND_MS = 100;
/** How many times as long as a round the pause after it is. */
const PAUSE_PER_ROUND = 9;

export interface Endings {
  firstProcessEnded(containerId: ContainerId, end: RecordedEnd): void;
  /** The first process has ended with the `$?` of a shell; the container's record may say more. */
  shellReportedEnd(containerId: ContainerId, code: number): Promise<void>;
  /** The first process has ended, and its status can't be known any more. */
  statusLost(containerId: ContainerId): void;
  destroy(containerId: ContainerId): void;
  stop(): void;
}

/** Kills the live processes of a container. Returns whether there were any. They are stopped first, so that none forks. */
function killMembers(state: PosixState, members: readonly { readonly pid: number }[]): boolean {
  for (const { pid } of members) state.processes.kill(pid, SIGSTOP);
  for (const { pid } of members) state.processes.kill(pid, SIGKILL);
  return members.length > 0;
}

/** The supervisors and the first processes of running containers: they are in no ended container's session. */
function runningPids(state: PosixState): ReadonlySet<number> {
  const pids = new Set<number>();
  for (const { phase, pid, supervisorPid } of state.containers.values()) {
    if (phase !== 'running' && phase !== 'ending') continue;
    if (supervisorPid !== undefined) pids.add(supervisorPid);
    if (pid !== undefined && phase === 'running') pids.add(pid);
  }
  return pids;
}

/** Those of the containers whose first process has ended that can have no other process, as their session is empty. */
function findEmptied(state: PosixState, watch: SessionWatch, ending: ReadonlySet<ContainerId>): readonly Container[] {
  const candidates = [...ending]
    .flatMap((id) => state.containers.get(id) ?? [])
    .filter(({ status }) => status !== undefined);
  if (candidates.length === 0) return [];
  const nonEmpty = watch.nonEmpty(new Set(candidates.flatMap(({ pid }) => pid ?? [])), runningPids(state));
  return candidates.filter(({ destroyed, pid }) => !destroyed && (pid === undefined || !nonEmpty.has(pid)));
}

/** Kills the remaining processes of the containers. Returns the ended containers that had none. */
async function killRemaining(state: PosixState, ending: ReadonlySet<ContainerId>): Promise<readonly Container[]> {
  // Their status as it is before the reading: a process that is not in a later table can't appear any more.
  const containers = [...ending].flatMap((id) => state.containers.get(id) ?? []).filter(({ pid }) => pid !== undefined);
  const table = await readProcessTable(state.files);
  return containers.filter((container) => {
    const members = findContainerProcesses(table, container, state.foreignSessions);
    return !killMembers(state, members) && container.status !== undefined;
  });
}

export function createEndings(state: PosixState, afterExits: () => void): Endings {
  const ending = new Set<ContainerId>();
  const watch = createSessionWatch(state.files);
  let timer: NodeJS.Timeout | undefined;
  let isBusy = false;
  let pauseMs = MIN_PAUSE_MS;
  let nextRoundMs = 0;

  function report(containers: readonly Container[]): void {
    for (const { containerId, status } of containers) {
      ending.delete(containerId);
      if (status === undefined || state.containers.get(containerId)?.phase !== 'ending') continue;
      updateContainer(state, containerId, { phase: 'ended' });
      state.onEvent({ kind: 'exited', containerId, status });
    }
  }

  /** Returns the duration of the round without the handling of its events. */
  async function runRound(): Promise<number> {
    const startMs = performance.now();
    const emptied = findEmptied(state, watch, ending);
    let tookMs = performance.now() - startMs;
    report(emptied);
    const remaining = ending.size;
    if (remaining > 0) {
      const killStartMs = performance.now();
      const killed = await killRemaining(state, ending);
      tookMs += performance.now() - killStartMs;
      report(killed);
    }
    pauseMs = remaining > 0 ? Math.min(pauseMs * 2, MAX_PAUSE_MS) : MIN_PAUSE_MS;
    afterExits();
    return tookMs;
  }

  function schedule(): void {
    if (timer !== undefined || isBusy || ending.size === 0 || state.closed) return;
    const waitMs = Math.max(0, nextRoundMs - performance.now());
    timer = setTimeout(async () => {
      timer = undefined;
      isBusy = true;
      const tookMs = await runRound();
      isBusy = false;
      const pauseAfterMs = Math.max(pauseMs, Math.min(PAUSE_PER_ROUND * tookMs, MAX_PAUSE_AFTER_ROUND_MS));
      nextRoundMs = performance.now() + pauseAfterMs;
      schedule();
    }, waitMs);
  }

  function add(containerId: ContainerId): void {
    ending.add(containerId);
    pauseMs = MIN_PAUSE_MS;
    schedule();
  }

  function setStatus(containerId: ContainerId, status: ExitStatus): void {
    const container = state.containers.get(containerId);
    if (container === undefined || container.phase === 'ended' || container.status !== undefined) return;
    updateContainer(state, containerId, { phase: 'ending', status });
    add(containerId);
  }

  const firstProcessEnded = (containerId: ContainerId, end: RecordedEnd): void =>
    setStatus(containerId, toExitStatus(end, state.containers.get(containerId)?.sentSignals ?? new Set()));

  return {
    firstProcessEnded,
    async shellReportedEnd(containerId, code) {
      const recorded = code > 128 ? (await readRecord(state, containerId)).end : undefined;
      firstProcessEnded(containerId, recorded ?? { kind: 'shell', code, isSignalReported: false });
    },
    statusLost: (containerId) => setStatus(containerId, { kind: 'unknown' }),
    destroy(containerId) {
      const container = updateContainer(state, containerId, { destroyed: true });
      if (container?.pid === undefined || container.phase === 'ended') return;
      // After its end the pid, and with it the group's, may be reused.
      if (container.phase === 'running') state.processes.kill(-container.pid, SIGKILL);
      add(containerId);
    },
    stop: () => clearTimeout(timer),
  };
}

const WATCH_INTERVAL_MS = 5000;
const LAUNCH_TIMEOUT_MS = 60_000;

/**
 * Finds containers whose supervisor has ended without an event (killed by the kernel or an operator), and containers whose
 * events were lost. Returns a function that stops the watch.
 */
export function watchSupervisors(
  state: PosixState,
  endings: Endings,
  reportNeverLaunched: (containerId: ContainerId, reason: string) => Promise<void>,
): () => void {
  async function checkContainer(container: Container): Promise<void> {
    const { containerId } = container;
    const { first } = await readRecord(state, containerId);
    const isAlive = first !== undefined && isSupervisorAlive(state, first);
    // Read after the check, so it contains all that a supervisor wrote before it was found dead.
    const { end } = await readRecord(state, containerId);
    if (isAlive && end === undefined) return;
    if (state.containers.get(containerId)?.phase !== container.phase) return;
    if (first === undefined) {
      await reportNeverLaunched(containerId, 'its supervisor ended before the command was started');
      return;
    }
    if (container.pid === undefined) {
      updateContainer(state, containerId, { pid: first.pid, startTicks: first.startTicks });
    }
    if (end !== undefined) endings.firstProcessEnded(containerId, end);
    // Without its supervisor the command may run on; its status is lost when it ends.
    else if (!stillLives(state.files, first)) endings.statusLost(containerId);
  }
  async function checkContainers(): Promise<void> {
    const nowMs = performance.now();
    for (const container of [...state.containers.values()]) {
      if (state.closed) return;
      const isLate = container.phase === 'launching' && nowMs - container.launchedMs > LAUNCH_TIMEOUT_MS;
      if (container.phase === 'running' || isLate) await checkContainer(container);
    }
  }
  let isChecking = false;
  const timer = setInterval(async () => {
    if (isChecking) return;
    isChecking = true;
    await checkContainers();
    isChecking = false;
  }, WATCH_INTERVAL_MS);
  timer.unref();
  return () => clearInterval(timer);
}
