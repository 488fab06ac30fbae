// The posix launcher's state: one record a container that the agent launched or found again.
import type { ContainerId, Files, Processes } from '@meseta/base';
import { parseCode, parseSent } from './exit-record.js';
import { type ProcessStat, parseStat, stillLives } from './process-table.js';
import type { ContainerEvent, ContainerSpec, ExitStatus } from './types.js';

/**
 * preparing: owner, files and fetches; launching: the spawner has its id; running: its first process was forked;
 * ending: that one has ended, others of the container may not have; ended: everything is gone.
 */
export type Phase = 'preparing' | 'launching' | 'running' | 'ending' | 'ended';

/** What probes and measurements need of a spec; also kept in the runtime directory. */
export type Place = Pick<ContainerSpec, 'sandbox' | 'user'>;

export interface Container {
  readonly containerId: ContainerId;
  readonly place: Place;
  readonly phase: Phase;
  /** The first process, once it is forked. */
  readonly pid: number | undefined;
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
  /** Holds the containers' runtime directories. */
  readonly directory: string;
  readonly containers: Map<ContainerId, Container>;
  /** Sessions that are nobody's container: spawners', this process'. */
  readonly foreignSessions: Set<number>;
  readonly onEvent: (event: ContainerEvent) => void;
  closed: boolean;
}

export const runtimeDirectory = (state: PosixState, containerId: ContainerId): string =>
  `${state.directory}/${containerId}`;

/** Replaces the container's record; undefined when it is unknown. */
export function change(
  state: PosixState,
  containerId: ContainerId,
  changes: Partial<Omit<Container, 'containerId'>>,
): Container | undefined {
  const before = state.containers.get(containerId);
  if (before === undefined) return undefined;
  const after = { ...before, ...changes };
  state.containers.set(containerId, after);
  return after;
}

export interface PidFile {
  readonly supervisor: ProcessStat | undefined;
  readonly first: ProcessStat | undefined;
}

export async function readPidFile(state: PosixState, containerId: ContainerId): Promise<PidFile> {
  const text = await state.files.readText(`${runtimeDirectory(state, containerId)}/pid`);
  const [supervisor, first] = text.ok ? text.value.split('\n') : [];
  return { supervisor: parseStat(supervisor ?? ''), first: parseStat(first ?? '') };
}

/** The code in the container's status file; undefined: not ended, or nobody saw how. */
export async function readCode(state: PosixState, containerId: ContainerId): Promise<number | undefined> {
  const text = await state.files.readText(`${runtimeDirectory(state, containerId)}/status`);
  return text.ok ? parseCode(text.value) : undefined;
}

export async function readPlace(state: PosixState, containerId: ContainerId): Promise<Place | undefined> {
  const text = await state.files.readText(`${runtimeDirectory(state, containerId)}/place`);
  const [sandbox, user] = text.ok ? text.value.split('\0') : [];
  return sandbox === undefined || user === undefined ? undefined : { sandbox, user: user === '' ? undefined : user };
}

export const placeText = (place: Place): string => `${place.sandbox}\0${place.user ?? ''}\0`;

export async function readSent(state: PosixState, containerId: ContainerId): Promise<ReadonlySet<number>> {
  const text = await state.files.readText(`${runtimeDirectory(state, containerId)}/sent`);
  return text.ok ? parseSent(text.value) : new Set();
}

/** Whether the shell said something of its child's end: what a signal makes it do. */
export async function shellSaid(state: PosixState, containerId: ContainerId): Promise<boolean> {
  const said = await state.files.stat(`${runtimeDirectory(state, containerId)}/said`);
  return said.ok && said.value.sizeBytes > 0;
}

export const lives = (state: PosixState, stat: ProcessStat | undefined): boolean =>
  stat !== undefined && stillLives(state.files, stat);
