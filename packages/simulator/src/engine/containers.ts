// A fake launcher and its containers. Containers outlive the agent's process, as supervised processes do, and end with their
// host.
//
// The command describes what the process does: `run 30000` (milliseconds; without it the process runs forever), `exit 3`,
// `stubborn` (ignores SIGTERM), `broken` (fails to launch). `executor`: a framework's own executor (nodes/executor.ts), which
// ends by itself.
//
// FAKE-CONTAINERS-1: the running agent is notified once of a container's end: `launchFailed` if its command never ran, otherwise
//     `exited`.
// FAKE-CONTAINERS-2: the exit status is on disk before it is reported, so an agent that starts later finds it.
import type { ContainerId, Random } from '@meseta/base';
import type { LauncherEvent } from '@meseta/containers/launchers/launcher';
import type { ContainerSpec, ExitStatus, RecoveredContainer } from '@meseta/containers/types';
import { drawDelayMs, happens } from './chance.js';
import { numberAfter, wordsOf } from './command-words.js';
import type { Scheduled, Timeline } from './timeline.js';

export interface FakeContainer {
  readonly id: ContainerId;
  readonly behaviour: Behaviour;
  /** A framework's own executor. */
  readonly program: ContainerSpec | undefined;
  state: 'starting' | 'running' | 'ended';
  status: ExitStatus | undefined;
  end: Scheduled | undefined;
  readonly pid: number;
}

export interface FakeContainers {
  /** `problem`: why the launch fails. */
  launch(spec: ContainerSpec, problem?: string): void;
  signal(id: ContainerId, signal: number): void;
  destroy(id: ContainerId): void;
  remove(id: ContainerId): void;
  /** The process in the container ended by itself. */
  exit(id: ContainerId, status: ExitStatus): void;
  /** The containers that a new agent process finds. */
  recover(): readonly RecoveredContainer[];
  /** Receives the events of all containers; undefined while no agent runs. */
  listener: ((event: LauncherEvent) => void) | undefined;
  /** The host lost power: all containers end, and no exit status is recorded. */
  powerOff(): void;
  readonly all: ReadonlyMap<ContainerId, FakeContainer>;
}

interface Behaviour {
  readonly durationMs: number | undefined;
  readonly code: number;
  readonly stubborn: boolean;
  readonly broken: boolean;
}

function behaviourOf(command: string | undefined): Behaviour {
  const words = wordsOf(command);
  return {
    durationMs: numberAfter(words, 'run'),
    code: numberAfter(words, 'exit') ?? 0,
    stubborn: words.includes('stubborn'),
    broken: words.includes('broken'),
  };
}

const START_MS = 80;
const END_MS = 30;

interface ContainerListener {
  started(container: FakeContainer): void;
  ended(container: FakeContainer): void;
}

const asRecovered = ({ id, state, status, pid }: FakeContainer): RecoveredContainer =>
  state === 'running'
    ? { containerId: id, state, pid }
    : { containerId: id, state: 'ended', status: status ?? { kind: 'unknown' } };

const createContainer = (spec: ContainerSpec, pid: number): FakeContainer => ({
  id: spec.containerId,
  behaviour: behaviourOf(spec.command.value),
  program: wordsOf(spec.command.value).includes('executor') ? spec : undefined,
  state: 'starting',
  status: undefined,
  end: undefined,
  pid,
});

export function createFakeContainers(timeline: Timeline, random: Random, listener: ContainerListener): FakeContainers {
  const all = new Map<ContainerId, FakeContainer>();
  let nextPid = 1000;
  const notify = (event: LauncherEvent): void => containers.listener?.(event);

  const failLaunch = (container: FakeContainer, message: string): void => {
    container.state = 'ended';
    all.delete(container.id);
    notify({ kind: 'launchFailed', containerId: container.id, message });
  };

  const end = (container: FakeContainer | undefined, status: ExitStatus): void => {
    if (container === undefined || container.state === 'ended') return;
    timeline.cancel(container.end);
    container.state = 'ended';
    container.status = status;
    listener.ended(container);
    notify({ kind: 'exited', containerId: container.id, status });
  };

  const start = (container: FakeContainer, problem?: string): void => {
    if (container.state !== 'starting') return;
    const { durationMs, code, broken } = container.behaviour;
    if (broken || problem !== undefined) {
      failLaunch(container, problem ?? 'it is broken');
      return;
    }
    container.state = 'running';
    listener.started(container);
    notify({ kind: 'started', containerId: container.id, pid: container.pid });
    if (durationMs === undefined) return;
    container.end = timeline.after(durationMs, () => end(container, { kind: 'exited', code }));
  };

  const endLater = (container: FakeContainer, signal: number): void => {
    timeline.after(drawDelayMs(random, END_MS), () => {
      if (container.state !== 'starting') end(container, { kind: 'signaled', signal });
      else failLaunch(container, 'destroyed before it was started');
    });
  };

  const containers: FakeContainers = {
    all,
    listener: undefined,
    launch(spec, problem) {
      const container = createContainer(spec, nextPid++);
      all.set(container.id, container);
      timeline.after(drawDelayMs(random, START_MS), () => start(container, problem));
    },
    signal(id, signal) {
      const container = all.get(id);
      if (container?.state !== 'running') return;
      if (!container.behaviour.stubborn) endLater(container, signal);
    },
    destroy(id) {
      const container = all.get(id);
      if (container !== undefined && container.state !== 'ended') endLater(container, 9);
    },
    remove: (id) => void all.delete(id),
    exit: (id, status) => end(all.get(id), status),
    recover() {
      for (const container of [...all.values()]) {
        if (container.state !== 'starting') continue;
        // The agent crashed during the launch, before or after the fork.
        if (happens(random, 0.5)) start(container);
        else {
          container.state = 'ended';
          all.delete(container.id);
        }
      }
      return [...all.values()].map(asRecovered);
    },
    powerOff() {
      for (const container of all.values()) {
        timeline.cancel(container.end);
        const ran = container.state === 'running';
        container.state = 'ended';
        if (!ran) continue;
        container.status = { kind: 'unknown' };
        listener.ended(container);
      }
      all.clear();
    },
  };
  return containers;
}
