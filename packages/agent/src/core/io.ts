// What goes into the agent's core and what comes out: plain data both ways.
// A shell (or the simulator) feeds inputs one at a time to `step` and carries out the effects after it, in order.
import type { ContainerId, ExecutorId, FrameworkId, Id, Pid, TaskId } from '@meseta/base';
import type {
  ContainerEvent,
  ContainerSpec,
  ExitStatus,
  Probe,
  ProbeResult,
  RecoveredContainer,
} from '@meseta/containers/types';
import type {
  AgentCall,
  AgentInfo,
  AgentResponse,
  ContainerID,
  DrainConfig,
  ExecutorCall,
  ExecutorEvent,
  ExecutorInfo,
  FrameworkInfo,
  LibprocessMessage,
  Operation,
  Resource,
  StatusUpdate,
  Task,
  TaskInfo,
  TaskStatus,
  UpdateOperationStatusMessage,
} from '@meseta/wire';

/** Which of a task's two checks a probe serves. */
export type CheckKind = 'health' | 'check';

/** A request to the executor API; a SUBSCRIBE's becomes the stream of that executor's events. */
export type ConnectionId = Id<'ConnectionId'>;

export type AgentInput =
  /** The first input of every process: what its predecessor left on disk and what still runs (or ended meanwhile). */
  | {
      readonly kind: 'start';
      readonly checkpoint: readonly CheckpointEntry[];
      readonly containers: readonly RecoveredContainer[];
    }
  /** The leading master as the detector knows it; undefined while nobody leads. */
  | { readonly kind: 'masterDetected'; readonly master: Pid | undefined }
  /** A libprocess message, decoded. */
  | { readonly kind: 'message'; readonly from: Pid; readonly message: LibprocessMessage }
  /** A connection to a linked address (`ip:port`) broke or could not be made. */
  | { readonly kind: 'peerLost'; readonly address: string }
  | { readonly kind: 'containerEvent'; readonly event: ContainerEvent }
  | {
      readonly kind: 'probeResult';
      readonly containerId: ContainerId;
      readonly check: CheckKind;
      readonly result: ProbeResult;
    }
  /** A call of an executor whose fields have been checked (`checkExecutorCall`); answered by `reply` or `openStream`. */
  | {
      readonly kind: 'executorCall';
      readonly connection: ConnectionId;
      readonly call: ExecutorCall;
      /** What the caller's token says of it; undefined where executors don't authenticate. */
      readonly claims?: Readonly<Record<string, string>> | undefined;
    }
  /** A call about containers that calls launch (LAUNCH_, WAIT_, KILL_, REMOVE_..., ATTACH_CONTAINER_OUTPUT); answered by `callReply`. */
  | { readonly kind: 'containerCall'; readonly connection: ConnectionId; readonly call: AgentCall }
  /** An executor's stream ended without our doing. */
  | { readonly kind: 'streamClosed'; readonly connection: ConnectionId }
  /** The oldest outstanding `checkpoint` effect is durable. */
  | { readonly kind: 'persisted' }
  /** The answer to `measureDisk`: the used share of work_dir's disk, 0 to 1. */
  | { readonly kind: 'diskUsage'; readonly usedShare: number }
  /** Why the disk of work_dir has no room for another task, or undefined once it has. */
  | { readonly kind: 'diskRoom'; readonly shortage: string | undefined }
  /** The answer to `removeSandbox`. */
  | { readonly kind: 'sandboxRemoved'; readonly containerId: ContainerId; readonly error: string | undefined }
  /** SIGUSR1: leave the cluster for good. Every task is killed, then the process ends. */
  | { readonly kind: 'leave'; readonly message: string }
  /** A deadline is due (`nextDeadline`). */
  | { readonly kind: 'tick' };

