// The options of the core, from the agent's flags and the facts of its host. Times are in milliseconds.
import type { Pid } from '@meseta/base';
import type { Capabilities } from '@meseta/containers/types';
import type { AgentInfo, Resource } from '@meseta/wire';

export interface AgentOptions {
  /** `slave(1)@ip:port` */
  readonly pid: Pid;
  /** An address of this host on which executors' drivers can listen; the pid may have another one (`--advertise_ip`). */
  readonly localIp: string;
  /** Without an id; resources of the flags, in the post-refinement format. */
  readonly info: AgentInfo;
  readonly version: string;
  readonly workDir: string;
  /** A different one than in the checkpoint means that the host was restarted. */
  readonly bootId: string;
  readonly recover: 'reconnect' | 'cleanup';
  readonly reconfigurationPolicy: 'equal' | 'additive';
  readonly switchUser: boolean;
  /** Whether a framework with this principal may launch tasks on this agent as the user. */
  readonly mayRunAs: (principal: string | undefined, user: string) => boolean;
  readonly httpCommandExecutor: boolean;
  /** Additional variables of every executor (`--executor_environment_variables`). */
  readonly executorEnvironment: { readonly [name: string]: string };
  /** The path of the sandbox in containers with an image (`--sandbox_directory`). */
  readonly sandboxDirectory: string;
  readonly registrationBackoffMs: number;
  readonly executorShutdownGraceMs: number;
  readonly executorRegistrationTimeoutMs: number;
  readonly executorReregistrationTimeoutMs: number;
  readonly recoveryTimeoutMs: number;
  readonly maxCompletedExecutorsPerFramework: number;
  readonly gcDelayMs: number;
  /** The share of the disk that is kept free, 0 to 1. */
  readonly gcDiskHeadroom: number;
  readonly diskWatchIntervalMs: number;
  /** Revocable resources to offer beside the agent's own, and how often they are estimated; undefined: none. */
  readonly oversubscription: { readonly resources: readonly Resource[]; readonly intervalMs: number } | undefined;
  /** What the containerizer provides. */
  readonly capabilities: Capabilities;
  /** The same for containers of type DOCKER, where they are others. */
  readonly dockerCapabilities?: Capabilities | undefined;
}
