// What a container gets of Linux beside its processes: namespaces, a view of the file system, and what it may do. Plain data;
// the launcher carries it out.
import type { DirectoryBelow } from '../types.js';

/** The namespaces that a container can have of its own (namespaces(7)). */
export type Namespace = 'mount' | 'pid' | 'ipc' | 'uts';

/** A directory or file of the host that a container sees. */
export interface BindMount {
  /** A path that only the agent can change, or one that is opened name by name. */
  readonly source: string | DirectoryBelow;
  /** Absolute, in the container. Missing directories are made. */
  readonly target: string;
  readonly isReadOnly: boolean;
}

/** Numbers of capabilities (capabilities(7)). */
export interface CapabilitySets {
  readonly effective: readonly number[];
  readonly bounding: readonly number[];
}

export interface LinuxPlan {
  /** Those that the container has of its own. It shares the others with the agent. */
  readonly namespaces: readonly Namespace[];
  /** The absolute path of its root file system; undefined: the host's. */
  readonly root: string | undefined;
  /** In the order in which they are made. */
  readonly mounts: readonly BindMount[];
  /** undefined: those of the agent, where the user is root. */
  readonly capabilities: CapabilitySets | undefined;
  readonly noNewPrivileges: boolean;
  /** Absolute, in its root; undefined: its sandbox. */
  readonly workingDirectory: string | undefined;
  readonly hostname: string | undefined;
}

const SHARED: LinuxPlan = {
  namespaces: [],
  root: undefined,
  mounts: [],
  capabilities: undefined,
  noNewPrivileges: false,
  workingDirectory: undefined,
  hostname: undefined,
};

/** Adds the namespaces and mounts of `patch`; its other values replace those before. */
export function mergeLinuxPlans(plan: LinuxPlan | undefined, patch: Partial<LinuxPlan>): LinuxPlan {
  const { namespaces, mounts } = plan ?? SHARED;
  return {
    ...SHARED,
    ...plan,
    ...patch,
    namespaces: [...new Set([...namespaces, ...(patch.namespaces ?? [])])],
    mounts: [...mounts, ...(patch.mounts ?? [])],
  };
}
