// How containers end. One loop serves all that are being destroyed or whose first process has ended: each round
// reports those of which nothing is left, then reads the process table once for the others and kills what they have left.
//
// Rounds take a bounded part of this process' time (a tenth) however many containers end: the pause after a round grows
// with what it took.
//
// ENDINGS-1: `exited` is reported once a container, when its end is known and none of its processes lives.
import type { ContainerId } from '@meseta/base';
import {
  createSessionWatch,
  membersOf,
  readProcessTable,
  type SessionWatch,
  stillLives,
} from '../../processes/process-table.js';
import { exitStatus, type RecordedEnd } from '../../supervisor/exit-record.js';
import type { ExitStatus } from '../../types.js';
import { type Container, change, type PosixState, readRecord, supervisorLives } from './state.js';

const sigkill = 9;
const sigstop = 19;
const leastPauseMs = 10;
const greatestPauseMs = 1000;
const longestBreakMs = 100;

export interface Endings {
  /** The first process has ended. */
  firstEnded(containerId: ContainerId, end: RecordedEnd): void;
  /** It has ended with the `$?` of a shell, which may have said more in its record. */
  shellEnded(containerId: ContainerId, code: number): Promise<void>;
  /** Nobody will ever know how it ended. */
  lost(containerId: ContainerId): void;
  destroy(containerId: ContainerId): void;
  stop(): void;
}

/** Kills what lives of a container; whether anything did. Stopped first, so that nothing forks meanwhile. */
function killMembers(state: PosixState, members: readonly { readonly pid: number }[]): boolean {
  for (const member of members) state.processes.kill(member.pid, sigstop);
  for (const member of members) state.processes.kill(member.pid, sigkill);
  return members.length > 0;
}

/** The supervisors and the first processes of containers that run: they are in no ended container's session. */
function runningPids(state: PosixState): ReadonlySet<number> {
  const pids = new Set<number>();
  for (const { phase, pid, supervisor } of state.containers.values()) {
    if (phase !== 'running' && phase !== 'ending') continue;
    if (supervisor !== undefined) pids.add(supervisor);
    if (pid !== undefined && phase === 'running') pids.add(pid);
  }
  return pids;
}

/** Of those whose first process has ended, the ones of which nothing can be left, as their session is empty. */
function emptyOnes(state: PosixState, watch: SessionWatch, ending: ReadonlySet<ContainerId>): readonly Container[] {
  const over = [...ending].flatMap((id) => state.containers.get(id) ?? []).filter((it) => it.status !== undefined);
  if (over.length === 0) return [];
  const crowded = watch.nonEmpty(new Set(over.flatMap((it) => it.pid ?? [])), runningPids(state));
  return over.filter((it) => !it.destroyed && (it.pid === undefined || !crowded.has(it.pid)));
}

/** Kills what is left of these; answers those of which nothing was. */
async function killAll(state: PosixState, ending: ReadonlySet<ContainerId>): Promise<readonly Container[]> {
  const looked = [...ending].flatMap((id) => state.containers.get(id) ?? []).filter((it) => it.pid !== undefined);
  const table = await readProcessTable(state.files);
  const members = membersOf(table, new Set(looked.map((it) => it.pid as number)), state.foreignSessions);
  // As they were before the table was read: of one whose end was known then, what isn't in it can't come any more.
  return looked.filter((it) => !killMembers(state, members.get(it.pid as number) ?? []) && it.status !== undefined);
}

