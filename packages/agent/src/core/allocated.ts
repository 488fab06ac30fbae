// The resources in use on the agent.
import { createSum, type Sum } from '@meseta/resources';
import type { Resource } from '@meseta/wire';
import { isTerminal } from '@meseta/wire/task-states';
import type { ExecutorRecord, TaskRecord } from './io.js';
import { type AgentState, tasksByExecutor } from './state.js';

interface WithTasks {
  readonly executor: ExecutorRecord;
  readonly tasks: Iterable<TaskRecord>;
}

/** The resources of an executor and of its tasks that have not ended. */
export function resourcesOf(one: WithTasks): readonly Resource[] {
  const sum = createSum();
  addResources(sum, one);
  return sum.result();
}

/** The resources of all executors that have not ended. */
export function allocatedOf({ frameworks }: Pick<AgentState, 'frameworks'>): readonly Resource[] {
  const sum = createSum();
  for (const framework of frameworks.values()) {
    const tasks = tasksByExecutor(framework);
    for (const [id, executor] of framework.executors) {
      if (executor.state !== 'ended') addResources(sum, { executor, tasks: tasks.get(id) ?? [] });
    }
  }
  return sum.result();
}

function addResources(sum: Sum, { executor, tasks }: WithTasks): void {
  sum.add(executor.info.resources ?? []);
  for (const { task } of tasks) if (!isTerminal(task.state)) sum.add(task.resources ?? []);
}
