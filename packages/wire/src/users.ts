// Whom a task runs as.
import type { ExecutorInfo, TaskInfo } from './index.js';

/**
 * Every user that a task or its executor names, or runs as without naming one: all have to be allowed. The executor is the
 * task's own, or that of its group.
 */
export function usersOfTask(
  task: TaskInfo,
  executor: ExecutorInfo | undefined,
  frameworkUser: string,
): ReadonlySet<string> {
  const { command, health_check, check } = task;
  const users = [executor?.command?.user, health_check?.command?.user, check?.command?.command.user];
  if (command !== undefined || executor === undefined) users.push(command?.user ?? frameworkUser);
  // The executor of type DEFAULT is the agent itself, which starts nothing but the tasks.
  if (executor !== undefined && executor.type !== 'DEFAULT') users.push(executor.command?.user ?? frameworkUser);
  return new Set(users.filter((user) => user !== undefined));
}
