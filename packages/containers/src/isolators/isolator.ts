// The interface of isolators. Each gives containers a property (a limit, a view of the file system, a measurement), has the
// name that it has in Mesos, and is one file beside this one.
import type { AbortSignalLike, ContainerId, LinuxPlan, Outbound, Result } from '@meseta/base';
import type { NetworkInfo, ResourceStatistics } from '@meseta/wire';
import type { ContainerRecord } from '../lifecycle.js';
import type { LaunchLimits, LaunchOwner, LaunchPlan } from '../plan/plan.js';
import type { ProcessStat } from '../processes/process-table.js';
import type { Capability, ContainerSpec, DirectoryBelow, Limitation } from '../types.js';

/** What this machine offers to launches. */
export interface HostFacts {
  /** Changes user and groups, for copies as another user; undefined where it is missing or this process may not. */
  readonly setpriv: string | undefined;
  readonly limits: LaunchLimits;
  /** Whether containers can have namespaces and privileges of their own, or why not. */
  readonly linux: Result<void, string>;
  /** The numbers of the capabilities that this process has. */
  readonly capabilities: readonly number[];
  /** Those that what it starts can get. */
  readonly bounding: readonly number[];
}

/** A directory outside of the sandbox that is shown in it. */
export interface VolumeLink {
  /** Relative to the sandbox. An absolute one, for a mount, needs nothing in the sandbox. */
  readonly containerPath: string;
  readonly place: DirectoryBelow;
  /** Whether the volume is given to the container's user at each launch; other volumes keep their owner. */
  readonly isPersistent: boolean;
  /** A symbolic link, or an empty directory or file that the launcher mounts over; `mountOfExisting`: the place is not made. */
  readonly as?: 'link' | 'mount' | 'mountOfExisting';
}

/** An isolator's part of a container's plan (`applyPatch` adds it). */
export interface PlanPatch {
  readonly rlimits?: LaunchPlan['rlimits'];
  readonly links?: readonly VolumeLink[];
  readonly cgroup?: string;
  readonly cgroups?: LaunchPlan['cgroups'];
  readonly oomScoreAdjustment?: number;
  readonly linux?: Partial<LinuxPlan>;
  /** The running container of which it shares namespaces or mounts. */
  readonly parent?: ContainerId;
  /** Instead of those of the specification. */
  readonly executable?: Pick<LaunchPlan, 'program' | 'argv'>;
  readonly environment?: LaunchPlan['environment'];
  /** Variables that `prepare` adds, in the place of those with the same names. */
  readonly variables?: LaunchPlan['environment'];
  /** A root file system of its own, where the sandbox and what is mounted in it are seen below another path. */
  readonly root?: { readonly path: string; readonly sandbox: string; readonly sandboxInRoot: string };
}

/** What `prepare` is given beside the specification. */
export interface Preparing {
  /** undefined: the agent's own user. */
  readonly owner: LaunchOwner | undefined;
  readonly host: HostFacts;
  /** Aborted when the container is destroyed before it is started. */
  readonly signal: AbortSignalLike;
}

/** The network namespace of a container, which nested containers share. */
export interface ContainerNetwork {
  /** The container that it was made for. */
  readonly owner: ContainerId;
  /** The file of the namespace. */
  readonly namespace: string;
  readonly hostname: string;
  /** Its networks, with its addresses. */
  readonly infos: readonly NetworkInfo[];
}

export type Usage = Omit<ResourceStatistics, 'timestamp'>;

export interface Isolator {
  /** The name in `--isolation`. */
  readonly name: string;
  /** It has a part in the container of a pod (pods.ts), whose members find there what they share. */
  readonly isForPods?: true;
  readonly provides?: Capability;
  /** Why this machine can't do it, for the start of the agent. */
  supports(host: HostFacts): Result<void, string>;
  /** Its part of the plan, or which field of the specification can't be carried out. Pure. */
  plan?(spec: ContainerSpec, host: HostFacts): Result<PlanPatch, string>;
  /**
   * Makes what the container needs, after its sandbox exists and before its files are fetched. It may be repeated after a
   * crash; `cleanUp` removes what was made.
   */
  prepare?(spec: ContainerSpec, preparing: Preparing): Promise<Result<PlanPatch, string>>;
  /**
   * Called once, before anything else, with the containers of an earlier agent process that run: removes what other
   * containers have left.
   */
  recover?(alive: readonly ContainerRecord[]): Promise<void>;
  /** What the running container uses: sums over its live processes, and what `watch` has measured. */
  usage?(containerId: ContainerId, processes: readonly ProcessStat[]): Usage | Promise<Usage>;
  /**
   * What the containers use together that share the cgroup of a container which is no process, such as a pod's executor; `usage`
   * of that container is empty. undefined: no container shares its cgroup.
   */
  sharedUsage?(containerId: ContainerId): Usage | undefined;
  /** Watches a running container, until `cleanUp`, and reports a limit that it exceeds. */
  watch?(record: ContainerRecord, onLimitation: (limitation: Limitation) => void): void;
  /** The resources of a watched container have changed. */
  update?(record: ContainerRecord): void | Promise<void>;
  /** Called when the last process of a container has ended: the limit that it exceeded. */
  findLimitation?(record: ContainerRecord): Limitation | undefined;
  /** undefined: the container has the network of the agent. */
  networkOf?(containerId: ContainerId): ContainerNetwork | undefined;
  /** Connections from within a namespace of `networkOf`, for probes. */
  outboundFrom?(namespace: string): Pick<Outbound, 'statusOf' | 'connects'> | undefined;
  /** Removes what the isolator made for an ended container. It may be called for any container, and again after a crash. */
  cleanUp?(containerId: ContainerId): Promise<void>;
  /** The agent's process ends, and its containers run on: ends what this process does for them. */
  close?(): void;
}
