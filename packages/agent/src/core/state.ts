// The agent's state: its frameworks with their executors and tasks, its registration, and the work that is outstanding.
//
// Owns every record of the agent. Handlers get it as `ctx.state` and replace records in it.
// AGENT-STATE-1: a record is never changed, only replaced, so a view may keep it.
// AGENT-STATE-2: a framework is in `frameworks` while it has an executor or an unacknowledged update, and a second longer;
//     then it is in `completedFrameworks`.
// AGENT-STATE-3: an executor stays until it has ended and every terminal update of its tasks is acknowledged.
// AGENT-STATE-4: a status of a checkpointing framework's task is on disk before it is sent.

import type { AgentId, ContainerId, ExecutorId, FrameworkId, OperationUuid, Pid, Random, TaskId } from '@meseta/base';
import { type CommitQueue, createCommitQueue } from '@meseta/base/core/commit-queue';
import type { CausedWork } from '@meseta/base/core/context';
import { createTimers, type Timers } from '@meseta/base/core/timers';
import type {
  AgentInfo,
  DrainConfig,
  ExitedExecutorMessage,
  FrameworkInfo,
  Resource,
  StatusUpdate,
} from '@meseta/wire';
import { randomUuidBytes } from '@meseta/wire/uuid';
import type { AfterCommitWork } from './checkpoint.js';
import type { CheckState } from './checks.js';
import { type Counters, createCounters } from './counters.js';
import type {
  CheckpointChange,
  ConnectionId,
  ExecutorRecord,
  NestedContainerRecord,
  OperationRecord,
  PodTaskRecord,
  TaskRecord,
} from './io.js';
import type { AgentOptions } from './options.js';

/** The unacknowledged updates of one task, oldest first; the first is in flight. */
export interface UpdateStream {
  readonly frameworkId: FrameworkId;
  readonly taskId: TaskId;
  readonly updates: readonly StatusUpdate[];
  /** The number of the first update, by which its status is on disk; that of each later update is one more. */
  readonly firstNumber: number;
  /** The number of updates that are on disk and may be sent. */
  readonly durableCount: number;
  /** The pause before the next resending. */
  readonly retryMs: number;
}

export interface FrameworkRecord {
  readonly id: FrameworkId;
  readonly info: FrameworkInfo;
  /** The pid of a v0 driver; undefined for a framework that uses HTTP. */
  readonly pid: string | undefined;
  readonly state: 'running' | 'terminating';
  readonly executors: Map<ExecutorId, ExecutorRecord>;
  readonly tasks: Map<TaskId, TaskRecord>;
  /** The containers of tasks of pods. */
  readonly podTasks: Map<TaskId, PodTaskRecord>;
  /** The newest tasks of an executor whose ends are acknowledged, oldest first. */
  readonly retired: Map<ExecutorId, readonly TaskRecord[]>;
  readonly streams: Map<TaskId, UpdateStream>;
  /** Oldest first. */
  readonly completed: readonly CompletedExecutor[];
}

export interface CompletedExecutor {
  readonly executor: ExecutorRecord;
  readonly tasks: readonly TaskRecord[];
}

/** A task or task group that waits for delivery to a custom executor, as one LAUNCH or LAUNCH_GROUP. */
export interface QueuedLaunch {
  readonly taskIds: readonly TaskId[];
  readonly isGroup: boolean;
  readonly isDurable: boolean;
}

/** The part of a container's state that is not in the checkpoint: its checks, or its executor's connection. */
export interface Run {
  readonly frameworkId: FrameworkId;
  readonly executorId: ExecutorId;
  /** The task of a pod whose container it is. */
  readonly taskId?: TaskId;
  /** A custom executor's stream of events. */
  readonly connection?: ConnectionId | undefined;
  /** The uuids of the updates that its executor listed as unacknowledged in its last SUBSCRIBE. */
  readonly listedUpdates?: ReadonlySet<string>;
  /** By the id of each task, oldest first; delivered when they are on disk and the executor is connected. */
  readonly queuedLaunches?: Map<TaskId, QueuedLaunch>;
  /** By the id of each task: launches sent over `connection` whose task the executor has not reported yet. */
  readonly sentLaunches?: Map<TaskId, QueuedLaunch> | undefined;
  /** A task was delivered to the executor. */
  readonly hasDeliveredTask?: boolean;
  readonly health: CheckState | undefined;
}

