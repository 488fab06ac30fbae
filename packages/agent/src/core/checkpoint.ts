// What the agent writes to disk, and the work that follows a write.
//
// Boundary: handlers save records and name the work that waits for them; machine.ts gives the changes of a step to the
// store as one batch (AGENT-2), after-commit.ts does the work.
import type { ContainerId, ExecutorId, FrameworkId, OperationUuid, TaskId } from '@meseta/base';
import { addReadyWork, addWork, proposeChange } from '@meseta/base/core/commit-queue';
import type { ContainerSpec } from '@meseta/containers/types';
import type { FrameworkInfo } from '@meseta/wire';
import type { Context } from './context.js';
import type { CheckpointChange, CheckpointRecord } from './io.js';

/** Work that waits for a write. Its handler checks first that its subjects still exist. */
export type AfterCommitWork =
  | { readonly kind: 'announceRegistered' }
  | { readonly kind: 'launch'; readonly frameworkId: FrameworkId; readonly executorId: ExecutorId }
  | { readonly kind: 'launchNested'; readonly spec: ContainerSpec }
  | { readonly kind: 'launchPodTask'; readonly frameworkId: FrameworkId; readonly taskId: TaskId }
  /** Sends an accepted task, or the group that begins with it, to its custom executor. */
  | {
      readonly kind: 'deliver';
      readonly frameworkId: FrameworkId;
      readonly executorId: ExecutorId;
      readonly taskId: TaskId;
    }
  | {
      readonly kind: 'acknowledgeExecutor';
      readonly containerId: ContainerId;
      readonly taskId: TaskId;
      readonly uuid: string;
    }
  | { readonly kind: 'forward'; readonly frameworkId: FrameworkId; readonly taskId: TaskId }
  | { readonly kind: 'sendOperation'; readonly uuid: OperationUuid }
  | { readonly kind: 'removeContainer'; readonly containerId: ContainerId }
  /** The first signal of a kill; SIGKILL destroys the container. */
  | { readonly kind: 'signal'; readonly containerId: ContainerId; readonly signal: number }
  | { readonly kind: 'exit'; readonly status: 0 | 1; readonly message: string };

/** Writes the record with the other changes of this step; `undefined` deletes it. */
export const save = (ctx: Context, key: string, record: CheckpointRecord | undefined): void => {
  saveChange(ctx, { key, record });
};

export const saveChange = (ctx: Context, change: CheckpointChange): void => {
  proposeChange(ctx.state.commits, change);
};

/** Does the work once every change of this step is durable. */
export const afterCommit = (ctx: Context, work: AfterCommitWork): void => {
  addWork(ctx.state.commits, { work, cause: ctx.cause });
};

/** Does the work once it is durable where the framework checkpoints, else at the end of this step. */
export const whenDurable = (ctx: Context, { info }: { readonly info: FrameworkInfo }, work: AfterCommitWork): void => {
  if (info.checkpoint === true) afterCommit(ctx, work);
  else addReadyWork(ctx.state.commits, { work, cause: ctx.cause });
};
