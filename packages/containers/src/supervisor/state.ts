// The supervisor's containers: one record for each whose first process was started and that was not removed.
import type { ChildProcesses, Files, Processes, RecordFiles } from '@meseta/base';
import { findMembers, type ProcessStat, type ProcessTable } from '../processes/process-table.js';
import type { ExitStatus } from '../types.js';
import type { SupervisorEvent } from './protocol.js';
import type { ContainerSetting } from './records.js';

/** running: its first process lives; ending: it has ended, others may live; ended: no process of it lives. */
export type Phase = 'running' | 'ending' | 'ended';

export interface Supervised {
  readonly id: string;
  readonly phase: Phase;
  /** The first process, which leads the container's session. undefined: it is not known whether there was one. */
  readonly pid: number | undefined;
  /** When that process was started, as /proc counts. */
  readonly startTicks: number | undefined;
  /** Its path on the machine. */
  readonly sandbox: string;
  readonly setting: ContainerSetting;
  /** Whether this process is its parent. The status of another's child can't be known. */
  readonly isChild: boolean;
  readonly destroyed: boolean;
  /** How its first process ended. */
  readonly status: ExitStatus | undefined;
}

export interface SupervisorPorts {
  readonly files: Files;
  readonly processes: Processes;
  readonly children: ChildProcesses;
  readonly records: RecordFiles;
}

export interface SupervisorState extends SupervisorPorts {
  readonly bootId: string;
  readonly containers: Map<string, Supervised>;
  /** The sessions and groups that belong to no container: this process'. */
  readonly foreignSessions: ReadonlySet<number>;
  readonly onEvent: (event: SupervisorEvent) => void;
}

/** Replaces the container's record. Returns the new one, undefined when the container is unknown. */
export function updateContainer(
  state: Pick<SupervisorState, 'containers'>,
  id: string,
  changes: Partial<Omit<Supervised, 'id'>>,
): Supervised | undefined {
  const before = state.containers.get(id);
  if (before === undefined) return undefined;
  const after = Object.assign({}, before, changes);
  state.containers.set(id, after);
  return after;
}

/**
 * The live processes of a container. A pid is not reused while its session exists: if a process that was started later has
 * the pid of the first one, the container has none.
 */
export function findContainerProcesses(
  table: ProcessTable,
  { pid, startTicks }: Pick<Supervised, 'pid' | 'startTicks'>,
  foreignSessions: ReadonlySet<number>,
): readonly ProcessStat[] {
  if (pid === undefined) return [];
  const first = table.byPid.get(pid);
  const isReused = first !== undefined && startTicks !== undefined && first.startTicks !== startTicks;
  return isReused ? [] : findMembers(table, pid, foreignSessions);
}
