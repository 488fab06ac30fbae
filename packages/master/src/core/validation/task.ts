// Validates the tasks of LAUNCH and LAUNCH_GROUP. The checks are in Mesos' order.

import { checkId, type ExecutorId, idOf, type TaskId } from '@meseta/base';
import { contains, createSum, isShared, type Resources } from '@meseta/resources';
import type { ExecutorInfo, TaskInfo } from '@meseta/wire';
import { scalarSum } from '@meseta/wire/scalars';
import type { Agent, Framework } from '../state.js';
import { checkCommand, checkContainer } from './command.js';
import { checkExecutor } from './executor.js';
import { checkCheck, checkHealthCheck } from './health-check.js';
import type { Problem } from './problem.js';
import { checkMix, checkPersistence, checkResources } from './resources.js';

/** The context of a task's checks. */
export interface LaunchPlace {
  readonly framework: Framework;
  readonly agent: Agent;
  /** The resources of the offers that earlier tasks have not used. */
  readonly offered: Resources;
}

export function checkTask(task: TaskInfo, place: LaunchPlace): Problem {
  const { executor } = task;
  return (
    checkTaskFields(task, place) ??
    checkCommandOrExecutor(task) ??
    (executor?.resources?.some(isShared) === true ? 'executor.resources: must not be shared' : undefined) ??
    (executor && checkExecutor(executor, place.framework, runningExecutor(place, executor))) ??
    checkCombinedResources(
      [task.resources ?? []],
      executor?.resources ?? [],
      chargedExecutorResources(place, executor),
      place.offered,
    ) ??
    (task.container?.linux_info?.share_cgroups === false
      ? 'task.container.linux_info.share_cgroups: may be false in a task group only'
      : undefined)
  );
}

function checkCommandOrExecutor({ command, executor }: TaskInfo): Problem {
  if ((command === undefined) === (executor === undefined)) return 'task: expected exactly one of command and executor';
  return executor?.type === 'DEFAULT' ? 'executor.type: DEFAULT is for LAUNCH_GROUP' : undefined;
}

/** The checks that also apply to tasks of groups. */
export function checkTaskFields(task: TaskInfo, place: LaunchPlace): Problem {
  const { resources, command, container } = task;
  return (
    checkIds(task, place) ??
    checkNotNegative('task.kill_policy.grace_period', task.kill_policy?.grace_period?.nanoseconds) ??
    checkNotNegative('task.max_completion_time', task.max_completion_time?.nanoseconds) ??
    (task.check && checkCheck(task.check)) ??
    (task.health_check && checkHealthCheck(task.health_check)) ??
    ((resources ?? []).length === 0 ? 'task.resources: expected at least one resource' : undefined) ??
    checkResources('task.resources', resources) ??
    (command && checkCommand('task.command', command)) ??
    (container && checkContainer('task.container', container)) ??
    checkLimits(task, place.agent)
  );
}

function checkIds(task: TaskInfo, { framework, agent }: LaunchPlace): Problem {
  const id = idOf<TaskId>(task.task_id);
  const problem = checkId('task.task_id', id);
  if (problem !== undefined) return problem;
  if (framework.tasks.has(id) || framework.unreachableTasks.has(id)) {
    return `task.task_id: the framework has a task '${id}' already`;
  }
  if (task.agent_id.value === agent.id) return undefined;
  return `task.agent_id: expected ${agent.id}, the agent of the offer, got ${task.agent_id.value}`;
}

const checkNotNegative = (field: string, nanoseconds: number | undefined): Problem =>
  nanoseconds === undefined || nanoseconds >= 0
    ? undefined
    : `${field}: expected a duration >= 0, got ${nanoseconds} ns`;

const LIMITED: ReadonlySet<string> = new Set(['cpus', 'mem']);

function checkLimits(task: TaskInfo, agent: Agent): Problem {
  if (task.limits === undefined) return undefined;
  const limits = Object.entries(task.limits);
  if (limits.length === 0) return undefined;
  if (!agent.capabilities.has('TASK_RESOURCE_LIMITS')) {
    return 'task.limits: the agent lacks the capability TASK_RESOURCE_LIMITS';
  }
  for (const [name, { value }] of limits) {
    if (!LIMITED.has(name)) return `task.limits: only cpus and mem may be limited, got '${name}'`;
    const requested = scalarSum(task.resources, name);
    if (requested === 0) return `task.limits["${name}"]: needs a request of ${name}`;
    if (!(value >= requested))
      return `task.limits["${name}"]: expected at least the request of ${requested}, got ${value}`;
  }
  return undefined;
}

export const runningExecutor = ({ framework, agent }: LaunchPlace, executor: ExecutorInfo): ExecutorInfo | undefined =>
  framework.executors.get(agent.id)?.get(idOf<ExecutorId>(executor.executor_id));

/** The resources of the executor, or none if it is already running. */
export const chargedExecutorResources = (place: LaunchPlace, executor: ExecutorInfo | undefined): Resources =>
  executor === undefined || runningExecutor(place, executor) !== undefined ? [] : (executor.resources ?? []);

/** The resources of tasks and their executor; those of a running executor do not count again. */
export function checkCombinedResources(
  tasks: readonly Resources[],
  executor: Resources,
  charged: Resources,
  offered: Resources,
): Problem {
  const lists = [...tasks, executor];
  const list = lists.flat();
  const sum = createSum();
  for (const resources of [...tasks, charged]) sum.add(resources);
  return (
    checkMix('task and executor', list) ??
    checkPersistence('task and executor', list) ??
    checkOverlap(lists) ??
    (contains(offered, sum.result()) ? undefined : 'task.resources: more than what is left of the offer')
  );
}

/** Each port and each item of a set may be used only once. */
function checkOverlap(lists: readonly Resources[]): Problem {
  const items = new Set<string>();
  const ranges = new Map<string, { readonly begin: number; readonly end: number }[]>();
  for (const { name, set, ranges: own } of lists.flat()) {
    for (const item of set?.item ?? []) {
      const key = JSON.stringify([name, item]);
      if (items.has(key)) return `task and executor: the ${name} ${item} is used twice`;
      items.add(key);
    }
    const known = ranges.get(name) ?? [];
    ranges.set(name, known);
    for (const range of own?.range ?? []) known.push(range);
  }
  for (const [name, list] of ranges) {
    list.sort((a, b) => a.begin - b.begin);
    const at = list.findIndex(({ begin }, i) => begin <= (list[i - 1]?.end ?? -1));
    if (at > 0) return `task and executor: the ${name} ${list[at]?.begin} are used twice`;
  }
  return undefined;
}
