// What a container gets of Linux beside processes, limits and cgroups: namespaces, a view of the file system, and what its
// processes may do. Plain data, which the supervisor carries out.

/** The namespaces that a container can have of its own (namespaces(7)). */
export type Namespace = 'mount' | 'pid' | 'ipc' | 'uts';

/** A directory below one that only the agent can replace. Tasks may replace what the names refer to: no link is followed. */
export interface DirectoryBelow {
  readonly root: string;
  readonly names: readonly string[];
}

/** The namespaces that a container can share with its parent container. */
export type SharedNamespace = 'pid' | 'ipc';

export type LinuxMount =
  /** A directory or file of the machine that the container sees. */
  | {
      readonly kind: 'bind';
      readonly source: DirectoryBelow;
      /**
       * An absolute path in the parent container, where the machine's root is that of the parent too. It replaces `source` if the
       * parent has a view of the file system of its own.
       */
      readonly inParent?: string;
      /** Absolute, in the container. Where the container has a root of its own, it is made; else it exists. */
      readonly target: string;
      readonly isReadOnly: boolean;
    }
  /** A new file system in memory. `bytes`: its limit; undefined: half of the machine's memory. */
  | { readonly kind: 'tmpfs'; readonly target: string; readonly bytes: number | undefined };

/** A character device in `/dev`. */
export interface DeviceNode {
  readonly name: string;
  readonly major: number;
  readonly minor: number;
}

/** Numbers of capabilities (capabilities(7)). */
export interface CapabilitySets {
  readonly effective: readonly number[];
  readonly bounding: readonly number[];
}

export interface LinuxPlan {
  /** Those that the container has of its own. It shares the others with the agent. */
  readonly namespaces: readonly Namespace[];
  /** Those of the parent container that it enters. They need a mount namespace. */
  readonly shared: readonly SharedNamespace[];
  /** The absolute path of its root file system, which needs a mount namespace; undefined: the machine's. */
  readonly root: string | undefined;
  /** Where the sandbox is seen in the root file system of its own. */
  readonly sandboxInRoot: string | undefined;
  /** In the order in which they are made. They need a mount namespace. */
  readonly mounts: readonly LinuxMount[];
  /** Of a root file system of its own: devices beside those that every container has. */
  readonly devices: readonly DeviceNode[];
  /** undefined: those of the agent, where the user is root. */
  readonly capabilities: CapabilitySets | undefined;
  readonly noNewPrivileges: boolean;
  /** The program that filters its system calls (seccomp(2)), in base64; undefined: none. */
  readonly seccomp: string | undefined;
  /** Absolute, in its root; undefined: its sandbox on the machine. */
  readonly workingDirectory: string | undefined;
  /** Needs a uts namespace; undefined: the machine's. */
  readonly hostname: string | undefined;
  /** The file of the network namespace that it enters, which needs a mount namespace; undefined: the agent's. */
  readonly network: string | undefined;
}

/** The plan of a container that asks for nothing: it shares all of these with the agent. */
export const SHARED_LINUX: LinuxPlan = {
  namespaces: [],
  shared: [],
  root: undefined,
  sandboxInRoot: undefined,
  mounts: [],
  devices: [],
  capabilities: undefined,
  noNewPrivileges: false,
  seccomp: undefined,
  workingDirectory: undefined,
  hostname: undefined,
  network: undefined,
};
