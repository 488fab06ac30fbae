// Metric slots of tasks. Names are Mesos': an agent is a slave in them.
import type {
  OfferOperation,
  SchedulerCall,
  SchedulerCallType,
  TaskState,
  TaskStatusReason,
  TaskStatusSource,
} from '@meseta/wire';
import { type Context, count, countFor } from './context.js';

const INVALID_CALLS: Partial<Record<SchedulerCallType, string>> = {
  ACKNOWLEDGE: 'master/invalid_status_update_acknowledgements',
  ACKNOWLEDGE_OPERATION_STATUS: 'master/invalid_operation_status_update_acknowledgements',
  MESSAGE: 'master/invalid_framework_to_executor_messages',
};

/** The slot that counts malformed calls of that type; those that come by HTTP are the shell's to count. */
export const invalidCallSlot = ({ type }: SchedulerCall): string | undefined =>
  type === undefined ? undefined : INVALID_CALLS[type];

export interface TaskEnd {
  readonly state: TaskState;
  readonly source?: TaskStatusSource | undefined;
  readonly reason?: TaskStatusReason | undefined;
}

/** A task of the books reached a terminal state. */
export function countFrameworkTaskEnd(framework: { readonly counters: Map<string, number> }, state: TaskState): void {
  countFor(framework, `tasks/terminal/${state.toLowerCase()}`);
}

/** A task reached a terminal state or TASK_UNREACHABLE, or never was in the books (TASK_ERROR, TASK_DROPPED). */
export function countTaskEnd(ctx: Context, { state, source, reason }: TaskEnd): void {
  const name = state.toLowerCase();
  if (state !== 'TASK_UNREACHABLE') count(ctx, `master/${name.replace('task_', 'tasks_')}`);
  if (source === undefined || reason === undefined) return;
  count(ctx, `master/${name}/${inMesos(source)}/${inMesos(reason)}`);
}

/** A framework's operation was taken: each task of a LAUNCH, each task group, each operation on resources. */
export function countOperation(
  framework: { readonly counters: Map<string, number> },
  { type }: Pick<OfferOperation, 'type'>,
): void {
  countFor(framework, 'operations');
  countFor(framework, `operations/${(type ?? 'UNKNOWN').toLowerCase()}`);
}

const inMesos = (name: string): string => name.toLowerCase().replace('agent', 'slave');