/** A WAIT call that is not answered. */
export interface WaitingCall {
  readonly connection: ConnectionId;
  /** The call is WAIT_NESTED_CONTAINER, else WAIT_CONTAINER. */
  readonly isNested: boolean;
}

/** A nested or standalone container, and the calls that wait for its start and its end. */
export interface NestedContainer {
  readonly record: NestedContainerRecord;
  readonly launching?: ConnectionId;
  readonly waiting: readonly WaitingCall[];
}

export interface Sandbox {
  readonly containerId: ContainerId;
  readonly path: string;
  /** Undefined while the container is not known to have ended (SANDBOXES-1). */
  readonly endedWallMs: number | undefined;
  readonly isBeingRemoved: boolean;
}

export interface Registration {
  readonly master: Pid | undefined;
  readonly registered: boolean;
  /** A registration was sent over the current connection. */
  readonly hasReported: boolean;
  /** An answer to an attempt of this agent as a new one may have been lost or ignored (REGISTRATION-10). */
  readonly mayHaveMissedAnswer: boolean;
  /** The registrations that were sent since the start of this one; they bound the next random pause (REGISTRATION-3). */
  readonly attempts: number;
  /** The agent registers again if no ping arrives for this long. */
  readonly pingTimeoutMs: number;
}

export type Timer =
  | { readonly kind: 'framework'; readonly frameworkId: FrameworkId }
  | { readonly kind: 'register' }
  | { readonly kind: 'ping' }
  | { readonly kind: 'disk' }
  | { readonly kind: 'oversubscription' }
  | { readonly kind: 'resend'; readonly frameworkId: FrameworkId; readonly taskId: TaskId }
  | { readonly kind: 'resendOperation'; readonly uuid: OperationUuid }
  | { readonly kind: 'executorsBack' }
  | { readonly kind: 'registerExecutor' | 'executorHeartbeat'; readonly containerId: ContainerId }
  | { readonly kind: 'kill' | 'maxCompletion' | 'health' | 'check'; readonly containerId: ContainerId };

export interface AgentState {
  readonly options: AgentOptions;
  readonly random: Random;
  readonly timers: Timers<Timer>;
  readonly commits: CommitQueue<CheckpointChange, CausedWork<AfterCommitWork>>;
  readonly counters: Counters;
  /** Set once, by `start`. */
  started: boolean;
  /** With the id, once the agent is registered. */
  info: AgentInfo;
  /** The flags' resources with reservations and volumes applied, in the post-refinement format. */
  total: readonly Resource[];
  /** What the master was told last, or is told at the registration (OVERSUBSCRIPTION-1); undefined without an estimator. */
  oversubscribed: readonly Resource[] | undefined;
  /** The resource version of the last registration: a uuid, base64 of 16 bytes. */
  resourceVersion: string;
  registration: Registration;
  /** The containers of the executors that an attempt of the last re-registration listed. */
  reportedExecutors: Set<ContainerId>;
  /** Ends of these executors since then, and of any executor before the first answer (REGISTRATION-7). */
  unconfirmedExits: ExitedExecutorMessage[];
  readonly frameworks: Map<FrameworkId, FrameworkRecord>;
  /** Oldest first, at most `MAX_COMPLETED_FRAMEWORKS`. */
  completedFrameworks: readonly FrameworkRecord[];
  readonly runs: Map<ContainerId, Run>;
  /** The containers of executors of an earlier process that are waited for (REGISTRATION-5). */
  readonly awaited: Set<ContainerId>;
  readonly nestedContainers: Map<string, NestedContainer>;
  /** The keys of `nestedContainers` by the ids in the launcher. */
  readonly nestedPaths: Map<ContainerId, string>;
  /** Calls that wait for the container of a task or executor. */
  readonly waitingForRuns: Map<ContainerId, readonly WaitingCall[]>;
  readonly operations: Map<OperationUuid, OperationRecord>;
  /** The pause before the status of an operation is sent again. */
  readonly operationRetryMs: Map<OperationUuid, number>;
  /** Operations that are applied and not on disk yet (OPERATIONS-1). */
  readonly unsavedOperations: Set<OperationUuid>;
  drain: { readonly config: DrainConfig; readonly sinceWallMs: number } | undefined;
  readonly sandboxes: Map<ContainerId, Sandbox>;
  /** Containers without a record that were running at the start and are being destroyed (RECOVERY-1). */
  readonly orphanContainers: Set<ContainerId>;
  /** By the last measurement of the disk. */
  maxSandboxAgeMs: number;
  /** Why no task is launched; undefined while the disk has room. */
  diskShortage: string | undefined;
  /** Why the process ends when no container runs; undefined while the agent does not leave. */
  leaving: string | undefined;
  startedWallMs: number;
  registeredWallMs: number | undefined;
}

