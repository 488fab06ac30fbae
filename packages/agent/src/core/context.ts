// What the handlers of one step share. A handler reads and replaces records in the state, and adds
// effects, changes to write and what is to happen once these are durable. Nothing here decides anything.
import type { ContainerId, ExecutorId, FrameworkId, Now, OperationUuid, Pid, TaskId } from '@meseta/base';
import type { ContainerSpec } from '@meseta/containers/types';
import type { FrameworkInfo, LibprocessMessage } from '@meseta/wire';
import type { AgentEffect, CheckpointChange, CheckpointRecord, VolumeLink } from './io.js';
import type { AgentState, Timer } from './state.js';

/** Work that waits for a write, as data: its subject may be gone when the write is done. */
export type AfterCommitWork =
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

export interface Context {
  readonly state: AgentState;
  readonly now: Now;
  readonly effects: AgentEffect[];
  readonly changes: CheckpointChange[];
  readonly after: AfterCommitWork[];
  /** What waits for no write: it is done at the end of this step. */
  readonly soon: AfterCommitWork[];
}

export const log = (ctx: Context, level: 'info' | 'warning' | 'error', text: string): void => {
  ctx.effects.push({ kind: 'log', level, text });
};

export const send = (ctx: Context, to: Pid, message: LibprocessMessage): void => {
  ctx.effects.push({ kind: 'send', to, message });
};

/** To the master, if there is one. */
export const sendToMaster = (ctx: Context, message: LibprocessMessage): void => {
  const { master } = ctx.state.registration;
  if (master !== undefined) send(ctx, master, message);
};

export const save = (ctx: Context, key: string, record: CheckpointRecord | undefined): void => {
  ctx.changes.push({ key, record });
};

/** What a framework that checkpoints may be told of only when it is on disk. */
export const whenDurable = (ctx: Context, { info }: { readonly info: FrameworkInfo }, work: AfterCommitWork): void => {
  (info.checkpoint === true ? ctx.after : ctx.soon).push(work);
};

/** Sets a timer, or sets it anew. */
export function setTimer(ctx: Context, timer: Timer, delayMs: number): void {
  const key = timerKey(timer);
  ctx.state.timers.set(key, timer);
  ctx.state.deadlines.set(key, ctx.now.monoMs + Math.max(0, delayMs));
}

export function cancelTimer(ctx: Context, timer: Timer): void {
  const key = timerKey(timer);
  ctx.state.timers.delete(key);
  ctx.state.deadlines.cancel(key);
}

export const hasTimer = (ctx: Context, timer: Timer): boolean => ctx.state.deadlines.has(timerKey(timer));

const CONTAINER_TIMERS = ['kill', 'maxCompletion', 'health', 'check', 'registerExecutor', 'executorHeartbeat'] as const;

export const cancelContainerTimers = (ctx: Context, containerId: ContainerId): void => {
  for (const kind of CONTAINER_TIMERS) cancelTimer(ctx, { kind, containerId });
};

/** NUL stands between ids: none of them holds it. */
function timerKey(timer: Timer): string {
  if ('taskId' in timer) return `${timer.kind}\0${timer.frameworkId}\0${timer.taskId}`;
  if ('containerId' in timer) return `${timer.kind}\0${timer.containerId}`;
  if ('frameworkId' in timer) return `${timer.kind}\0${timer.frameworkId}`;
  return 'uuid' in timer ? `${timer.kind}\0${timer.uuid}` : timer.kind;
}
