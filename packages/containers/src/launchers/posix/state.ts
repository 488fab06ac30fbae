// The posix launcher's state: one record for each container that the agent launched or recovered.
import type { ContainerId } from '@meseta/base';
import type { LaunchPlan } from '../../plan/plan.js';
import type { InputResult, KnownContainer, RunResult } from '../../supervisor/protocol.js';
import type { LauncherEvent } from '../launcher.js';

/** launching: the supervisor was asked to start it; running: its first process was started; ended: no process of it lives. */
export type Phase = 'launching' | 'running' | 'ended';

export interface Container {
  readonly containerId: ContainerId;
  readonly phase: Phase;
  /** The first process, once it was started. */
  readonly pid: number | undefined;
  /** When that process was started, as /proc counts. */
  readonly startTicks: number | undefined;
  /** Has its processes; undefined: they are those of its session. */
  readonly cgroup: string | undefined;
  readonly isDestroyed: boolean;
  /** While it is launching. */
  readonly launch: SentLaunch | undefined;
}

export interface SentLaunch {
  readonly plan: LaunchPlan;
  /** The connection that it was sent over: they are counted. */
  readonly connection: number;
  /** A supervisor was lost with it before. */
  readonly isRepeated: boolean;
}

export interface PosixState {
  readonly containers: Map<ContainerId, Container>;
  /** Containers that the supervisor knows, and this launcher neither launched nor recovered. */
  readonly unclaimed: Map<ContainerId, KnownContainer>;
  /** Sessions that belong to no container: those of the supervisors and of this process. */
  readonly foreignSessions: Set<number>;
  /** The commands beside containers that run, by their ids. */
  readonly runs: Map<string, (result: RunResult) => void>;
  /** The inputs that are not answered, by their requests. */
  readonly inputs: Map<string, (result: InputResult) => void>;
  /** Counts the connections to supervisors. */
  connection: number;
  readonly onEvent: (event: LauncherEvent) => void;
}

/** Replaces the container's record. Returns the new one, undefined when the container is unknown. */
export function updateContainer(
  { containers }: PosixState,
  containerId: ContainerId,
  changes: Partial<Omit<Container, 'containerId'>>,
): Container | undefined {
  const before = containers.get(containerId);
  if (before === undefined) return undefined;
  const after = Object.assign({}, before, changes);
  containers.set(containerId, after);
  return after;
}
