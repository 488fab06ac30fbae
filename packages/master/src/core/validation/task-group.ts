// LAUNCH_GROUP: tasks that start together or not at all, under one default executor.
import { createSum, quantitiesOf, quantity } from '@meseta/resources';
import type { ExecutorInfo, TaskInfo } from '@meseta/wire';
import { checkExecutor } from './executor.js';
import { firstAmong, firstOf, type Problem } from './problem.js';
import { chargedFor, checkTaskFields, checkTogether, type Place, runningExecutor } from './task.js';

/** Thousandths. */
const MIN_CPUS = 10;
const MIN_MEM = 32_000;

export function checkTaskGroup(executor: ExecutorInfo, tasks: readonly TaskInfo[], place: Place): Problem {
  const ids = new Set(tasks.map((task) => task.task_id.value));
  const together = createSum();
  for (const task of tasks) together.add(task.resources ?? []);
  return firstOf(
    () => (tasks.length === 0 ? 'task_group.tasks: expected at least one task' : undefined),
    () => (ids.size === tasks.length ? undefined : 'task_group.tasks: two tasks have the same task_id'),
    () => firstAmong(tasks, (task) => checkMember(task, place)),
    () => (executor.type === undefined ? 'executor.type: is missing; expected DEFAULT' : undefined),
    () => (executor.type === 'DEFAULT' ? undefined : `executor.type: expected DEFAULT, got ${executor.type}`),
    () => checkExecutor(executor, place.framework, runningExecutor(place, executor)),
    () => checkSize(executor),
    () => checkTogether(together.result(), chargedFor(place, executor), place.offered),
  );
}

function checkMember(task: TaskInfo, place: Place): Problem {
  return firstOf(
    () => checkTaskFields(task, place),
    () => (task.executor === undefined ? undefined : 'task.executor: must not be set in a group'),
    () => (task.command === undefined ? 'task.command: is missing' : undefined),
    () =>
      (task.container?.network_infos ?? []).length > 0
        ? 'task.container.network_infos: must not be set in a group; the executor has the network'
        : undefined,
    () => (task.container?.type === 'DOCKER' ? 'task.container.type: DOCKER is not possible in a group' : undefined),
    () => checkSharedCgroups(task),
  );
}

/** Limits in a group are enforced in a cgroup of the task's own. */
function checkSharedCgroups(task: TaskInfo): Problem {
  if (Object.keys(task.limits ?? {}).length === 0) return undefined;
  return task.container?.linux_info?.share_cgroups === false
    ? undefined
    : 'task.limits: in a group needs container.linux_info.share_cgroups: false';
}

function checkSize(executor: ExecutorInfo): Problem {
  const has = quantitiesOf(executor.resources ?? []);
  if (quantity(has, 'cpus') < MIN_CPUS) return 'executor.resources: expected at least 0.01 cpus';
  if (quantity(has, 'mem') < MIN_MEM) return 'executor.resources: expected at least 32 MB of mem';
  return quantity(has, 'disk') > 0 ? undefined : 'executor.resources: expected some disk';
}
