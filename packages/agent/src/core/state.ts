// What the agent knows: the frameworks with work here, their executors and tasks, what it waits for.
//
// Owns every record of the agent; the other files of the core change it through here and `machine.ts`.
// AGENT-STATE-1: a record is never changed, only replaced; so a view may hold it as long as it likes.
// AGENT-STATE-2: a framework is in `frameworks` while it has an executor or an unacknowledged update, and a second longer;
//     then it is in `completedFrameworks`.
// AGENT-STATE-3: an executor stays until it has ended and every terminal update of its tasks is acknowledged.
// AGENT-STATE-4: a status of a checkpointing framework's task is on disk before it is sent.
import type { AgentId, ContainerId, ExecutorId, FrameworkId, OperationUuid, Pid, Random, TaskId } from '@meseta/base';
import { type CommitQueue, createCommitQueue } from '@meseta/base/core/commit-queue';
import { createTimers, type Timers } from '@meseta/base/core/timers';
import type {
  AgentInfo,
  DrainConfig,
  ExitedExecutorMessage,
  FrameworkInfo,
  Resource,
  StatusUpdate,
} from '@meseta/wire';
import type { AfterCommitWork } from './checkpoint.js';
import type { CheckState } from './checks.js';
import { type Counters, createCounters } from './counters.js';
import type {
  AgentConfig,
  CheckpointChange,
  ConnectionId,
  ExecutorRecord,
  NestedContainerRecord,
  OperationRecord,
  PodTaskRecord,
  TaskRecord,
} from './io.js';
import { uuidBytes } from './uuid.js';

/** The updates of one task that wait for the scheduler's acknowledgement, oldest first; the first is in flight. */
export interface UpdateStream {
  readonly frameworkId: FrameworkId;
  readonly taskId: TaskId;
  readonly updates: readonly StatusUpdate[];
  /** How many of them are durable and may be sent. */
  readonly durable: number;
  /** The pause before the next resending. */
  readonly retryMs: number;
}

export interface FrameworkRecord {
  readonly id: FrameworkId;
  readonly info: FrameworkInfo;
  /** A v0 driver's; undefined for HTTP frameworks. */
  readonly pid: string | undefined;
  readonly state: 'running' | 'terminating';
  readonly executors: Map<ExecutorId, ExecutorRecord>;
  readonly tasks: Map<TaskId, TaskRecord>;
  /** The containers of pods' tasks. */
  readonly podTasks: Map<TaskId, PodTaskRecord>;
  /** Tasks of live executors that have ended and been acknowledged, oldest first, a bounded number each. */
  readonly retired: Map<ExecutorId, readonly TaskRecord[]>;
  readonly streams: Map<TaskId, UpdateStream>;
  /** Oldest first. */
  readonly completed: readonly CompletedExecutor[];
}

export interface CompletedExecutor {
  readonly executor: ExecutorRecord;
  readonly tasks: readonly TaskRecord[];
}

/** Tasks on their way to a custom executor, as one LAUNCH or LAUNCH_GROUP. */
export interface PendingLaunch {
  readonly taskIds: readonly TaskId[];
  readonly group: boolean;
  readonly durable: boolean;
}

/** What only this process knows of a container: its checks, or its executor's connection. */
export interface Run {
  readonly frameworkId: FrameworkId;
  readonly executorId: ExecutorId;
  /** Of a pod's task. */
  readonly taskId?: TaskId;
  /** A custom executor's stream of events. */
  readonly connection?: ConnectionId | undefined;
  /** The uuids of the updates that its executor listed as unacknowledged in its last SUBSCRIBE. */
  readonly listedUpdates?: ReadonlySet<string>;
  /** Oldest first; they wait until they are on disk and the executor listens. */
  readonly pending?: readonly PendingLaunch[];
  /** The executor has had a task. */
  readonly everSentTask?: boolean;
  readonly health: CheckState | undefined;
  readonly check: CheckState | undefined;
}

/** A WAIT call without its answer. */
export interface WaitingCall {
  readonly connection: ConnectionId;
  /** It was WAIT_NESTED_CONTAINER, and so is the answer. */
  readonly nested: boolean;
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
  /** Undefined: nobody has seen its container end yet (SANDBOXES-1). */
  readonly endedWallMs: number | undefined;
  readonly removing: boolean;
}

export interface Registration {
  readonly master: Pid | undefined;
  readonly registered: boolean;
  /** Since it began to register, a try has told the master what the agent has. */
  readonly told: boolean;
  /** Since it began to register; they bound the next random pause. */
  readonly attempts: number;
  /** Without a ping for this long the master is taken for lost. */
  readonly pingTimeoutMs: number;
}

