// The inputs and effects of the agent's core, plain data. A shell (or the simulator) feeds inputs one at a time to `step` and
// carries out the effects after it, in order.
import type { ContainerId, ExecutorId, FrameworkId, Id, LogLine, Pid, TaskId } from '@meseta/base';
import type {
  ContainerEvent,
  ContainerResources,
  ContainerSpec,
  ExitStatus,
  Limitation,
  Probe,
  ProbeResult,
  RecoveredContainer,
  VolumeChange,
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
  NetworkInfo,
  Operation,
  Resource,
  Task,
  TaskInfo,
  TaskStatus,
  UpdateOperationStatusMessage,
} from '@meseta/wire';

/** Which of a task's two checks a probe serves. */
export type CheckKind = 'health' | 'check';

/** The id of an HTTP request; that of a SUBSCRIBE is also the id of the executor's stream of events. */
export type ConnectionId = Id<'ConnectionId'>;

export type AgentInput =
  /** The first input of a process: the checkpoint, and the containers that the launcher still knows, running or ended. */
  | {
      readonly kind: 'start';
      readonly checkpoint: readonly CheckpointEntry[];
      readonly containers: readonly RecoveredContainer[];
    }
  /** The leading master; undefined while there is none. */
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
      /** The claims of the caller's token; undefined where executors don't authenticate. */
      readonly claims?: Readonly<Record<string, string>> | undefined;
    }
  /** A call about containers that calls launch (LAUNCH_, WAIT_, KILL_, REMOVE_...), or the first record of ATTACH_...; answered by `callReply`. */
  | { readonly kind: 'containerCall'; readonly connection: ConnectionId; readonly call: AgentCall }
  /** The client of a WAIT call has disconnected before the answer. `id`: the container of the call. */
  | { readonly kind: 'containerCallClosed'; readonly connection: ConnectionId; readonly id: ContainerID }
  /** The executor closed its stream. */
  | { readonly kind: 'streamClosed'; readonly connection: ConnectionId }
  /** The oldest outstanding `checkpoint` effect is durable. */
  | { readonly kind: 'persisted' }
  /** The answer to `measureDisk`: the used share of work_dir's disk, 0 to 1. */
  | { readonly kind: 'diskUsage'; readonly usedShare: number }
  /** Why the disk of work_dir has no room for another task; undefined once it has room. */
  | { readonly kind: 'diskRoom'; readonly shortage: string | undefined }
  /** The host is overloaded: what uses revocable resources has to end. */
  | { readonly kind: 'overload'; readonly cause: string }
  /** The answer to `removeSandbox`. */
  | { readonly kind: 'sandboxRemoved'; readonly containerId: ContainerId; readonly error: string | undefined }
  /** SIGUSR1: leave the cluster for good. Every task is killed, then the process ends. */
  | { readonly kind: 'leave'; readonly message: string }
  /** A deadline is due (`nextDeadline`). */
  | { readonly kind: 'tick' };

