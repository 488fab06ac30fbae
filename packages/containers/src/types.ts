// The port between an agent's core and its containers: orders and events as plain data, so that the simulator can run the
// core with simulated containers.
import type { ContainerId } from '@meseta/base';
import type {
  CommandInfo,
  CommandInfoURI,
  ContainerInfo,
  Resource,
  ResourceStatistics,
  RLimitInfo,
} from '@meseta/wire';

/** One container to launch. All values are resolved; the launcher looks up nothing but the user. */
export interface ContainerSpec {
  readonly containerId: ContainerId;
  /** Absolute. It exists, belongs to `user` and becomes the working directory. */
  readonly sandbox: string;
  readonly user: string | undefined;
  /** `shell` with `value`, or `value` as the program with `arguments` as its argv. The fields `environment` and `uris` in it are not used. */
  readonly command: CommandInfo;
  /** Nothing else is inherited. */
  readonly environment: { readonly [name: string]: string };
  /** Fetched into the sandbox before the command starts. */
  readonly uris: readonly CommandInfoURI[];
  readonly rlimits: RLimitInfo | undefined;
  readonly resources: readonly Resource[];
  readonly container: ContainerInfo | undefined;
  /** Of a nested container: the sandbox around it, and of a pod task the ContainerInfo of its executor. */
  readonly outer?: { readonly sandbox: string; readonly podContainer?: ContainerInfo | undefined } | undefined;
}

/** The part of a spec that probes and measurements need. */
export type RunContext = Pick<ContainerSpec, 'sandbox' | 'user'>;

/** How a process ended. `unknown`: its status was lost (a reboot, a killed supervisor). */
export type ExitStatus =
  | { readonly kind: 'exited'; readonly code: number }
  | { readonly kind: 'signaled'; readonly signal: number }
  | { readonly kind: 'unknown' };

export type ContainerEvent =
  /** The command was forked. `pid`: the first process, which leads the container's session. */
  | { readonly kind: 'started'; readonly containerId: ContainerId; readonly pid: number }
  /** The command never ran. `message` is for the task's status. */
  | {
      readonly kind: 'launchFailed';
      readonly containerId: ContainerId;
      readonly stage: 'fetch' | 'launch';
      readonly message: string;
    }
  /** The command ran, and every process of the container has ended. */
  | { readonly kind: 'exited'; readonly containerId: ContainerId; readonly status: ExitStatus };

/** A container of an earlier agent process: it runs, or its status is on disk. */
export type RecoveredContainer =
  | { readonly containerId: ContainerId; readonly state: 'running'; readonly pid: number }
  | { readonly containerId: ContainerId; readonly state: 'ended'; readonly status: ExitStatus };

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

/** The launcher. Calls return at once; events report what happened. Each container ends in one `launchFailed` or `exited`. */
export interface Containers {
  launch(spec: ContainerSpec): void;
  /** Sends a signal to every process of the container, in all its sessions and process groups. */
  signal(containerId: ContainerId, signal: number): void;
  /** Kills every process; `exited` follows. The fetch of a container that has not started is aborted. */
  destroy(containerId: ContainerId): void;
  probe(containerId: ContainerId, probe: Probe, timeoutMs: number): Promise<ProbeResult>;
  /**
   * What the container uses: cpu times, resident memory, processes, threads, and the disk usage of its sandbox (measured at
   * most once a minute, absent until then). undefined: it isn't running. The caller adds `timestamp`.
   */
  usage(containerId: ContainerId): Promise<Omit<ResourceStatistics, 'timestamp'> | undefined>;
  /** Forgets an ended container and removes its runtime files, but not its sandbox. */
  remove(containerId: ContainerId): void;
  /** Finds the containers of an earlier agent process. Those that run are watched from now on. */
  recover(relocate?: (sandbox: string) => string): Promise<readonly RecoveredContainer[]>;
  close(): Promise<void>;
}
