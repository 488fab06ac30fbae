// What the v0 and the v1 API show of the state: executors with their tasks, allocated resources.

import type { TaskId } from '@meseta/base';
import { add } from '@meseta/resources';
import type { Resource } from '@meseta/wire';
import { isTerminal } from '@meseta/wire/task-states';
import type { ExecutorRecord, TaskRecord } from '../core/io.js';
import { type AgentState, type FrameworkRecord, tasksOf } from '../core/state.js';

export interface ShownExecutor {
  readonly framework: FrameworkRecord;
  readonly executor: ExecutorRecord;
  readonly tasks: readonly TaskRecord[];
  readonly completed: boolean;
}

export function* executorsOf(framework: FrameworkRecord): Iterable<ShownExecutor> {
  for (const [id, executor] of framework.executors) {
    const tasks = [...tasksOf(framework, id), ...(framework.retired.get(id) ?? [])];
    yield { framework, executor, tasks, completed: false };
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
  if (completed || !framework.tasks.has(info.task_id.value as TaskId)) return 'completed';
  if (isTerminal(task.state)) return 'terminated';
  return executor.state === 'running' ? 'launched' : 'queued';
}

/** The resources of an executor and of its tasks that have not ended. */
export const resourcesOf = ({ executor, tasks }: ShownExecutor): readonly Resource[] =>
  tasks
    .filter(({ task }) => !isTerminal(task.state))
    .reduce((sum, { task }) => add(sum, task.resources ?? []), [
      ...(executor.info.resources ?? []),
    ] as readonly Resource[]);

/** The resources of all executors that have not ended. */
export function allocatedOf(state: AgentState): readonly Resource[] {
  let sum: readonly Resource[] = [];
  for (const framework of state.frameworks.values()) {
    for (const shown of executorsOf(framework)) {
      if (!shown.completed && shown.executor.state !== 'ended') sum = add(sum, resourcesOf(shown));
    }
  }
  return sum;
}

export function countTasks(state: AgentState): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  for (const framework of state.frameworks.values()) {
    for (const { task } of framework.tasks.values()) counts.set(task.state, (counts.get(task.state) ?? 0) + 1);
  }
  return counts;
}