export type AgentEffect =
  | { readonly kind: 'send'; readonly to: Pid; readonly message: LibprocessMessage }
  /** Keep a connection to the address of the pid; tell `peerLost` when it breaks. */
  | { readonly kind: 'link'; readonly to: Pid }
  /** Write these changes as one durable batch; answered by `persisted`, in order. A write that fails ends the process. */
  | { readonly kind: 'checkpoint'; readonly changes: readonly CheckpointChange[] }
  /** Make the sandbox (owned by the user) with its volumes, then start the container. */
  | {
      readonly kind: 'launch';
      readonly spec: ContainerSpec;
      readonly volumes: readonly VolumeLink[];
      /** A framework's own executor: where executors authenticate, it gets a token with its ids. */
      readonly executor?: { readonly frameworkId: FrameworkId; readonly executorId: ExecutorId };
      /** Of a pod's task: the pod's sandbox is made first, and the task's is linked there by the task's id. */
      readonly pod?: { readonly sandbox: string; readonly taskId: TaskId };
    }
  | { readonly kind: 'signal'; readonly containerId: ContainerId; readonly signal: number }
  /** SIGKILL to all of it; ends in an `exited` or `launchFailed` event. */
  | { readonly kind: 'destroy'; readonly containerId: ContainerId }
  /** Forget an ended container. */
  | { readonly kind: 'removeContainer'; readonly containerId: ContainerId }
  /** One shot; answered by `probeResult`. */
  | {
      readonly kind: 'probe';
      readonly containerId: ContainerId;
      readonly check: CheckKind;
      readonly probe: Probe;
      readonly timeoutMs: number;
    }
  /** The answer to an `executorCall` that opens no stream. */
  | {
      readonly kind: 'reply';
      readonly connection: ConnectionId;
      readonly status: 202 | 400 | 403;
      readonly text: string;
    }
  /** The answer to a SUBSCRIBE: events follow. */
  | { readonly kind: 'openStream'; readonly connection: ConnectionId }
  | { readonly kind: 'executorEvent'; readonly connection: ConnectionId; readonly event: ExecutorEvent }
  | { readonly kind: 'closeStream'; readonly connection: ConnectionId }
  /** The answer to a `containerCall`, when there is one: a WAIT is answered when the container has ended. */
  | {
      readonly kind: 'callReply';
      readonly connection: ConnectionId;
      readonly status: 200 | 202 | 400 | 404 | 500;
      readonly text: string;
      readonly response?: AgentResponse;
      /** Of the container that was launched or is to be attached to: its output is in `stdout` and `stderr` there. */
      readonly sandbox?: string;
    }
  | { readonly kind: 'measureDisk' }
  | { readonly kind: 'removeSandbox'; readonly containerId: ContainerId; readonly path: string }
  /** Make (`remove` false) or delete the directory of a persistent volume, with its content. */
  | {
      readonly kind: 'volume';
      /** The root itself, a mounted disk's, stays when its volume goes. */
      readonly place: DirectoryBelow;
      readonly remove: boolean;
      /** Tasks of several users see it. */
      readonly isShared: boolean;
    }
  | { readonly kind: 'log'; readonly level: 'info' | 'warning' | 'error'; readonly text: string }
  /** Ends the process: with status 0 when it did what it was told, else 1. */
  | { readonly kind: 'exit'; readonly status: 0 | 1; readonly message: string };

/** A directory below a sandbox, or one that only the agent can replace; tasks may change what the names stand for. */
export interface DirectoryBelow {
  readonly root: string;
  readonly names: readonly string[];
}

/** A volume as a container sees it. */
export interface VolumeLink {
  /** Relative: below the sandbox. */
  readonly containerPath: string;
  readonly place: DirectoryBelow;
  /** It is given to the container's user each time; others belong to who had them made. */
  readonly isPersistent: boolean;
}

/** Why a task is being ended, and when SIGKILL follows. Survives a restart of the agent. */
export interface Kill {
  readonly why:
    | 'asked'
    | 'unhealthy'
    | 'maxCompletion'
    | 'shutdown'
    | 'draining'
    /** Another task of its group failed or was killed. */
    | 'group'
    /** An executor did not subscribe in time, or not again after the agent's restart. */
    | 'notRegistered'
    | 'notBack';
  readonly sinceWallMs: number;
  readonly graceMs: number;
}

/** A task with everything that is known of it. Its updates that wait for acknowledgement are in their stream. */
export interface TaskRecord {
  readonly info: TaskInfo;
  readonly executorId: ExecutorId;
  /** As the master and the read endpoints see it: the state last made known, its statuses. */
  readonly task: Task;
  /** The uuids of its executor's newest updates: what is sent again is acknowledged, not told again. */
  readonly received?: readonly string[];
}

export interface ContainerRecord {
  readonly frameworkId: FrameworkId;
  readonly containerId: ContainerId;
  readonly sandbox: string;
  /** Queued until it is on disk, launching until its container has started (a custom executor: until it subscribes). */
  readonly state: 'queued' | 'launching' | 'running' | 'ended';
  readonly pid: number | undefined;
  /** When its command was started. */
  readonly startedWallMs: number | undefined;
  readonly kill: Kill | undefined;
}

/**
 * One executor. A `command` executor is the agent itself, its container the task; a `default` executor is the agent
 * too, its tasks have containers of their own (`PodTaskRecord`) and it has none; a `custom` executor is a framework's
 * own program.
 */
export interface ExecutorRecord extends ContainerRecord {
  readonly info: ExecutorInfo;
  readonly kind: 'command' | 'custom' | 'default';
  /** A custom executor that speaks libprocess messages (a v0 driver's), once it has registered. */
  readonly driver?: Pid | undefined;
}

/** A nested or standalone container. */
export interface NestedContainerRecord {
  /** As whoever launched it names it, with its parents. */
  readonly id: ContainerID;
  /** As the launcher knows it. */
  readonly containerId: ContainerId;
  readonly sandbox: string;
  /** Whom it runs as, and what is nested in it; undefined: the agent's own user, or its parent's where it has one. */
  readonly user?: string | undefined;
  readonly resources: readonly Resource[];
  readonly state: 'launching' | 'running' | 'ended';
  readonly pid: number | undefined;
  /** Its end. */
  readonly status: ExitStatus | undefined;
}