export type AgentEffect =
  | { readonly kind: 'send'; readonly to: Pid; readonly message: LibprocessMessage }
  /** Keep a connection to the address of the pid; `peerLost` is fed when it breaks. */
  | { readonly kind: 'link'; readonly to: Pid }
  /** Write these changes as one durable batch; answered by `persisted`, in order. A write that fails ends the process. */
  | { readonly kind: 'checkpoint'; readonly changes: readonly CheckpointChange[] }
  /** Make the sandbox (owned by the user) with its volumes, then start the container. */
  | {
      readonly kind: 'launch';
      readonly spec: ContainerSpec;
      /** A custom executor: where executors authenticate, it gets a token with these ids. */
      readonly executor?: { readonly frameworkId: FrameworkId; readonly executorId: ExecutorId };
    }
  /** The resources of a custom executor's container have changed with its tasks. */
  | ({ readonly kind: 'updateContainer'; readonly containerId: ContainerId } & ContainerResources)
  | { readonly kind: 'signal'; readonly containerId: ContainerId; readonly signal: number }
  /** SIGKILL to every process of the container, which ends in an `exited` or `launchFailed` event. */
  | { readonly kind: 'destroy'; readonly containerId: ContainerId }
  /** Remove an ended container from the launcher. */
  | { readonly kind: 'removeContainer'; readonly containerId: ContainerId }
  /** A single probe; answered by `probeResult`. */
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
  /** The reply to a SUBSCRIBE: a stream of events. */
  | { readonly kind: 'openStream'; readonly connection: ConnectionId }
  | { readonly kind: 'executorEvent'; readonly connection: ConnectionId; readonly event: ExecutorEvent }
  | { readonly kind: 'closeStream'; readonly connection: ConnectionId }
  /** The reply to a `containerCall`; to a WAIT when the container has ended. */
  | {
      readonly kind: 'callReply';
      readonly connection: ConnectionId;
      readonly status: 200 | 202 | 400 | 404 | 500;
      readonly text: string;
      readonly response?: AgentResponse;
      readonly container?: AttachableContainer;
    }
  | { readonly kind: 'measureDisk' }
  | { readonly kind: 'removeSandbox'; readonly containerId: ContainerId; readonly path: string }
  | ({ readonly kind: 'volume' } & VolumeChange)
  | ({ readonly kind: 'log' } & LogLine)
  /** Ends the process: with status 0 after an ordered end, else 1. */
  | { readonly kind: 'exit'; readonly status: 0 | 1; readonly message: string };

/** The running container that a call has launched, or attaches to. */
export interface AttachableContainer {
  /** In the launcher. */
  readonly containerId: ContainerId;
  /** Has its output in `stdout` and `stderr`. */
  readonly sandbox: string;
}

/** Why a task is being ended, and when SIGKILL follows. Kept across a restart of the agent. */
export interface Kill {
  readonly why:
    | 'requested'
    | 'unhealthy'
    | 'maxCompletion'
    | 'shutdown'
    | 'draining'
    /** Another task of its group failed or was killed. */
    | 'group'
    /** The host was overloaded, and it used revocable resources. */
    | 'preempted'
    /** An executor did not subscribe in time, at first or after a restart of the agent. */
    | 'notSubscribed'
    | 'notResubscribed';
  readonly sinceWallMs: number;
  readonly graceMs: number;
}

/** A task. Its unacknowledged updates are in its stream. */
export interface TaskRecord {
  readonly info: TaskInfo;
  readonly executorId: ExecutorId;
  /** The task as the master and the read endpoints see it: its last state and its statuses. */
  readonly task: Task;
  /** The uuids of its executor's newest updates: one that arrives again is acknowledged and not forwarded. */
  readonly received?: readonly string[];
}

export interface ContainerRecord {
  readonly frameworkId: FrameworkId;
  readonly containerId: ContainerId;
  readonly sandbox: string;
  /** Queued until it is on disk, launching until its container has started (a custom executor: until it subscribes). */
  readonly state: 'queued' | 'launching' | 'running' | 'ended';
  readonly pid: number | undefined;
  /** Of its own network namespace, once it has started; undefined: it has the agent's. */
  readonly networks?: readonly NetworkInfo[] | undefined;
  /** The start of its command. */
  readonly startedWallMs: number | undefined;
  readonly kill: Kill | undefined;
}

/**
 * An executor. A `command` executor is the agent itself, and its container is the task's; a `default` executor is the agent
 * too, without a container, and its tasks have one each (`PodTaskRecord`); a `custom` executor is a program of the framework.
 */
export interface ExecutorRecord extends ContainerRecord {
  readonly info: ExecutorInfo;
  readonly kind: 'command' | 'custom' | 'default';
  /** The pid of a custom executor's v0 driver, once it has registered. */
  readonly driver?: Pid | undefined;
}

