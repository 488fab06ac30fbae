// Task and operation states: which are terminal, and what a framework without PARTITION_AWARE sees.
import type { FrameworkInfoCapabilityType, OperationState, TaskState } from '@meseta/wire';

const TERMINAL: ReadonlySet<TaskState> = new Set([
  'TASK_FINISHED',
  'TASK_FAILED',
  'TASK_KILLED',
  'TASK_ERROR',
  'TASK_LOST',
  'TASK_DROPPED',
  'TASK_GONE',
  'TASK_GONE_BY_OPERATOR',
]);

export const isTerminal = (state: TaskState): boolean => TERMINAL.has(state);

const TERMINAL_OPERATIONS: ReadonlySet<OperationState> = new Set([
  'OPERATION_FINISHED',
  'OPERATION_FAILED',
  'OPERATION_ERROR',
  'OPERATION_DROPPED',
  'OPERATION_GONE_BY_OPERATOR',
]);

export const isTerminalOperation = (state: OperationState): boolean => TERMINAL_OPERATIONS.has(state);

/** States that came with PARTITION_AWARE; everybody else sees TASK_LOST. */
export function lostOr(
  framework: { readonly capabilities: ReadonlySet<FrameworkInfoCapabilityType> } | undefined,
  state: 'TASK_UNREACHABLE' | 'TASK_DROPPED' | 'TASK_GONE' | 'TASK_GONE_BY_OPERATOR' | 'TASK_UNKNOWN',
): TaskState {
  return framework?.capabilities.has('PARTITION_AWARE') === true ? state : 'TASK_LOST';
}
