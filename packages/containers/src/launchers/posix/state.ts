// The posix launcher's state: one record a container that the agent launched or found again.
import type { ContainerId, Files, Processes } from '@meseta/base';
import { isLive, type ProcessStat, readStat } from '../../processes/process-table.js';
import { parseRecord, parseSent, type SupervisorRecord } from '../../supervisor/exit-record.js';
import type { ContainerEvent, ContainerSpec, ExitStatus } from '../../types.js';

/**
 * preparing: owner, files and fetches; launching: the spawner has its id; running: its first process was forked;
 * ending: that one has ended, others of the container may not have; ended: everything is gone.
 */
export type Phase = 'preparing' | 'launching' | 'running' | 'ending' | 'ended';

/** What probes and measurements need of a spec; also kept in the plan. */
export type Place = Pick<ContainerSpec, 'sandbox' | 'user'>;

export interface Container {
  readonly containerId: ContainerId;
  readonly place: Place;
  readonly phase: Phase;
  /** The first process, once it is forked. */
  readonly pid: number | undefined;
  /** Known of those launched by this process. */
  readonly supervisor: number | undefined;
  readonly destroyed: boolean;
  /** Its end, once its first process has ended. */
  readonly status: ExitStatus | undefined;
  /** The signals sent that shells say nothing about. */
  readonly sent: ReadonlySet<number>;
  /** Signals to send as soon as it runs. */
  readonly waiting: readonly number[];
  readonly launchedMs: number;
}

export interface PosixState {
  readonly files: Files;
  readonly processes: Processes;
  /** Holds the containers' runtime files. */
  readonly directory: string;
  /** Pids mean nothing across boots. */
  readonly bootId: string;
  readonly containers: Map<ContainerId, Container>;
  /** Sessions that are nobody's container: spawners', this process'. */
  readonly foreignSessions: Set<number>;
  readonly onEvent: (event: ContainerEvent) => void;
  closed: boolean;
}

/** plan: what it runs; record: what its supervisor has seen of it; sent: the signals that shells say nothing about. */
export const runtimeFile = (
  { directory }: Pick<PosixState, 'directory'>,
  containerId: string,
  name: 'plan' | 'record' | 'sent',
): string => `${directory}/${containerId}.${name}`;

/** Replaces the container's record; undefined when it is unknown. */
export function change(
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

export async function readRecord(state: PosixState, containerId: ContainerId): Promise<SupervisorRecord> {
  const text = await state.files.readText(runtimeFile(state, containerId, 'record'));
  return parseRecord(text.ok ? text.value : '');
}

/** Whether the supervisor that a record is of lives: no process that came later can be it. */
export function supervisorLives(state: PosixState, first: ProcessStat): boolean {
  const parent = readStat(state.files, first.parent);
  return isLive(parent) && parent.startTicks <= first.startTicks && parent.session === first.session;
}

/** The plan begins with comments for recovery: the boot it is of, and where and as whom the container runs. */
export const planHeader = (bootId: string, place: Place): string =>
  `# boot ${bootId}\n# place ${JSON.stringify([place.sandbox, place.user ?? ''])}\n`;

export async function readPlan(
  state: PosixState,
  containerId: ContainerId,
): Promise<{ readonly thisBoot: boolean; readonly place: Place }> {
  const text = await state.files.readText(runtimeFile(state, containerId, 'plan'));
  const found = /^# boot (.*)\n# place (.*)\n/.exec(text.ok ? text.value : '');
  if (!found) return { thisBoot: false, place: { sandbox: '/', user: undefined } };
  const [sandbox, user] = JSON.parse(found[2] as string) as [string, string];
  return { thisBoot: found[1] === state.bootId, place: { sandbox, user: user === '' ? undefined : user } };
}

export async function readSent(state: PosixState, containerId: ContainerId): Promise<ReadonlySet<number>> {
  const text = await state.files.readText(runtimeFile(state, containerId, 'sent'));
  return text.ok ? parseSent(text.value) : new Set();
}
