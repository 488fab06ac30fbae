// Ends containers and reports their ends. One loop serves all containers that are being destroyed or whose first process
// has ended: each round reports the containers without a live process, then reads the process table once for the others
// and kills their processes.
//
// Rounds take at most a tenth of this process' time however many containers end: the pause after a round grows with its
// duration.
//
// ENDINGS-1: `ended` is reported once a container, when its status is known and none of its processes lives.
import { isCgroupEmpty, killCgroup } from '../cgroups/process-cgroups.js';
import { createSessionWatch, readProcessTable, type SessionWatch } from '../processes/process-table.js';
import type { ExitStatus } from '../types.js';
import { findContainerProcesses, type Supervised, type SupervisorState, updateContainer } from './state.js';

const SIGKILL = 9;
const SIGSTOP = 19;
const MIN_PAUSE_MS = 10;
const MAX_PAUSE_MS = 1000;
const MAX_PAUSE_AFTER_ROUND_MS = 100;
/** How many times as long as a round the pause after it is. */
const PAUSE_PER_ROUND = 9;

export interface Endings {
  firstProcessEnded(id: string, status: ExitStatus): void;
  destroy(id: string): void;
}

/** Kills the live processes of a container. Returns whether there were any. They are stopped first, so that none forks. */
function killMembers({ processes }: SupervisorState, members: readonly { readonly pid: number }[]): boolean {
  for (const { pid } of members) processes.kill(pid, SIGSTOP);
  for (const { pid } of members) processes.kill(pid, SIGKILL);
  return members.length > 0;
}

/** The first processes of running containers: they are in no ended container's session. */
function runningPids({ containers }: SupervisorState): ReadonlySet<number> {
  const pids = new Set<number>();
  for (const { phase, pid } of containers.values()) if (pid !== undefined && phase === 'running') pids.add(pid);
  return pids;
}

/** The containers whose first process has ended and whose session is empty: they have no other process. */
function findEmptied(state: SupervisorState, watch: SessionWatch, ending: ReadonlySet<string>): readonly Supervised[] {
  const candidates = [...ending]
    .flatMap((id) => state.containers.get(id) ?? [])
    .filter(({ status }) => status !== undefined);
  if (candidates.length === 0) return [];
  const nonEmpty = watch.nonEmpty(new Set(candidates.flatMap(({ pid }) => pid ?? [])), runningPids(state));
  return candidates.filter(({ destroyed, pid }) => !destroyed && (pid === undefined || !nonEmpty.has(pid)));
}

/** Kills the remaining processes of the containers. Returns the ended containers that had none. */
async function killRemaining(state: SupervisorState, ending: ReadonlySet<string>): Promise<readonly Supervised[]> {
  // Their status as it is before the reading: a process that is not in a later table can't appear any more.
  const containers = [...ending].flatMap((id) => state.containers.get(id) ?? []).filter(({ pid }) => pid !== undefined);
  const table = await readProcessTable(state.files);
  return containers.filter((container) => {
    const members = findContainerProcesses(table, container, state.foreignSessions);
    return !killMembers(state, members) && container.status !== undefined;
  });
}

/** Kills the remaining processes of containers with cgroups. Returns the ended containers that had none. */
async function killInCgroups(state: SupervisorState, ending: ReadonlySet<string>): Promise<readonly Supervised[]> {
  const containers = [...ending].flatMap((id) => state.containers.get(id) ?? []);
  const isEnded = async ({ setting: { cgroup }, status }: Supervised): Promise<boolean> => {
    if (cgroup === undefined) return false;
    if (!(await isCgroupEmpty(state.files, cgroup))) await killCgroup(state, cgroup);
    return status !== undefined && (await isCgroupEmpty(state.files, cgroup));
  };
  const areEnded = await Promise.all(containers.map(isEnded));
  return containers.filter((_, index) => areEnded[index]);
}

/** The containers without a cgroup, whose processes are those of a session. */
function withoutCgroup({ containers }: SupervisorState, ids: ReadonlySet<string>): ReadonlySet<string> {
  return new Set([...ids].filter((id) => containers.get(id)?.setting.cgroup === undefined));
}

export function createEndings(state: SupervisorState): Endings {
  const ending = new Set<string>();
  const watch = createSessionWatch(state.files);
  let isScheduled = false;
  let pauseMs = MIN_PAUSE_MS;
  let nextRoundMs = 0;

  function report(containers: readonly Supervised[]): void {
    for (const { id, status } of containers) {
      ending.delete(id);
      if (status === undefined || state.containers.get(id)?.phase !== 'ending') continue;
      updateContainer(state, id, { phase: 'ended' });
      state.onEvent({ kind: 'ended', id, status });
    }
  }

  async function runRound(): Promise<void> {
    const startMs = performance.now();
    report(await killInCgroups(state, ending));
    report(findEmptied(state, watch, withoutCgroup(state, ending)));
    const remaining = withoutCgroup(state, ending);
    if (remaining.size > 0) report(await killRemaining(state, remaining));
    const nowMs = performance.now();
    pauseMs = ending.size > 0 ? Math.min(pauseMs * 2, MAX_PAUSE_MS) : MIN_PAUSE_MS;
    const pauseAfterMs = Math.max(pauseMs, Math.min(PAUSE_PER_ROUND * (nowMs - startMs), MAX_PAUSE_AFTER_ROUND_MS));
    nextRoundMs = nowMs + pauseAfterMs;
  }

  function schedule(): void {
    if (isScheduled || ending.size === 0) return;
    isScheduled = true;
    setTimeout(
      async () => {
        await runRound();
        isScheduled = false;
        schedule();
      },
      Math.max(0, nextRoundMs - performance.now()),
    );
  }

  function add(id: string): void {
    ending.add(id);
    pauseMs = MIN_PAUSE_MS;
    schedule();
  }

  return {
    firstProcessEnded(id, status) {
      const container = state.containers.get(id);
      if (container === undefined || container.phase === 'ended' || container.status !== undefined) return;
      updateContainer(state, id, { phase: 'ending', status });
      add(id);
    },
    destroy(id) {
      const container = updateContainer(state, id, { destroyed: true });
      if (container?.pid === undefined || container.phase === 'ended') return;
      // After its end the pid, and with it the group's, may be reused.
      if (container.phase === 'running' && container.isChild) state.processes.kill(-container.pid, SIGKILL);
      add(id);
    },
  };
}
