// Whom a task runs as.
import type { TaskInfo } from './index.js';

/** The user of a task's command: its own, its executor's, or that of its framework. */
export const userOfTask = ({ command, executor }: TaskInfo, frameworkUser: string): string =>
  command?.user ?? executor?.command?.user ?? frameworkUser;

/** Every user that a task names, or runs as without naming one: all have to be allowed. */
export function usersOfTask(task: TaskInfo, frameworkUser: string): ReadonlySet<string> {
  const { executor, health_check, check } = task;
  const named = [executor?.command?.user, health_check?.command?.user, check?.command?.command.user];
  return new Set([userOfTask(task, frameworkUser), ...named.filter((user) => user !== undefined)]);
}
