// Validates a LAUNCH_GROUP: tasks that start together or not at all, under one default executor.
import { type ExecutorId, idOf } from '@meseta/base';
import { quantitiesOf, quantity } from '@meseta/resources';
import type { ExecutorInfo, Task, TaskInfo } from '@meseta/wire';
import { checkExecutor, isSameExecutor } from './executor.js';
import { firstAmong, firstOf, type Problem } from './problem.js';
import {
  chargedExecutorResources,
  checkCombinedResources,
  checkTaskFields,
  type LaunchPlace,
  runningExecutor,
} from './task.js';

/** In thousandths. */
const MIN_CPUS = 10;
const MIN_MEM = 32_000;

export function checkTaskGroup(executor: ExecutorInfo, tasks: readonly TaskInfo[], place: LaunchPlace): Problem {
  const ids = new Set(tasks.map((task) => task.task_id.value));
  return firstOf(
    () => (tasks.length === 0 ? 'task_group.tasks: expected at least one task' : undefined),
    () => (ids.size === tasks.length ? undefined : 'task_group.tasks: two tasks have the same task_id'),
    () => firstAmong(tasks, (task) => checkPodTask(task, place)),
    () => (executor.type === undefined ? 'executor.type: is missing' : undefined),
    () => checkExecutor(executor, place.framework, runningExecutor(place, executor)),
    () => checkSize(executor),
    () =>
      executor.container?.type === 'DOCKER' ? 'executor.container.type: DOCKER is not possible for a group' : undefined,
    () => firstAmong(tasks, (task) => checkSameExecutor(task, executor)),
    () =>
      checkCombinedResources(
        tasks.map(({ resources }) => resources ?? []),
        executor.resources ?? [],
        chargedExecutorResources(place, executor),
        place.offered,
      ),
    () => checkSameCgroups(executor, tasks, place),
  );
}

function checkPodTask(task: TaskInfo, place: LaunchPlace): Problem {
  return firstOf(
    () => checkTaskFields(task, place),
    () => (task.command === undefined ? 'task.command: is missing' : undefined),
    () =>
      (task.container?.network_infos ?? []).length > 0 && isOverNetwork(task)
        ? 'task.health_check.type: HTTP and TCP are not possible for a task in a group with network_infos'
        : undefined,
    () => (task.container?.type === 'DOCKER' ? 'task.container.type: DOCKER is not possible in a group' : undefined),
    () => checkLimitedCgroups(task),
  );
}

const isOverNetwork = ({ health_check }: TaskInfo): boolean =>
  health_check?.type === 'HTTP' || health_check?.type === 'TCP';

const checkSameExecutor = ({ task_id, executor: own }: TaskInfo, executor: ExecutorInfo): Problem =>
  own === undefined || isSameExecutor(own, executor)
    ? undefined
    : `task.executor: that of task '${task_id.value}' is not the group's`;

const sharesCgroups = (task: Pick<TaskInfo, 'container'>): boolean =>
  task.container?.linux_info?.share_cgroups !== false;

/** Either all tasks of an executor share its cgroups, or none does. */
function checkSameCgroups(executor: ExecutorInfo, tasks: readonly TaskInfo[], place: LaunchPlace): Problem {
  const { framework, agent } = place;
  const usesExecutor = ({ executor_id }: Task): boolean => executor_id?.value === executor.executor_id.value;
  const runs = framework.executors.get(agent.id)?.has(idOf<ExecutorId>(executor.executor_id)) === true;
  // Unreachable tasks are on other agents, because this one is registered.
  const onAgent = runs ? [...(agent.tasks.get(framework.id) ?? [])] : [];
  const known = onAgent.flatMap((id) => framework.tasks.get(id) ?? []).filter(usesExecutor);
  const shares = [...tasks, ...known].map(sharesCgroups);
  return shares.every((share) => share === shares[0])
    ? undefined
    : 'task.container.linux_info.share_cgroups: must be the same for all tasks of an executor';
}

/** The limits of a task in a group need a separate cgroup. */
function checkLimitedCgroups(task: TaskInfo): Problem {
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
