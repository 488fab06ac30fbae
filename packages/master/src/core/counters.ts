// Counters of tasks, operations and malformed calls, by Mesos' names: an agent is a slave in them.
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

/** The counter of malformed calls of a type. The shell counts those that come by HTTP. */
export const invalidCallCounter = ({ type }: SchedulerCall): string | undefined =>
  type === undefined ? undefined : INVALID_CALLS[type];

export interface TaskEnd {
  readonly state: TaskState;
  readonly source?: TaskStatusSource | undefined;
  readonly reason?: TaskStatusReason | undefined;
}

/** Counts a known task that reached a terminal state. */
export function countFrameworkTaskEnd(framework: { readonly counters: Map<string, number> }, state: TaskState): void {
  countFor(framework, `tasks/terminal/${state.toLowerCase()}`);
}

/** Counts a task that reached a terminal state or TASK_UNREACHABLE, or that was refused (TASK_ERROR, TASK_DROPPED). */
export function countTaskEnd(ctx: Context, { state, source, reason }: TaskEnd): void {
  const name = state.toLowerCase();
  if (state !== 'TASK_UNREACHABLE') count(ctx, `master/${name.replace('task_', 'tasks_')}`);
  if (source === undefined || reason === undefined) return;
  count(ctx, `master/${name}/${toMesosName(source)}/${toMesosName(reason)}`);
}

/** Counts an accepted operation of a framework: each task of a LAUNCH, each task group, each operation on resources. */
export function countOperation(
  framework: { readonly counters: Map<string, number> },
  { type }: Pick<OfferOperation, 'type'>,
): void {
  countFor(framework, 'operations');
  countFor(framework, `operations/${(type ?? 'UNKNOWN').toLowerCase()}`);
}

const toMesosName = (name: string): string => name.toLowerCase().replace('agent', 'slave');
