// The posix launcher's state: one record for each container that the agent launched or recovered.
import type { ContainerId, Files, Processes } from '@meseta/base';
import type { LaunchPlan } from '../../plan/plan.js';
import { findMembers, isLive, type ProcessStat, type ProcessTable, readStat } from '../../processes/process-table.js';
import { parseRecord, parseSentSignals, type SupervisorRecord } from '../../supervisor/exit-record.js';
import type { ExitStatus } from '../../types.js';
import type { LauncherEvent } from '../launcher.js';

/**
 * launching: its plan is written, then the spawner has its id; running: its first process was forked; ending: its first
 * process has ended, others may live; ended: no process of it lives.
 */
export type Phase = 'launching' | 'running' | 'ending' | 'ended';

export interface Container {
  readonly containerId: ContainerId;
  readonly phase: Phase;
  /** The first process, once it is forked. */
  readonly pid: number | undefined;
  /** When that process was started, as /proc counts; undefined if it had ended before it was read. */
  readonly startTicks: number | undefined;
  /** Known of containers that this process launched. */
  readonly supervisorPid: number | undefined;
  readonly destroyed: boolean;
  /** How its first process ended. */
  readonly status: ExitStatus | undefined;
  /** Those of the signals sent that a shell does not report (exit-record.ts). */
  readonly sentSignals: ReadonlySet<number>;
  /** To be sent as soon as it runs. */
  readonly pendingSignals: readonly number[];
  readonly launchedMs: number;
}

export interface PosixState {
  readonly files: Files;
  readonly processes: Processes;
  /** Has the containers' runtime files. */
  readonly directory: string;
  /** Process ids of another boot mean nothing. */
  readonly bootId: string;
  readonly containers: Map<ContainerId, Container>;
  /** Sessions that belong to no container: those of the spawners and of this process. */
  readonly foreignSessions: Set<number>;
  readonly onEvent: (event: LauncherEvent) => void;
  closed: boolean;
}

/** plan: what it runs; record: what its supervisor has recorded; sent: the signals sent that a shell does not report. */
export const runtimeFile = (
  { directory }: Pick<PosixState, 'directory'>,
  containerId: string,
  name: 'plan' | 'record' | 'sent',
): string => `${directory}/${containerId}.${name}`;

/** Replaces the container's record. Returns the new one, undefined when the container is unknown. */
export function updateContainer(
  state: PosixState,
  containerId: ContainerId,
  changes: Partial<Omit<Container, 'containerId'>>,
): Container | undefined {
  const before = state.containers.get(containerId);
  if (before === undefined) return undefined;
  const after = Object.assign({}, before, changes);
  state.containers.set(containerId, after);
  return after;
}

/**
 * The live processes of a container. A pid is not reused while its session exists: if a process that was started later has
 * the pid of the first one, the container has none.
 */
export function findContainerProcesses(
  table: ProcessTable,
  { pid, startTicks }: Pick<Container, 'pid' | 'startTicks'>,
  foreignSessions: ReadonlySet<number>,
): readonly ProcessStat[] {
  if (pid === undefined) return [];
  const first = table.byPid.get(pid);
  const isReused = first !== undefined && startTicks !== undefined && first.startTicks !== startTicks;
  return isReused ? [] : findMembers(table, pid, foreignSessions);
}

export async function readRecord(state: PosixState, containerId: ContainerId): Promise<SupervisorRecord> {
  const text = await state.files.readText(runtimeFile(state, containerId, 'record'));
  return parseRecord(text.ok ? text.value : '');
}

/** Whether the supervisor that wrote the record lives. A process that started later with its pid is told apart. */
export function isSupervisorAlive(state: PosixState, first: ProcessStat): boolean {
  const parent = readStat(state.files, first.parent);
  return isLive(parent) && parent.startTicks <= first.startTicks && parent.session === first.session;
}

/** The first two lines of a plan: the boot, which recovery compares, and for people where and as whom the container runs. */
export const planHeader = (bootId: string, { directory, owner }: LaunchPlan): string =>
  `# boot ${bootId}\n# place ${JSON.stringify([directory.path, owner?.name ?? ''])}\n`;

export async function isPlanOfThisBoot(state: PosixState, containerId: ContainerId): Promise<boolean> {
  const text = await state.files.readText(runtimeFile(state, containerId, 'plan'));
  return text.ok && text.value.startsWith(`# boot ${state.bootId}\n`);
}

export async function readSentSignals(state: PosixState, containerId: ContainerId): Promise<ReadonlySet<number>> {
  const text = await state.files.readText(runtimeFile(state, containerId, 'sent'));
  return text.ok ? parseSentSignals(text.value) : new Set();
}
