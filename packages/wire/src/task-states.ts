// What the states of tasks and operations mean, for masters, agents and frameworks alike.
// Source: Mesos' docs/task-state-reasons.md and docs/operations.md.
import type { OperationState, TaskState } from '../generated/types.js';

const TERMINAL: ReadonlySet<string | undefined> = new Set<TaskState>([
  'TASK_FINISHED',
  'TASK_FAILED',
  'TASK_KILLED',
  'TASK_ERROR',
  'TASK_LOST',
  'TASK_DROPPED',
  'TASK_GONE',
  'TASK_GONE_BY_OPERATOR',
]);

const TERMINAL_OPERATIONS: ReadonlySet<string | undefined> = new Set<OperationState>([
  'OPERATION_FINISHED',
  'OPERATION_FAILED',
  'OPERATION_ERROR',
  'OPERATION_DROPPED',
  'OPERATION_GONE_BY_OPERATOR',
]);

/** Whether a task in this state has ended. */
export const isTerminal = (state: string | undefined): boolean => TERMINAL.has(state);

/** Whether an operation in this state has ended. */
export const isTerminalOperation = (state: string | undefined): boolean => TERMINAL_OPERATIONS.has(state);

/** The states that came with the capability PARTITION_AWARE; a framework without it gets TASK_LOST instead. */
export const taskStateFor = (
  isPartitionAware: boolean,
  state: 'TASK_UNREACHABLE' | 'TASK_DROPPED' | 'TASK_GONE' | 'TASK_GONE_BY_OPERATOR' | 'TASK_UNKNOWN',
): TaskState => (isPartitionAware ? state : 'TASK_LOST');
