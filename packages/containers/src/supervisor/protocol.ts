// What an agent and its supervisor send each other: a JSON object a line. Both are parts of one program and trust each other;
// the version tells an agent from the supervisor of another installation.
import type { ChildRequest, WindowSize } from '@meseta/base';
import type { ExitStatus } from '../types.js';

export const PROTOCOL_VERSION = 6;

/** The socket in the directory of the records. */
export const SOCKET_NAME = 'supervisor';

/** What a process becomes. The supervisor chooses where its output goes. */
export type ProcessPlan = Omit<ChildRequest, 'output' | 'record' | 'enter' | 'parent'>;

/** An input of a container, whose plan must have one. */
export type ContainerInput =
  | { readonly kind: 'data'; readonly base64: string }
  /** Ends a pipe. */
  | { readonly kind: 'end' }
  /** Changes the size of a terminal. */
  | { readonly kind: 'window'; readonly window: WindowSize };

/** `refused`: it has no such input; `closed`: nothing reads it any more. */
export type InputResult = 'taken' | 'closed' | { readonly refused: string };

export type SupervisorRequest =
  /**
   * Starts the first process of a container: `started` or `failed` follows, and after `started` one `ended`. `cgroup`: the
   * container's processes are those of this cgroup, which the plan joins; without it they are those of its session.
   * `inside`: the running container whose namespaces and privileges it has. `parent`: the running container of which it
   * shares namespaces or mounts.
   */
  | {
      readonly kind: 'launch';
      readonly id: string;
      readonly plan: ProcessPlan;
      readonly cgroup?: string | undefined;
      readonly inside?: string | undefined;
      readonly parent?: string | undefined;
    }
  /**
   * Runs a process beside a container, in its namespaces and without output; at the timeout its process group is killed.
   * `ran` follows.
   */
  | {
      readonly kind: 'run';
      readonly id: string;
      readonly containerId: string;
      readonly plan: ProcessPlan;
      readonly timeoutMs: number;
    }
  /** `answered` follows when the container has taken the input, however long it does not read. One at a time is sent. */
  | { readonly kind: 'input'; readonly id: string; readonly request: string; readonly input: ContainerInput }
  /** Sends a signal to every process of the container. */
  | { readonly kind: 'signal'; readonly id: string; readonly signal: number }
  /** Kills every process of the container. */
  | { readonly kind: 'destroy'; readonly id: string }
  /** Forgets an ended container and removes its record. */
  | { readonly kind: 'remove'; readonly id: string };

export type RunResult =
  | { readonly kind: 'ended'; readonly status: ExitStatus; readonly timedOut: boolean }
  | { readonly kind: 'failed'; readonly message: string };

/** A container that the supervisor knows when an agent connects. */
export interface KnownContainer {
  readonly id: string;
  readonly pid: number | undefined;
  readonly startTicks: number | undefined;
  readonly cgroup: string | undefined;
  /** No process of it lives; undefined: it runs. */
  readonly status: ExitStatus | undefined;
}

export type SupervisorEvent =
  | { readonly kind: 'known'; readonly container: KnownContainer }
  /** All containers were named; `session`: that of the supervisor. */
  | { readonly kind: 'ready'; readonly version: number; readonly session: number }
  | { readonly kind: 'started'; readonly id: string; readonly pid: number; readonly startTicks: number | undefined }
  | { readonly kind: 'failed'; readonly id: string; readonly message: string }
  /** Its first process has ended, and no process of the container lives. */
  | { readonly kind: 'ended'; readonly id: string; readonly status: ExitStatus }
  | { readonly kind: 'ran'; readonly id: string; readonly result: RunResult }
  /** `id`: that of the request. */
  | { readonly kind: 'answered'; readonly id: string; readonly result: InputResult };