export function createEndings(state: PosixState, afterExits: () => void): Endings {
  const ending = new Set<ContainerId>();
  const watch = createSessionWatch(state.files);
  let timer: NodeJS.Timeout | undefined;
  let busy = false;
  let pauseMs = leastPauseMs;
  let notBeforeMs = 0;

  function finish(over: readonly Container[]): void {
    for (const { containerId, status } of over) {
      ending.delete(containerId);
      if (status === undefined || state.containers.get(containerId)?.phase !== 'ending') continue;
      change(state, containerId, { phase: 'ended' });
      state.onEvent({ kind: 'exited', containerId, status });
    }
  }

  /** Answers how long it looked, what is done with the events not counted. */
  async function round(): Promise<number> {
    const begunMs = performance.now();
    const empty = emptyOnes(state, watch, ending);
    let lookedMs = performance.now() - begunMs;
    finish(empty);
    const left = ending.size;
    if (left > 0) {
      const againMs = performance.now();
      const killed = await killAll(state, ending);
      lookedMs += performance.now() - againMs;
      finish(killed);
    }
    pauseMs = left > 0 ? Math.min(pauseMs * 2, greatestPauseMs) : leastPauseMs;
    afterExits();
    return lookedMs;
  }

  function schedule(): void {
    if (timer !== undefined || busy || ending.size === 0 || state.closed) return;
    const waitMs = Math.max(0, notBeforeMs - performance.now());
    timer = setTimeout(async () => {
      timer = undefined;
      busy = true;
      const lookedMs = await round();
      busy = false;
      notBeforeMs = performance.now() + Math.max(pauseMs, Math.min(9 * lookedMs, longestBreakMs));
      schedule();
    }, waitMs);
  }

  function add(containerId: ContainerId): void {
    ending.add(containerId);
    pauseMs = leastPauseMs;
    schedule();
  }

  function end(containerId: ContainerId, status: ExitStatus): void {
    const container = state.containers.get(containerId);
    if (container === undefined || container.phase === 'ended' || container.status !== undefined) return;
    change(state, containerId, { phase: 'ending', status });
    add(containerId);
  }

  const firstEnded = (containerId: ContainerId, recorded: RecordedEnd): void =>
    end(containerId, exitStatus(recorded, state.containers.get(containerId)?.sent ?? new Set()));

  return {
    firstEnded,
    async shellEnded(containerId, code) {
      const recorded = code > 128 ? (await readRecord(state, containerId)).end : undefined;
      firstEnded(containerId, recorded ?? { kind: 'shell', code, said: false });
    },
    lost: (containerId) => end(containerId, { kind: 'unknown' }),
    destroy(containerId) {
      const container = change(state, containerId, { destroyed: true });
      if (container?.pid === undefined || container.phase === 'ended') return;
      state.processes.kill(-container.pid, sigkill);
      add(containerId);
    },
    stop: () => clearTimeout(timer),
  };
}

const watchEveryMs = 5000;
const launchPatienceMs = 60_000;

/**
 * Looks after containers whose supervisor is gone without a word (killed by the kernel or an operator) and after
 * events that never came. Answers what stops it.
 */
export function watchSupervisors(
  state: PosixState,
  endings: Endings,
  neverLaunched: (containerId: ContainerId, reason: string) => Promise<void>,
): () => void {
  async function look(container: Container): Promise<void> {
    const { containerId } = container;
    const { first } = await readRecord(state, containerId);
    const lives = first !== undefined && supervisorLives(state, first);
    // Read after that look: what a supervisor of that time has written is in it.
    const { end } = await readRecord(state, containerId);
    if (lives && end === undefined) return;
    if (state.containers.get(containerId)?.phase !== container.phase) return;
    if (first === undefined) {
      await neverLaunched(containerId, 'its supervisor ended before the command was started');
      return;
    }
    if (container.pid === undefined) change(state, containerId, { pid: first.pid });
    if (end !== undefined) endings.firstEnded(containerId, end);
    // Without its supervisor it may well run on; that it ends is all that can be learned.
    else if (!stillLives(state.files, first)) endings.lost(containerId);
  }
  async function lookAtAll(): Promise<void> {
    const now = performance.now();
    for (const container of [...state.containers.values()]) {
      if (state.closed) return;
      const late = container.phase === 'launching' && now - container.launchedMs > launchPatienceMs;
      if (container.phase === 'running' || late) await look(container);
    }
  }
  let looking = false;
  const timer = setInterval(async () => {
    if (looking) return;
    looking = true;
    await lookAtAll();
    looking = false;
  }, watchEveryMs);
  timer.unref();
  return () => clearInterval(timer);
}
