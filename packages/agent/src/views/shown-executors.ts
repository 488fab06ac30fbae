// What the v0 and the v1 API show of the state: executors with their tasks.

import type { TaskId } from '@meseta/base';
import { isTerminal } from '@meseta/wire/task-states';
import type { ExecutorRecord, TaskRecord } from '../core/io.js';
import { type AgentState, type FrameworkRecord, tasksByExecutor } from '../core/state.js';

export interface ShownExecutor {
  readonly framework: FrameworkRecord;
  readonly executor: ExecutorRecord;
  readonly tasks: readonly TaskRecord[];
  readonly completed: boolean;
}

export function* executorsOf(framework: FrameworkRecord): Iterable<ShownExecutor> {
  const tasks = tasksByExecutor(framework);
  for (const [id, executor] of framework.executors) {
    const shown = [...(tasks.get(id) ?? []), ...(framework.retired.get(id) ?? [])];
    yield { framework, executor, tasks: shown, completed: false };
  }
  for (const { executor, tasks } of framework.completed) yield { framework, executor, tasks, completed: true };
}

/** The frameworks with executors first, then the completed ones. */
export function* frameworksOf(state: AgentState): Iterable<{ framework: FrameworkRecord; completed: boolean }> {
  for (const framework of state.frameworks.values()) yield { framework, completed: false };
  for (const framework of state.completedFrameworks) yield { framework, completed: true };
}

export type Phase = 'queued' | 'launched' | 'terminated' | 'completed';

/** The list of GET_TASKS that a task of an executor is in. */
export function phaseOf({ framework, executor, completed }: ShownExecutor, { info, task }: TaskRecord): Phase {
  // A later task may have the id of a completed one.
  if (completed || framework.tasks.get(info.task_id.value as TaskId)?.info !== info) return 'completed';
  if (isTerminal(task.state)) return 'terminated';
  return executor.state === 'running' ? 'launched' : 'queued';
}

export function countTasks(state: AgentState): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  for (const framework of state.frameworks.values()) {
    for (const { task } of framework.tasks.values()) counts.set(task.state, (counts.get(task.state) ?? 0) + 1);
  }
  return counts;
}