export type Timer =
  | { readonly kind: 'framework'; readonly frameworkId: FrameworkId }
  | { readonly kind: 'register' }
  | { readonly kind: 'ping' }
  | { readonly kind: 'disk' }
  | { readonly kind: 'resend'; readonly frameworkId: FrameworkId; readonly taskId: TaskId }
  | { readonly kind: 'resendOperation'; readonly uuid: OperationUuid }
  | { readonly kind: 'executorsBack' }
  | { readonly kind: 'registerExecutor' | 'executorHeartbeat'; readonly containerId: ContainerId }
  | { readonly kind: 'kill' | 'maxCompletion' | 'health' | 'check'; readonly containerId: ContainerId };

export interface AgentState {
  readonly config: AgentConfig;
  readonly random: Random;
  readonly timers: Timers<Timer>;
  readonly commits: CommitQueue<CheckpointChange, AfterCommitWork>;
  readonly counters: Counters;
  /** Set once, by `start`. */
  started: boolean;
  /** With the id, once there is one. */
  info: AgentInfo;
  /** Total resources: the flags' with reservations and volumes applied. Post-refinement. */
  total: readonly Resource[];
  /** Of what the master was told last; base64 of 16 bytes. */
  resourceVersion: string;
  registration: Registration;
  /** Containers of the executors that the last re-registration named, in any of its tries. */
  namedExecutors: Set<ContainerId>;
  /** Ends that came since, of those executors and of any other before the first answer (REGISTRATION-7). */
  exitsSinceReregistration: ExitedExecutorMessage[];
  readonly frameworks: Map<FrameworkId, FrameworkRecord>;
  /** Oldest first, a bounded number. */
  completedFrameworks: readonly FrameworkRecord[];
  readonly runs: Map<ContainerId, Run>;
  /** Executors of an earlier process that have not subscribed yet: until they have, or are late, the agent doesn't register. */
  readonly awaited: Set<ContainerId>;
  readonly nestedContainers: Map<string, NestedContainer>;
  /** Calls that wait for a task's or an executor's own container. */
  readonly waitingForRuns: Map<ContainerId, readonly WaitingCall[]>;
  readonly operations: Map<OperationUuid, OperationRecord>;
  /** The pause before an operation's update is sent again. */
  readonly operationRetryMs: Map<OperationUuid, number>;
  /** Applied, and not on disk yet: nothing is sent of them (OPERATIONS-1). */
  readonly unsavedOperations: Set<OperationUuid>;
  drain: { readonly config: DrainConfig; readonly sinceWallMs: number } | undefined;
  readonly sandboxes: Map<ContainerId, Sandbox>;
  /** Containers of an earlier process that run, are named by no record and are being destroyed (RECOVERY-1). */
  readonly strays: Set<ContainerId>;
  /** As of the last look at the disk. */
  maxSandboxAgeMs: number;
  /** Why no task is launched until the disk has room again. */
  diskShortage: string | undefined;
  /** Why the agent ends as soon as its last container has. */
  leaving: string | undefined;
  startedWallMs: number;
  registeredWallMs: number | undefined;
}

/** Completed frameworks that are kept for the read endpoints; Mesos' number. */
const MAX_COMPLETED_FRAMEWORKS = 50;

export const PING_TIMEOUT_MS = 75_000;

export function createState(config: AgentConfig, random: Random): AgentState {
  return {
    config,
    random,
    timers: createTimers(),
    commits: createCommitQueue(),
    counters: createCounters(),
    started: false,
    info: config.info,
    total: config.info.resources ?? [],
    resourceVersion: uuidBytes(random),
    namedExecutors: new Set(),
    exitsSinceReregistration: [],
    registration: {
      master: undefined,
      registered: false,
      told: false,
      attempts: 0,
      pingTimeoutMs: PING_TIMEOUT_MS,
    },
    frameworks: new Map(),
    completedFrameworks: [],
    runs: new Map(),
    awaited: new Set(),
    nestedContainers: new Map(),
    waitingForRuns: new Map(),
    operations: new Map(),
    operationRetryMs: new Map(),
    unsavedOperations: new Set(),
    drain: undefined,
    sandboxes: new Map(),
    strays: new Set(),
    maxSandboxAgeMs: config.gcDelayMs,
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

/** The framework's tasks that an executor ran or runs. */
export function* tasksOf(framework: FrameworkRecord, executorId: ExecutorId): Iterable<TaskRecord> {
  if (framework.executors.get(executorId)?.kind === 'command') {
    // A command task carries its executor's id.
    const own = framework.tasks.get(executorId as string as TaskId);
    if (own !== undefined && own.executorId === executorId) yield own;
    return;
  }
  for (const record of framework.tasks.values()) if (record.executorId === executorId) yield record;
}

/** A framework of which nothing is known yet but its description. */
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

/** Keeps a framework that has no executor left for the read endpoints. */
export function completeFramework(state: AgentState, framework: FrameworkRecord): void {
  state.frameworks.delete(framework.id);
  state.completedFrameworks = [...state.completedFrameworks.filter(({ id }) => id !== framework.id), framework].slice(
    -MAX_COMPLETED_FRAMEWORKS,
  );
}
