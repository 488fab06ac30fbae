// Status updates that the master generates, for tasks whose agent cannot report.
import type { StatusUpdate, Task, TaskState, TaskStatus, TaskStatusReason, TimeInfo } from '@meseta/wire';
import { type Context, timestampOf } from './context.js';
import type { Framework } from './state.js';

export interface MasterUpdate {
  readonly state: TaskState;
  readonly reason: TaskStatusReason;
  readonly message: string;
  readonly more?: Partial<TaskStatus> | undefined;
}

/** Generates a status update. It has no uuid, so it is neither acknowledged nor resent. */
export function createMasterUpdate(
  ctx: Context,
  framework: Framework,
  task: Pick<Task, 'task_id' | 'executor_id'> & { readonly agent_id?: Task['agent_id'] | undefined },
  { state, reason, message, more }: MasterUpdate,
): StatusUpdate {
  const timestamp = timestampOf(ctx);
  const place = {
    ...(task.agent_id === undefined ? {} : { agent_id: task.agent_id }),
    ...(task.executor_id === undefined ? {} : { executor_id: task.executor_id }),
  };
  const status: TaskStatus = {
    task_id: task.task_id,
    state,
    message,
    timestamp,
    source: 'SOURCE_MASTER',
    reason,
    ...place,
    ...more,
  };
  return { framework_id: framework.wireId, ...place, status, timestamp };
}

export const timeInfo = (wallMs: number): TimeInfo => ({ nanoseconds: BigInt(Math.floor(wallMs)) * 1_000_000n });
