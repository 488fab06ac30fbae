// Finds a task of a framework by its id, whichever list of the framework has it.
import type { TaskId } from '@meseta/base';
import type { Task } from '@meseta/wire';
import type { Framework } from '../core/state.js';

export interface FoundTask {
  readonly framework: Framework;
  readonly task: Task;
  /** The list of the framework that has it. */
  readonly kept: 'live' | 'unreachable' | 'completed';
}

/** The live task with the id, else the unreachable one, else the one that completed last: ids may be reused. */
export function findTask(framework: Framework, id: string): FoundTask | undefined {
  const live = framework.tasks.get(id as TaskId);
  if (live !== undefined) return { framework, task: live, kept: 'live' };
  const unreachable = framework.unreachableTasks.get(id as TaskId);
  if (unreachable !== undefined) return { framework, task: unreachable, kept: 'unreachable' };
  let completed: Task | undefined;
  for (const task of framework.completedTasks) if (task.task_id.value === id) completed = task;
  return completed && { framework, task: completed, kept: 'completed' };
}
