// Metric slots of tasks. Names are Mesos': an agent is a slave in them.
import type { TaskState, TaskStatusReason, TaskStatusSource } from '@meseta/wire';
import { type Context, count, countFor } from './context.js';

export interface TaskEnd {
  readonly state: TaskState;
  readonly source?: TaskStatusSource | undefined;
  readonly reason?: TaskStatusReason | undefined;
}

/** A task reached a terminal state, or TASK_UNREACHABLE. */
export function countTaskEnd(
  ctx: Context,
  framework: { readonly counters: Map<string, number> },
  { state, source, reason }: TaskEnd,
): void {
  const name = state.toLowerCase();
  if (state !== 'TASK_UNREACHABLE') {
    count(ctx, `master/${name.replace('task_', 'tasks_')}`);
    countFor(framework, `tasks/terminal/${name}`);
  }
  if (source === undefined || reason === undefined) return;
  count(ctx, `master/${name}/${inMesos(source)}/${inMesos(reason)}`);
}

const inMesos = (name: string): string => name.toLowerCase().replace('agent', 'slave');
