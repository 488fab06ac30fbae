// What an agent's core and its containerizer exchange: orders and events as plain data, so that the simulator can run both
// with a fake launcher.
import type { ContainerId, DirectoryBelow, Result } from '@meseta/base';
import type {
  CommandInfo,
  CommandInfoURI,
  ContainerInfo,
  NetworkInfo,
  Resource,
  RLimitInfo,
  TaskStatusReason,
  ValueScalar,
} from '@meseta/wire';

/** Features that tasks ask for in fields of their own, and that not every agent provides. */
export type Capability =
  | 'cpusLimits'
  | 'memLimits'
  | 'rlimits'
  | 'sandboxPathVolumes'
  | 'hostPathVolumes'
  | 'secretVolumes'
  | 'mounts'
  | 'capabilities'
  | 'seccomp'
  | 'ipcNamespaces'
  | 'networks'
  | 'images'
  | 'imageVolumes';

/** Whether this agent provides each, as its isolators say at the start; the error says why not. */
export type Capabilities = { readonly [Name in Capability]: Result<void, string> };

export type { DirectoryBelow } from '@meseta/base';

/** A persistent volume as a container sees it. */
export interface PersistentVolume {
  /** Relative to the sandbox. */
  readonly containerPath: string;
  readonly place: DirectoryBelow;
}

/** Creates (`remove` false) or deletes the directory of a persistent volume, with its content. */
export interface VolumeChange {
  /** The root of a mounted disk stays; its content is deleted. */
  readonly place: DirectoryBelow;
  readonly remove: boolean;
  /** Tasks of several users use it. */
  readonly isShared: boolean;
}

/** The container around a nested one, or the executor of a pod around its task. */
export interface OuterContainer {
  readonly containerId: ContainerId;
  readonly sandbox: string;
  /** The persistent volumes in its sandbox. */
  readonly volumes: readonly PersistentVolume[];
  /** Around a task of a pod: its id, and the ContainerInfo of the pod's executor, whose sandbox is made with that of its first task. */
  readonly pod?: {
    readonly taskId: string;
    readonly container: ContainerInfo | undefined;
    /** The resources of the executor, which its tasks may use together. */
    readonly resources: readonly Resource[];
  };
}

/** What a container may use. */
export interface ContainerResources {
  readonly resources: readonly Resource[];
  /** Beyond its resources, by their names (`TaskInfo.limits`). Infinity: no limit. */
  readonly limits?: { readonly [name: string]: ValueScalar } | undefined;
}

/** One container to launch. All values are resolved; the containerizer looks up nothing but the user. */
export interface ContainerSpec extends ContainerResources {
  readonly containerId: ContainerId;
  /** Absolute. It is made for `user` if it is missing, and becomes the working directory. */
  readonly sandbox: string;
  readonly user: string | undefined;
  /** `shell` with `value`, or `value` as the program with `arguments` as its argv. The fields `environment` and `uris` in it are not used. */
  readonly command: CommandInfo;
  /** Nothing else is inherited. */
  readonly environment: { readonly [name: string]: string };
  /** Fetched into the sandbox before the command starts. */
  readonly uris: readonly CommandInfoURI[];
  readonly rlimits: RLimitInfo | undefined;
  /** Whether it is the container of a custom executor, whose tasks are its processes. */
  readonly isExecutor?: true;
  readonly container: ContainerInfo | undefined;
  /** The persistent volumes among its resources. */
  readonly volumes: readonly PersistentVolume[];
  /** It is the container of a pod, in a sandbox that exists (pods.ts). */
  readonly isPod?: true;
  /** The container around a nested one. */
  readonly outer?: OuterContainer | undefined;
  /** A session: a nested container to whose input clients write, a pipe or terminal. It starts in the sandbox of its parent. */
  readonly isSession?: boolean | undefined;
}

/** How a process ended. `unknown`: its status was lost (a reboot, a killed supervisor). */
export type ExitStatus =
  | { readonly kind: 'exited'; readonly code: number }
  | { readonly kind: 'signaled'; readonly signal: number }
  | { readonly kind: 'unknown' };

/** A container exceeded a limit, and was destroyed for that. */
export interface Limitation {
  /** The resources whose limit was exceeded. */
  readonly resources: readonly Resource[];
  readonly reason: Extract<TaskStatusReason, `REASON_CONTAINER_LIMITATION${string}`>;
  readonly message: string;
}

/** Facts about a started container for the statuses of its task. */
export interface StartedFacts {
  /** `TaskStatus.data` of TASK_RUNNING, in base64. */
  readonly data?: string | undefined;
  /** undefined: it has the addresses of the host. */
  readonly networkInfos?: readonly NetworkInfo[] | undefined;
}

export type ContainerEvent =
  /** The command was forked. `pid`: the first process, which leads the container's session. */
  | {
      readonly kind: 'started';
      readonly containerId: ContainerId;
      readonly pid: number;
      readonly facts?: StartedFacts | undefined;
      /** The networks of its own network namespace, with its addresses; undefined: it has the agent's network. */
      readonly networks?: readonly NetworkInfo[] | undefined;
    }
  /** The command never ran. `message` is for the task's status. */
  | {
      readonly kind: 'launchFailed';
      readonly containerId: ContainerId;
      readonly stage: 'fetch' | 'launch';
      readonly message: string;
    }
  /** The command ran, and every process of the container has ended. */
  | ({ readonly kind: 'exited'; readonly containerId: ContainerId } & ContainerEnd);

export interface ContainerEnd {
  readonly status: ExitStatus;
  /** For the task's status, where the launcher has a text of its own. */
  readonly message?: string | undefined;
  readonly limitation?: Limitation | undefined;
}

/** A container of an earlier agent process: it runs, or its status is on disk. */
export type RecoveredContainer =
  | {
      readonly containerId: ContainerId;
      readonly state: 'running';
      readonly pid: number;
      readonly networks?: readonly NetworkInfo[] | undefined;
    }
  | ({ readonly containerId: ContainerId; readonly state: 'ended' } & ContainerEnd);

/** One probe of a running container. The agent's core has the timers. */
export type Probe =
  | {
      readonly kind: 'command';
      readonly command: CommandInfo;
      readonly environment: { readonly [name: string]: string };
    }
  | {
      readonly kind: 'http';
      readonly scheme: 'http' | 'https';
      readonly port: number;
      readonly path: string;
      readonly ipv6: boolean;
    }
  | { readonly kind: 'tcp'; readonly port: number; readonly ipv6: boolean };

export type ProbeResult =
  | { readonly kind: 'command'; readonly status: ExitStatus }
  | { readonly kind: 'http'; readonly statusCode: number }
  | { readonly kind: 'tcp'; readonly succeeded: boolean }
  /** The probe could not be run. */
  | { readonly kind: 'failed'; readonly message: string }
  | { readonly kind: 'timedOut' };
