// One step of the core: what its handlers share. A handler reads and replaces records in the state, and adds
// effects, changes to write and what is to happen once these are durable. Nothing here decides anything.
import type { ContainerId, ExecutorId, FrameworkId, Now, OperationUuid, Pid, TaskId } from '@meseta/base';
import type { ContainerSpec } from '@meseta/containers/types';
import type { FrameworkInfo, LibprocessMessage } from '@meseta/wire';
import type { AgentEffect, CheckpointChange, CheckpointRecord, VolumeLink } from './io.js';
import type { AgentState, Timer } from './state.js';

/** Work that waits for a write, as data: its subject may be gone when the write is done. */
export type AfterWrite =
  | { readonly kind: 'announceRegistered' }
  | { readonly kind: 'launch'; readonly frameworkId: FrameworkId; readonly executorId: ExecutorId }
  | { readonly kind: 'launchNested'; readonly spec: ContainerSpec; readonly volumes: readonly VolumeLink[] }
  | { readonly kind: 'launchPodTask'; readonly frameworkId: FrameworkId; readonly taskId: TaskId }
  /** Tasks that were taken for a custom executor may go to it. */
  | { readonly kind: 'deliver'; readonly frameworkId: FrameworkId; readonly executorId: ExecutorId }
  | {
      readonly kind: 'acknowledgeExecutor';
      readonly containerId: ContainerId;
      readonly taskId: TaskId;
      readonly uuid: string;
    }
  | { readonly kind: 'forward'; readonly frameworkId: FrameworkId; readonly taskId: TaskId }
  | { readonly kind: 'sendOperation'; readonly uuid: OperationUuid }
  | { readonly kind: 'removeContainer'; readonly containerId: ContainerId }
  | { readonly kind: 'exit'; readonly status: 0 | 1; readonly message: string };

export interface Step {
  readonly state: AgentState;
  readonly now: Now;
  readonly effects: AgentEffect[];
  readonly changes: CheckpointChange[];
  readonly after: AfterWrite[];
  /** What waits for no write: it is done at the end of this step. */
  readonly soon: AfterWrite[];
}

export const log = (step: Step, level: 'info' | 'warning' | 'error', text: string): void => {
  step.effects.push({ kind: 'log', level, text });
};

export const send = (step: Step, to: Pid, message: LibprocessMessage): void => {
  step.effects.push({ kind: 'send', to, message });
};

/** To the master, if there is one. */
export const sendToMaster = (step: Step, message: LibprocessMessage): void => {
  const { master } = step.state.registration;
  if (master !== undefined) send(step, master, message);
};

export const save = (step: Step, key: string, record: CheckpointRecord | undefined): void => {
  step.changes.push({ key, record });
};

/** What a framework that checkpoints may be told of only when it is on disk. */
export const whenDurable = (step: Step, { info }: { readonly info: FrameworkInfo }, work: AfterWrite): void => {
  (info.checkpoint === true ? step.after : step.soon).push(work);
};

/** Sets a timer, or sets it anew. */
export function setTimer(step: Step, timer: Timer, delayMs: number): void {
  const key = timerKey(timer);
  step.state.timers.set(key, timer);
  step.state.deadlines.set(key, step.now.monoMs + Math.max(0, delayMs));
}

export function cancelTimer(step: Step, timer: Timer): void {
  const key = timerKey(timer);
  step.state.timers.delete(key);
  step.state.deadlines.cancel(key);
}

export const hasTimer = (step: Step, timer: Timer): boolean => step.state.deadlines.has(timerKey(timer));

const CONTAINER_TIMERS = ['kill', 'maxCompletion', 'health', 'check', 'registerExecutor', 'executorHeartbeat'] as const;

export const cancelContainerTimers = (step: Step, containerId: ContainerId): void => {
  for (const kind of CONTAINER_TIMERS) cancelTimer(step, { kind, containerId });
};

/** NUL stands between ids: none of them holds it. */
function timerKey(timer: Timer): string {
  if ('taskId' in timer) return `${timer.kind}\0${timer.frameworkId}\0${timer.taskId}`;
  if ('containerId' in timer) return `${timer.kind}\0${timer.containerId}`;
  if ('frameworkId' in timer) return `${timer.kind}\0${timer.frameworkId}`;
  return 'uuid' in timer ? `${timer.kind}\0${timer.uuid}` : timer.kind;
}
