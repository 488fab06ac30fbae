// How containers end. One loop serves all that are being destroyed or whose first process has ended: each round
// reads the process table once, kills what is left of any of them, and reports those of which nothing is left.
//
// I1: `exited` is reported once a container, when its end is known and none of its processes lives.
// I2: rounds take a bounded part of this process' time however many containers end: the pause after a round grows
//     with what it took.
import type { ContainerId } from '@meseta/base';
import { exitStatus } from './exit-record.js';
import { type Container, change, lives, type PosixState, readCode, readPidFile, shellSaid } from './posix-state.js';
import { membersOf, readProcessTable } from './process-table.js';
import type { ExitStatus } from './types.js';

const sigkill = 9;
const sigstop = 19;
const leastPauseMs = 2;
const greatestPauseMs = 1000;

export interface Endings {
  /** The first process has ended with the shell's `code`. */
  firstEnded(containerId: ContainerId, code: number): Promise<void>;
  /** Nobody will ever know how it ended. */
  lost(containerId: ContainerId): void;
  destroy(containerId: ContainerId): void;
  stop(): void;
}

export function createEndings(state: PosixState, afterExits: () => void): Endings {
  const ending = new Set<ContainerId>();
  let timer: NodeJS.Timeout | undefined;
  let busy = false;
  let pauseMs = leastPauseMs;

  function finish(container: Container, status: ExitStatus): void {
    ending.delete(container.containerId);
    change(state, container.containerId, { phase: 'ended' });
    state.onEvent({ kind: 'exited', containerId: container.containerId, status });
  }

  /** Kills what lives of `container`; whether anything did. */
  function killMembers(members: readonly { readonly pid: number }[]): boolean {
    for (const member of members) state.processes.kill(member.pid, sigstop);
    for (const member of members) state.processes.kill(member.pid, sigkill);
    return members.length > 0;
  }

  async function round(): Promise<void> {
    const looked = [...ending].flatMap((id) => state.containers.get(id) ?? []).filter((it) => it.pid !== undefined);
    const table = await readProcessTable(state.files);
    const roots = new Set(looked.map((it) => it.pid as number));
    const members = membersOf(table, roots, state.foreignSessions);
    let killed = false;
    for (const before of looked) {
      const container = state.containers.get(before.containerId);
      if (container === undefined) {
        ending.delete(before.containerId);
        continue;
      }
      if (killMembers(members.get(before.pid as number) ?? [])) killed = true;
      // The end was known before the table was read: what isn't in it can't come any more.
      else if (before.status !== undefined) finish(container, before.status);
    }
    pauseMs = killed ? Math.min(pauseMs * 2, greatestPauseMs) : leastPauseMs;
    afterExits();
  }

  function schedule(delayMs: number): void {
    if (timer !== undefined || busy || ending.size === 0 || state.closed) return;
    timer = setTimeout(async () => {
      timer = undefined;
      busy = true;
      const begun = performance.now();
      await round();
      busy = false;
      const tookMs = performance.now() - begun;
      schedule(Math.max(pauseMs, 4 * tookMs));
    }, delayMs);
  }

  function end(containerId: ContainerId, status: ExitStatus): void {
    const container = state.containers.get(containerId);
    if (container === undefined || container.phase === 'ended' || container.status !== undefined) return;
    change(state, containerId, { phase: 'ending', status });
    ending.add(containerId);
    pauseMs = leastPauseMs;
    schedule(0);
  }

  return {
    async firstEnded(containerId, code) {
      const container = state.containers.get(containerId);
      if (container === undefined) return;
      const said = code > 128 && (await shellSaid(state, containerId));
      end(containerId, exitStatus(code, said, state.containers.get(containerId)?.sent ?? container.sent));
    },
    lost: (containerId) => end(containerId, { kind: 'unknown' }),
    destroy(containerId) {
      const container = change(state, containerId, { destroyed: true });
      if (container?.pid === undefined || container.phase === 'ended') return;
      state.processes.kill(-container.pid, sigkill);
      ending.add(containerId);
      pauseMs = leastPauseMs;
      schedule(0);
    },
    stop() {
      clearTimeout(timer);
    },
  };
}

const watchEveryMs = 5000;
const launchPatienceMs = 10_000;

/**
 * Looks after containers whose supervisor is gone without a word (killed by the kernel or an operator) and after
 * events that never came. Answers what stops it.
 */
export function watchSupervisors(
  state: PosixState,
  endings: Endings,
  neverLaunched: (containerId: ContainerId, reason: string) => void,
): () => void {
  async function look(container: Container): Promise<void> {
    const { containerId } = container;
    const { supervisor, first } = await readPidFile(state, containerId);
    if (lives(state, supervisor)) return;
    const code = await readCode(state, containerId);
    if (state.containers.get(containerId)?.phase !== container.phase) return;
    if (code !== undefined) {
      if (container.pid === undefined && first !== undefined) change(state, containerId, { pid: first.pid });
      await endings.firstEnded(containerId, code);
    } else if (first !== undefined) {
      // Without its supervisor it may well run on; that it ends is all that can be learned.
      if (!lives(state, first)) endings.lost(containerId);
    } else {
      neverLaunched(containerId, 'its supervisor ended before the command was started');
    }
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