/** A task of a pod with its container. */
export interface PodTaskRecord extends ContainerRecord {
  readonly kind: 'podTask';
  readonly executorId: ExecutorId;
  readonly taskId: TaskId;
  /** The container that its executor shows. */
  readonly parent: ContainerId;
  /** The tasks that it was launched with, itself included: if one fails or is killed, all end. */
  readonly group: readonly TaskId[];
}

export interface OperationRecord {
  readonly operation: Operation;
  /** The update that waits for acknowledgement. */
  readonly update: UpdateOperationStatusMessage | undefined;
}

/** What the agent writes to disk, by kind. A key is `kind/ids`, one record each. */
export type CheckpointRecord =
  | {
      readonly kind: 'agent';
      readonly info: AgentInfo;
      readonly bootId: string;
      /** Where the sandboxes of the other records lie below. */
      readonly workDir: string;
    }
  | { readonly kind: 'framework'; readonly info: FrameworkInfo; readonly pid: string | undefined }
  | { readonly kind: 'executor'; readonly executor: ExecutorRecord }
  | { readonly kind: 'podTask'; readonly podTask: PodTaskRecord }
  | { readonly kind: 'nestedContainer'; readonly nestedContainer: NestedContainerRecord }
  | {
      readonly kind: 'task';
      readonly frameworkId: FrameworkId;
      readonly record: TaskRecord;
      /** Those that wait for acknowledgement: `wholeRecords` takes them from the task's progress. */
      readonly updates?: readonly StatusUpdate[];
    }
  /** What has changed of an executor or task since it was written whole (checkpoint-records.ts). */
  | {
      readonly kind: 'executorProgress';
      readonly frameworkId: FrameworkId;
      readonly executorId: ExecutorId;
      readonly progress: Pick<ExecutorRecord, 'state' | 'pid' | 'startedWallMs' | 'kill' | 'driver'>;
    }
  | {
      readonly kind: 'taskProgress';
      readonly frameworkId: FrameworkId;
      readonly taskId: TaskId;
      readonly progress: Pick<Task, 'state' | 'status_update_state' | 'status_update_uuid'> & {
        readonly statuses: readonly TaskStatus[];
        readonly received: readonly string[] | undefined;
      };
      /** The statuses whose updates wait for acknowledgement: those that are in `statuses` by their uuids. */
      readonly waiting: readonly (string | TaskStatus)[];
    }
  /** Reservations and volumes made by operations. */
  | { readonly kind: 'resources'; readonly resources: readonly Resource[] }
  | { readonly kind: 'operation'; readonly record: OperationRecord }
  | { readonly kind: 'drain'; readonly config: DrainConfig; readonly sinceWallMs: number }
  /** A sandbox on disk, to be removed some time after `endedWallMs`. */
  | {
      readonly kind: 'sandbox';
      readonly containerId: ContainerId;
      readonly path: string;
      readonly endedWallMs: number | undefined;
    };

export interface CheckpointEntry {
  readonly key: string;
  readonly record: CheckpointRecord;
}

/** `record` undefined deletes. */
export interface CheckpointChange {
  readonly key: string;
  readonly record: CheckpointRecord | undefined;
}

/** What a process tells its core about itself and its host at start. Durations in milliseconds. */
export interface AgentConfig {
  /** `slave(1)@ip:port` */
  readonly pid: Pid;
  /** An address of this host that executors' drivers can listen on; peers may be told another one (`pid`). */
  readonly localIp: string;
  /** Without id; resources in the post-refinement format, as the flags say. */
  readonly info: AgentInfo;
  readonly version: string;
  readonly workDir: string;
  /** Another one means that the host was restarted: nothing of before runs. */
  readonly bootId: string;
  readonly recover: 'reconnect' | 'cleanup';
  readonly reconfigurationPolicy: 'equal' | 'additive';
  readonly switchUser: boolean;
  /** Whether a framework with this principal may launch tasks on this agent as the user. */
  readonly mayRunAs: (principal: string | undefined, user: string) => boolean;
  readonly httpCommandExecutor: boolean;
  /** Extra environment of every executor (`--executor_environment_variables`). */
  readonly executorEnvironment: { readonly [name: string]: string };
  /** Where containers with an image see their sandbox (`--sandbox_directory`). */
  readonly sandboxDirectory: string;
  readonly registrationBackoffMs: number;
  readonly executorShutdownGraceMs: number;
  readonly executorRegistrationTimeoutMs: number;
  readonly executorReregistrationTimeoutMs: number;
  readonly recoveryTimeoutMs: number;
  readonly maxCompletedExecutorsPerFramework: number;
  readonly gcDelayMs: number;
  /** Share of the disk that is kept free, 0 to 1. */
  readonly gcDiskHeadroom: number;
  readonly diskWatchIntervalMs: number;
}
