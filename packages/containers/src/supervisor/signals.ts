// Signals to a container: every process of it gets them.
import { cgroupStats } from '../processes/cgroup-stats.js';
import { type ProcessStat, type ProcessTable, stillLives } from '../processes/process-table.js';
import { findContainerProcesses, type Supervised, type SupervisorState } from './state.js';

const SIGCONT = 18;
const SIGSTOP = 19;
const MAX_SIGNAL = 64;

/** How often the process table is read for one signal. */
const MAX_STOP_ROUNDS = 50;

/** The numbers come from calls: what is no signal is ignored. */
export const isSignal = (signal: number): boolean => Number.isInteger(signal) && signal >= 1 && signal <= MAX_SIGNAL;

/**
 * Stops every process before the next reading of the table, so that none forks unseen. Then all get the signal and continue,
 * except those that have ended: another process may have their pid by now (SUPERVISOR-3). Processes that fork and end without
 * pause are followed for a limited number of rounds.
 */
export async function signalProcesses(
  { files, processes, foreignSessions }: Pick<SupervisorState, 'files' | 'processes' | 'foreignSessions'>,
  readTable: () => Promise<ProcessTable>,
  container: Pick<Supervised, 'pid' | 'startTicks' | 'setting'>,
  signal: number,
): Promise<void> {
  const { cgroup } = container.setting;
  const findMembers = async (): Promise<readonly ProcessStat[]> =>
    cgroup === undefined
      ? findContainerProcesses(await readTable(), container, foreignSessions)
      : cgroupStats(files, cgroup);
  const stopped = new Map<number, ProcessStat>();
  for (let round = 0; round < MAX_STOP_ROUNDS; round++) {
    const members = await findMembers();
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
