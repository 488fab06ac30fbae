// What an agent asks of containers and what it hears of them. Plain data both ways, so that the
// agent's core can be run against fake containers by the simulator.
import type { ContainerId } from '@meseta/base';
import type {
  CommandInfo,
  CommandInfoURI,
  ContainerInfo,
  Resource,
  ResourceStatistics,
  RLimitInfo,
} from '@meseta/wire';

/** One container to launch: everything decided, nothing looked up later. */
export interface ContainerSpec {
  readonly containerId: ContainerId;
  /** Absolute; exists, owned by `user`, becomes the working directory. */
  readonly sandbox: string;
  readonly user: string | undefined;
  /** `shell` with `value`, or `value` as the program with `arguments` as its argv. Its environment and uris are ignored here. */
  readonly command: CommandInfo;
  /** The whole environment: nothing is inherited. */
  readonly environment: { readonly [name: string]: string };
  /** Fetched into the sandbox before the command starts. */
  readonly uris: readonly CommandInfoURI[];
  readonly rlimits: RLimitInfo | undefined;
  readonly resources: readonly Resource[];
  readonly container: ContainerInfo | undefined;
  /** Of a container in another one: that one's sandbox, and of a pod's task what its executor asks for. */
  readonly outer?: { readonly sandbox: string; readonly podContainer?: ContainerInfo | undefined } | undefined;
}

/** How a process ended. `unknown`: nobody saw it (a reboot, a lost status file). */
export type ExitStatus =
  | { readonly kind: 'exited'; readonly code: number }
  | { readonly kind: 'signaled'; readonly signal: number }
  | { readonly kind: 'unknown' };

export type ContainerEvent =
  /** The command has been forked; `pid` is its first process', which leads the container's session. */
  | { readonly kind: 'started'; readonly containerId: ContainerId; readonly pid: number }
  /** It never ran. `message` is for the task's status. */
  | {
      readonly kind: 'launchFailed';
      readonly containerId: ContainerId;
      readonly stage: 'fetch' | 'launch';
      readonly message: string;
    }
  /** It ran and every process of it is gone. */
  | { readonly kind: 'exited'; readonly containerId: ContainerId; readonly status: ExitStatus };

/** A container found alive, or ended with its status on disk, when the agent starts again. */
export type RecoveredContainer =
  | { readonly containerId: ContainerId; readonly state: 'running'; readonly pid: number }
  | { readonly containerId: ContainerId; readonly state: 'ended'; readonly status: ExitStatus };

/** A probe of a running container: one shot, the agent's core keeps the timers. */
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
  /** The probe itself could not be made. */
  | { readonly kind: 'failed'; readonly message: string }
  | { readonly kind: 'timedOut' };

/** The launcher: its calls answer nothing, its events tell. Every accepted container ends in one `launchFailed` or `exited`. */
export interface Containers {
  launch(spec: ContainerSpec): void;
  /** To every process of the container (sessions and process groups followed). */
  signal(containerId: ContainerId, signal: number): void;
  /** SIGKILL to every process; then `exited`. Of a container that is still fetching: the fetch is stopped. */
  destroy(containerId: ContainerId): void;
  probe(containerId: ContainerId, probe: Probe, timeoutMs: number): Promise<ProbeResult>;
  /**
   * What the container uses: cpu times, resident memory, processes, threads, and the disk under its sandbox
   * (measured at most once a minute, left out until it is). undefined: it isn't running. `timestamp` is left to the caller.
   */
  usage(containerId: ContainerId): Promise<Omit<ResourceStatistics, 'timestamp'> | undefined>;
  /** Forgets an ended container and removes its runtime files (not its sandbox). */
  remove(containerId: ContainerId): void;
  /** Looks for containers of an earlier agent process; running ones are watched from here on. */
  recover(relocate?: (sandbox: string) => string): Promise<readonly RecoveredContainer[]>;
  close(): Promise<void>;
}
