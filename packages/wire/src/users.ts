// The users of a task's processes.
import type { ExecutorInfo, TaskInfo } from './index.js';

/**
 * All users that the processes of a task and its executor run as, which must all be authorized: those named by a command or
 * a check, and the framework's user where a command names none. The executor is that of the task or of its group.
 */
export function usersOfTask(
  task: TaskInfo,
  executor: ExecutorInfo | undefined,
  frameworkUser: string,
): ReadonlySet<string> {
  const { command, health_check, check } = task;
  const users = [executor?.command?.user, health_check?.command?.user, check?.command?.command.user];
  if (command !== undefined || executor === undefined) users.push(command?.user ?? frameworkUser);
  // The executor of type DEFAULT is part of the agent and has no process.
  if (executor !== undefined && executor.type !== 'DEFAULT') users.push(executor.command?.user ?? frameworkUser);
  return new Set(users.filter((user) => user !== undefined));
}