/** Mesos' number of completed frameworks that are kept for the read endpoints. */
const MAX_COMPLETED_FRAMEWORKS = 50;

export const PING_TIMEOUT_MS = 75_000;

export function createState(options: AgentOptions, random: Random): AgentState {
  return {
    options,
    random,
    timers: createTimers(),
    commits: createCommitQueue(),
    counters: createCounters(),
    started: false,
    info: options.info,
    total: options.info.resources ?? [],
    oversubscribed: undefined,
    resourceVersion: randomUuidBytes(random),
    reportedExecutors: new Set(),
    unconfirmedExits: [],
    registration: {
      master: undefined,
      registered: false,
      hasReported: false,
      mayHaveMissedAnswer: false,
      attempts: 0,
      pingTimeoutMs: PING_TIMEOUT_MS,
    },
    frameworks: new Map(),
    completedFrameworks: [],
    runs: new Map(),
    awaited: new Set(),
    nestedContainers: new Map(),
    nestedPaths: new Map(),
    waitingForRuns: new Map(),
    operations: new Map(),
    operationRetryMs: new Map(),
    unsavedOperations: new Set(),
    drain: undefined,
    sandboxes: new Map(),
    orphanContainers: new Set(),
    maxSandboxAgeMs: options.gcDelayMs,
    diskShortage: undefined,
    leaving: undefined,
    startedWallMs: 0,
    registeredWallMs: undefined,
  };
}

export const agentIdOf = (state: AgentState): AgentId | undefined => state.info.id?.value as AgentId | undefined;

export const checkpoints = (framework: FrameworkRecord): boolean => framework.info.checkpoint === true;

const capable = (info: FrameworkInfo, capability: string): boolean =>
  info.capabilities?.some(({ type }) => type === capability) === true;

export const isPartitionAware = (info: FrameworkInfo): boolean => capable(info, 'PARTITION_AWARE');
export const knowsKilling = (info: FrameworkInfo): boolean => capable(info, 'TASK_KILLING_STATE');

/** The framework's tasks on an executor. */
export function* tasksOf(framework: FrameworkRecord, executorId: ExecutorId): Iterable<TaskRecord> {
  if (framework.executors.get(executorId)?.kind === 'command') {
    // The id of a command task is that of its executor.
    const own = framework.tasks.get(executorId as string as TaskId);
    if (own !== undefined && own.executorId === executorId) yield own;
    return;
  }
  for (const record of framework.tasks.values()) if (record.executorId === executorId) yield record;
}

/** The record of a framework without executors and tasks. */
export const newFramework = (id: FrameworkId, info: FrameworkInfo, pid: string | undefined): FrameworkRecord => ({
  id,
  info: { ...info, id: { value: id } },
  pid,
  state: 'running',
  executors: new Map(),
  tasks: new Map(),
  podTasks: new Map(),
  retired: new Map(),
  streams: new Map(),
  completed: [],
});

/** Moves a framework to the completed ones, which are kept for the read endpoints. */
export function completeFramework(state: AgentState, framework: FrameworkRecord): void {
  state.frameworks.delete(framework.id);
  state.completedFrameworks = [...state.completedFrameworks.filter(({ id }) => id !== framework.id), framework].slice(
    -MAX_COMPLETED_FRAMEWORKS,
  );
}

/** The framework's tasks, by executor. */
export function tasksByExecutor({ tasks }: FrameworkRecord): ReadonlyMap<ExecutorId, readonly TaskRecord[]> {
  const byExecutor = new Map<ExecutorId, TaskRecord[]>();
  for (const record of tasks.values()) {
    const others = byExecutor.get(record.executorId);
    if (others === undefined) byExecutor.set(record.executorId, [record]);
    else others.push(record);
  }
  return byExecutor;
}
