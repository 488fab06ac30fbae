// The tasks of the cluster, and finding one by the name that people use.
import { isTerminal, type Task } from '@meseta/sdk';
import { type Cluster, resultOf } from './cluster.js';
import { CommandError } from './command.js';

export interface ListedTask {
  readonly task: Task;
  readonly hostname: string | undefined;
  /** `ip:port` of its agent; undefined while the agent is not registered. */
  readonly address: string | undefined;
}

export async function tasksOf(cluster: Cluster): Promise<readonly ListedTask[]> {
  const [tasks, agents] = await Promise.all([
    resultOf(cluster, cluster.master.call('GET_TASKS')),
    resultOf(cluster, cluster.master.call('GET_AGENTS')),
  ]);
  const known = new Map((agents.agents ?? []).map((agent) => [agent.agent_info.id?.value, agent]));
  return [tasks.pending_tasks, tasks.tasks, tasks.unreachable_tasks, tasks.completed_tasks]
    .flatMap((list) => list ?? [])
    .map((task) => {
      const agent = known.get(task.agent_id.value);
      return { task, hostname: agent?.agent_info.hostname, address: agent?.pid?.split('@')[1] };
    });
}

/** For the help of a command with TASK. */
export const NAMES = 'TASK is the id of a task, or FRAMEWORK/TASK if several frameworks use the id.';

export const fullName = (task: Task): string => `${task.framework_id.value}/${task.task_id.value}`;

/** The task of this name; one that runs takes precedence over those that have ended. */
export function findTask(tasks: readonly ListedTask[], name: string): ListedTask {
  const named = tasks.filter(({ task }) => task.task_id.value === name || fullName(task) === name);
  const running = named.filter(({ task }) => !isTerminal(task.state));
  const [found, another] = running.length > 0 ? running : named;
  if (found === undefined) throw new CommandError(`no task ${name}; 'meseta task list --all' shows them`);
  if (another !== undefined) {
    const names = named.map(({ task }) => fullName(task)).join(', ');
    throw new CommandError(`several frameworks have a task ${name}: name one of ${names}`);
  }
  return found;
}
