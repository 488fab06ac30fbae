// The Docker launcher's state: one record for each container that the agent launched or recovered.
import type { Clock, ContainerId, Files } from '@meseta/base';
import type { NetworkInfo } from '@meseta/wire';
import type { LauncherEvent } from '../launcher.js';
import { NAME_PREFIX } from './docker-plan.js';
import type { Engine } from './engine.js';
import type { LimitOptions } from './limits.js';
import type { OutputWriter } from './output.js';
import type { StateFiles } from './state-files.js';

/**
 * launching: its image is pulled, it is created and started; running: it was started, and its end is not known; ending: its
 * output is read to the end; ended: its end was reported.
 */
export type Phase = 'launching' | 'running' | 'ending' | 'ended';

/** A container of this launcher. Only the functions of the launcher change it. */
export interface Container {
  readonly containerId: ContainerId;
  readonly sandbox: string;
  phase: Phase;
  isDestroyed: boolean;
  /** Ends the pull of its image. */
  readonly abort: AbortController;
  /** Sent once it runs. */
  readonly pendingSignals: number[];
  pid: number | undefined;
  /** The signal that stops it. */
  stopSignal: string;
  /** Its hard limit; 0: none. */
  memoryBytes: number;
  readonly networkInfo: NetworkInfo | undefined;
  output: OutputFollower | undefined;
}

/** Writes the output of a container to its sandbox. */
export interface OutputFollower {
  readonly writer: OutputWriter;
  /** Resolves when the whole output of an ended container is written. */
  readonly done: Promise<void>;
  /** The container has ended: there is no further output. */
  end(): void;
  stop(): void;
}

export interface DockerLauncherOptions extends LimitOptions {
  readonly files: Files;
  readonly clock: Pick<Clock, 'setTimer'>;
  /** Absolute, of this launcher. */
  readonly directory: string;
  /** The value of the agent's label. */
  readonly agent: string;
  /** `--docker_stop_timeout`, of containers that the agent doesn't know. */
  readonly stopTimeoutMs: number;
  /** `--docker_remove_delay` */
  readonly removeDelayMs: number;
  /** `--docker_kill_orphans` */
  readonly killOrphans: boolean;
  readonly warn: (text: string) => void;
  readonly onEvent: (event: LauncherEvent) => void;
  /** Called when an image is provided or can't be. */
  readonly onPulled: (durationMs: number) => void;
}

export interface DockerState {
  readonly options: DockerLauncherOptions;
  readonly engine: Engine;
  readonly stored: StateFiles;
  readonly containers: Map<ContainerId, Container>;
  /** The engine's names of ended containers, in the order of their removal. */
  readonly removals: { readonly name: string; readonly dueMs: number }[];
  cancelRemoval: () => void;
  isClosed: boolean;
  /** Ends the waits and streams of this launcher. */
  readonly closing: AbortController;
}

export const nameOf = (containerId: ContainerId): string => `${NAME_PREFIX}${containerId}`;

/** The id in one of the engine's names; undefined if it is no name of an agent's container. */
export function idOf(names: readonly string[] = []): ContainerId | undefined {
  const prefix = `/${NAME_PREFIX}`;
  return names.find((name) => name.startsWith(prefix))?.slice(prefix.length) as ContainerId | undefined;
}

export function newContainer(
  from: Pick<Container, 'containerId' | 'sandbox' | 'phase' | 'networkInfo' | 'memoryBytes'>,
): Container {
  return {
    ...from,
    isDestroyed: false,
    abort: new AbortController(),
    pendingSignals: [],
    pid: undefined,
    stopSignal: 'SIGTERM',
    output: undefined,
  };
}

/** Resolves after the delay, when `wake` resolves, or when the launcher is closed. */
export function pause({ options, closing }: DockerState, delayMs: number, wake?: Promise<void>): Promise<void> {
  const { signal } = closing;
  return new Promise((resolve) => {
    const end = (): void => {
      cancel();
      signal.removeEventListener('abort', end);
      resolve();
    };
    const cancel = options.clock.setTimer(delayMs, end);
    if (signal.aborted) end();
    signal.addEventListener('abort', end);
    void wake?.then(end);
  });
}

/** Writes what is known of a container to disk. Returns why that failed. */
export const store = ({ stored }: DockerState, { containerId, sandbox, pid, output }: Container) =>
  stored.write(containerId, { sandbox, pid, output: output?.writer.position() ?? { time: '', count: 0 } });
