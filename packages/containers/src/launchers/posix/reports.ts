// What the supervisor reports, as changes of the posix launcher's state and events; and the comparison of both after the
// connection was lost.
import type { ContainerId } from '@meseta/base';
import type { SupervisorOptions } from '../../supervisor/client.js';
import type { KnownContainer, SupervisorRequest } from '../../supervisor/protocol.js';
import type { ExitStatus, RecoveredContainer } from '../../types.js';
import { launchRequest } from './process-plan.js';
import { type Container, type PosixState, updateContainer } from './state.js';

const LOST = 'its supervisor ended before the command was started';

type Send = (request: SupervisorRequest) => void;

function reportFailed(state: PosixState, containerId: ContainerId, message: string): void {
  if (state.containers.get(containerId)?.phase !== 'launching') return;
  updateContainer(state, containerId, { phase: 'ended', launch: undefined });
  state.onEvent({ kind: 'launchFailed', containerId, message });
}

function onStarted(state: PosixState, containerId: ContainerId, pid: number, startTicks: number | undefined): void {
  if (state.containers.get(containerId)?.phase !== 'launching') return;
  updateContainer(state, containerId, { phase: 'running', pid, startTicks, launch: undefined });
  state.onEvent({ kind: 'started', containerId, pid });
}

function onEnded(state: PosixState, containerId: ContainerId, status: ExitStatus): void {
  const known = state.unclaimed.get(containerId);
  if (known !== undefined) state.unclaimed.set(containerId, { ...known, status });
  if (state.containers.get(containerId)?.phase !== 'running') return;
  updateContainer(state, containerId, { phase: 'ended' });
  state.onEvent({ kind: 'exited', containerId, status });
}

function compareWithKnown(state: PosixState, { id, pid, startTicks, status }: KnownContainer): void {
  const containerId = id as ContainerId;
  if (state.containers.get(containerId)?.phase === 'launching') {
    if (pid === undefined) reportFailed(state, containerId, LOST);
    else onStarted(state, containerId, pid, startTicks);
  }
  if (status !== undefined) onEnded(state, containerId, status);
}

/** A container without a record was not started. It may be why its supervisor was lost, so it is sent once more only. */
function repeatLaunch(state: PosixState, send: Send, { containerId, launch, isDestroyed }: Container): void {
  if (launch === undefined || launch.connection === state.connection) return;
  if (isDestroyed || launch.isRepeated) return reportFailed(state, containerId, LOST);
  updateContainer(state, containerId, { launch: { ...launch, connection: state.connection, isRepeated: true } });
  send(launchRequest(containerId, launch.plan));
}

function onReady(state: PosixState, send: Send, session: number, known: readonly KnownContainer[]): void {
  state.foreignSessions.add(session);
  state.unclaimed.clear();
  for (const container of known) {
    const containerId = container.id as ContainerId;
    if (state.containers.has(containerId)) compareWithKnown(state, container);
    else state.unclaimed.set(containerId, container);
  }
  const ids = new Set(known.map(({ id }) => id));
  for (const container of [...state.containers.values()]) {
    if (ids.has(container.containerId)) continue;
    if (container.phase === 'launching') repeatLaunch(state, send, container);
    if (container.phase === 'running') onEnded(state, container.containerId, { kind: 'unknown' });
  }
}

function onLost(state: PosixState): void {
  state.connection++;
  const running = [...state.runs.values()];
  state.runs.clear();
  for (const finish of running) finish({ kind: 'failed', message: 'its supervisor ended' });
  const inputs = [...state.inputs.values()];
  state.inputs.clear();
  for (const answer of inputs) answer('closed');
}

type Reports = Pick<SupervisorOptions, 'onReady' | 'onLost' | 'onEvent' | 'onUnavailable'>;

export const reportsTo = (state: PosixState): Reports => ({
  onReady: (session, containers, send) => onReady(state, send, session, containers),
  onLost: () => onLost(state),
  onEvent(event) {
    const containerId = event.id as ContainerId;
    if (event.kind === 'started') onStarted(state, containerId, event.pid, event.startTicks);
    else if (event.kind === 'ended') onEnded(state, containerId, event.status);
    else if (event.kind === 'failed') reportFailed(state, containerId, event.message);
    else if (event.kind === 'answered') {
      const answer = state.inputs.get(event.id);
      state.inputs.delete(event.id);
      answer?.(event.result);
    } else {
      const finish = state.runs.get(event.id);
      state.runs.delete(event.id);
      finish?.(event.result);
    }
  },
  onUnavailable(reason) {
    for (const { containerId } of [...state.containers.values()]) {
      reportFailed(state, containerId, `no supervisor can be started: ${reason}`);
    }
    onLost(state);
  },
});

/** Adds the containers of earlier agents to the state. */
export function claimContainers(state: PosixState): readonly RecoveredContainer[] {
  const claimed = [...state.unclaimed.values()].map(({ id, pid, startTicks, cgroup, status }): RecoveredContainer => {
    const containerId = id as ContainerId;
    const isRunning = status === undefined && pid !== undefined;
    const phase = isRunning ? 'running' : 'ended';
    const facts = { containerId, phase, pid, startTicks, cgroup } as const;
    state.containers.set(containerId, { ...facts, isDestroyed: false, launch: undefined });
    if (isRunning) return { containerId, state: 'running', pid };
    return { containerId, state: 'ended', status: status ?? { kind: 'unknown' } };
  });
  state.unclaimed.clear();
  return claimed;
}
