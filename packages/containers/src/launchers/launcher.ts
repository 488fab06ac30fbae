// The interface of launchers: they turn plans into processes, and know which processes a container has. Everything before
// (users, sandboxes, fetches, isolators' plans) and after (limits, clean-up) is the same for every launcher (lifecycle.ts).
// Each accepted container ends in one `launchFailed` or one `exited`. A container's record is on disk before its command is
// started, so that `recover` finds every container that may run.
import type { ContainerId, Result } from '@meseta/base';
import type { LaunchPlan } from '../plan/plan.js';
import type { ProcessStat } from '../processes/process-table.js';
import type { ContainerInput, InputResult } from '../supervisor/protocol.js';
import type { ContainerEnd, ExitStatus, RecoveredContainer, StartedFacts } from '../types.js';

/** Reported by `onEvent`, never during a call. */
export type LauncherEvent =
  /** The command was forked. `pid`: the container's first process. */
  | {
      readonly kind: 'started';
      readonly containerId: ContainerId;
      readonly pid: number;
      readonly facts?: StartedFacts | undefined;
    }
  /** The command never ran. */
  | { readonly kind: 'launchFailed'; readonly containerId: ContainerId; readonly message: string }
  /** The command ran, and every process of the container has ended. */
  | ({ readonly kind: 'exited'; readonly containerId: ContainerId } & ContainerEnd);

export interface FinishedCommand {
  readonly status: ExitStatus;
  readonly timedOut: boolean;
}

export interface Launcher {
  /** Starts a container with an id that is not in use. */
  launch(containerId: ContainerId, plan: LaunchPlan): void;
  /**
   * Runs a command beside a running container, for its health checks. At the timeout its processes are killed. The error
   * says why it could not be started.
   */
  exec(containerId: ContainerId, plan: LaunchPlan, timeoutMs: number): Promise<Result<FinishedCommand, string>>;
  /** Resolves when the container, whose plan has an input, has taken it. The next one is sent then. */
  send(containerId: ContainerId, input: ContainerInput): Promise<InputResult>;
  /** Sends a signal to every process of the container; if its command has not been started, as soon as it is. */
  signal(containerId: ContainerId, signal: number): void;
  /** Kills every process; `exited` or `launchFailed` follows. */
  destroy(containerId: ContainerId): void;
  /** The live processes of a running container. */
  processes(containerId: ContainerId): Promise<readonly ProcessStat[]>;
  /** Forgets an ended container and removes its runtime files. */
  remove(containerId: ContainerId): void;
  /** The containers of an earlier agent process. Those that run are watched from now on. */
  recover(): Promise<readonly RecoveredContainer[]>;
  close(): Promise<void>;
}