/** A nested or standalone container. */
export interface NestedContainerRecord {
  /** The id that its caller chose, with its parents. */
  readonly id: ContainerID;
  /** The id in the launcher. */
  readonly containerId: ContainerId;
  readonly sandbox: string;
  /** The user of it and of what is nested in it; undefined: its parent's, or the agent's own. */
  readonly user?: string | undefined;
  /** LAUNCH_NESTED_CONTAINER_SESSION launched it: it has an input, and it is destroyed when its client or the agent ends. */
  readonly isSession?: true;
  /** It has a terminal, which is its input too. */
  readonly hasTerminal?: true;
  readonly resources: readonly Resource[];
  readonly state: 'launching' | 'running' | 'ended';
  readonly pid: number | undefined;
  readonly networks?: readonly NetworkInfo[] | undefined;
  /** How it ended. */
  readonly status: ExitStatus | undefined;
  /** Why it was destroyed, if it exceeded a limit. */
  readonly limitation?: Limitation | undefined;
}

/** The container of a task of a pod. */
export interface PodTaskRecord extends ContainerRecord {
  readonly kind: 'podTask';
  readonly executorId: ExecutorId;
  readonly taskId: TaskId;
  /** The container id of its executor. */
  readonly parent: ContainerId;
  /** The tasks of its group, itself included: if one fails or is killed, all end. */
  readonly group: readonly TaskId[];
}

export interface OperationRecord {
  readonly operation: Operation;
  /** The update that is not acknowledged. */
  readonly update: UpdateOperationStatusMessage | undefined;
}

/** What the agent writes to disk. A key is `kind/ids`, with one record each. */
export type CheckpointRecord =
  | {
      readonly kind: 'agent';
      readonly info: AgentInfo;
      readonly bootId: string;
      /** The directory of the sandboxes of the other records. */
      readonly workDir: string;
    }
  | { readonly kind: 'framework'; readonly info: FrameworkInfo; readonly pid: string | undefined }
  | { readonly kind: 'executor'; readonly executor: ExecutorRecord }
  | { readonly kind: 'podTask'; readonly podTask: PodTaskRecord }
  | { readonly kind: 'nestedContainer'; readonly nestedContainer: NestedContainerRecord }
  | { readonly kind: 'task'; readonly frameworkId: FrameworkId; readonly record: TaskRecord }
  /** The fields of an executor or task that have changed since its record was written (checkpoint-records.ts). */
  | {
      readonly kind: 'executorProgress';
      readonly frameworkId: FrameworkId;
      readonly executorId: ExecutorId;
      readonly progress: Pick<ExecutorRecord, 'state' | 'pid' | 'networks' | 'startedWallMs' | 'kill' | 'driver'>;
    }
  | {
      readonly kind: 'taskProgress';
      readonly frameworkId: FrameworkId;
      readonly taskId: TaskId;
      readonly progress: Pick<Task, 'state' | 'status_update_state' | 'status_update_uuid'> & {
        readonly statuses: readonly TaskStatus[];
        readonly received: readonly string[] | undefined;
      };
    }
  /** A status whose update is not acknowledged. The updates of a task are sent in the order of their numbers. */
  | {
      readonly kind: 'waitingStatus';
      readonly frameworkId: FrameworkId;
      readonly taskId: TaskId;
      readonly number: number;
      readonly status: TaskStatus;
    }
  /** Reservations and volumes made by operations. */
  | { readonly kind: 'resources'; readonly resources: readonly Resource[] }
  | { readonly kind: 'operation'; readonly record: OperationRecord }
  | { readonly kind: 'drain'; readonly config: DrainConfig; readonly sinceWallMs: number }
  /** A sandbox on disk, which is removed some time after `endedWallMs`. */
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

/** `undefined` deletes the record. */
export interface CheckpointChange {
  readonly key: string;
  readonly record: CheckpointRecord | undefined;
}
