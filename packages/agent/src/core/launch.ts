// Tasks that the master sends: taken, or answered with the reason why not.
// Mesos: the order of the checks, the reasons (behaviours.md 7).
import type { ContainerId, ExecutorId, FrameworkId, TaskId } from '@meseta/base';
import { present, uuid } from '@meseta/base';
import { contains, isDynamicallyReserved, isPersistentVolume, unallocate } from '@meseta/resources';
import type {
  FrameworkInfo,
  ResourceVersionUUID,
  RunTaskGroupMessage,
  RunTaskMessage,
  Task,
  TaskInfo,
  TaskState,
  TaskStatusReason,
} from '@meseta/wire';
import { commandExecutorInfo, launchExecutor, saveExecutor, saveSandbox, settle } from './executors.js';
import type { ExecutorRecord } from './io.js';
import { frameworkKey, sandboxPath } from './keys.js';
import { agentIdOf, checkpoints, type FrameworkRecord } from './state.js';
import { saveTask, statusOf, tell } from './status-updates.js';
import { log, type Step, save } from './step.js';

interface Refusal {
  readonly state: TaskState;
  readonly reason: TaskStatusReason;
  readonly message: string;
}

export function runTask(step: Step, message: RunTaskMessage): void {
  const { task, framework: info } = message;
  const frameworkId = (info.id ?? message.framework_id)?.value as FrameworkId | undefined;
  if (frameworkId === undefined || task.agent_id.value !== agentIdOf(step.state)) {
    log(step, 'warning', `ignored task ${task.task_id.value}: it is for agent ${task.agent_id.value}`);
    return;
  }
  const framework = admitFramework(step, frameworkId, info, message.pid);
  if (framework === undefined) return;
  const refusal = refusalOf(step, framework, [task], message.resource_version_uuids) ?? refusalOfTask(framework, task);
  if (refusal === undefined) launch(step, framework, task);
  else refuse(step, framework, [task], refusal);
}

export function runTaskGroup(step: Step, message: RunTaskGroupMessage): void {
  const tasks = message.task_group.tasks ?? [];
  const frameworkId = message.framework.id?.value as FrameworkId | undefined;
  if (frameworkId === undefined || tasks.some(({ agent_id }) => agent_id.value !== agentIdOf(step.state))) return;
  const framework = admitFramework(step, frameworkId, message.framework, undefined);
  if (framework === undefined || tasks.length === 0) return;
  refuse(
    step,
    framework,
    tasks,
    refusalOf(step, framework, tasks, message.resource_version_uuids) ?? {
      state: 'TASK_ERROR',
      reason: 'REASON_TASK_GROUP_INVALID',
      message: 'This agent does not run task groups',
    },
  );
}

/** The framework's record, made if it is new here; undefined while it is being shut down. */
function admitFramework(
  step: Step,
  id: FrameworkId,
  info: FrameworkInfo,
  pid: string | undefined,
): FrameworkRecord | undefined {
  const known = step.state.frameworks.get(id);
  if (known?.state === 'terminating') {
    log(step, 'warning', `ignored a task of framework ${id}, which is being shut down`);
    return undefined;
  }
  if (known !== undefined) return known;
  const completed = step.state.completedFrameworks.find((framework) => framework.id === id)?.completed ?? [];
  const framework: FrameworkRecord = {
    id,
    info: { ...info, id: { value: id } },
    pid: pid === undefined || pid.startsWith('@') ? undefined : pid,
    state: 'running',
    executors: new Map(),
    tasks: new Map(),
    streams: new Map(),
    completed,
  };
  step.state.completedFrameworks = step.state.completedFrameworks.filter((it) => it.id !== id);
  step.state.frameworks.set(id, framework);
  saveFramework(step, framework);
  return framework;
}

export function saveFramework(step: Step, framework: FrameworkRecord): void {
  if (!checkpoints(framework)) return;
  save(step, frameworkKey(framework.id), { kind: 'framework', info: framework.info, pid: framework.pid });
}

/** Why tasks can't be taken here and now, if so. */
function refusalOf(
  step: Step,
  framework: FrameworkRecord,
  tasks: readonly TaskInfo[],
  versions: readonly ResourceVersionUUID[] | undefined,
): Refusal | undefined {
  const { state } = step;
  const dropped = { state: droppedState(framework.info) };
  if (state.leaving !== undefined) {
    return { ...dropped, reason: 'REASON_AGENT_DISCONNECTED', message: 'The agent is shutting down' };
  }
  if (state.drain !== undefined) {
    return { ...dropped, reason: 'REASON_AGENT_DRAINING', message: 'The agent is draining' };
  }
  if (versions?.some((it) => it.resource_provider_id === undefined && it.uuid.value !== state.resourceVersion)) {
    return {
      ...dropped,
      reason: 'REASON_INVALID_OFFERS',
      message: 'The offered resources have changed since: the resource version is outdated',
    };
  }
  const lasting = tasks.flatMap(({ resources, executor }) => [...(resources ?? []), ...(executor?.resources ?? [])]);
  const unknown = lasting.find(
    (resource) =>
      resource.provider_id === undefined &&
      (isDynamicallyReserved(resource) || isPersistentVolume(resource)) &&
      !contains(state.total, unallocate([resource])),
  );
  if (unknown === undefined) return undefined;
  return {
    ...dropped,
    reason: 'REASON_RESOURCES_UNKNOWN',
    message: `The agent does not have the reservation or volume of the resource ${unknown.name}`,
  };
}

function refusalOfTask(framework: FrameworkRecord, task: TaskInfo): Refusal | undefined {
  if (task.executor !== undefined || task.command === undefined) {
    return {
      state: 'TASK_ERROR',
      reason: 'REASON_TASK_INVALID',
      message: 'This agent does not run custom executors',
    };
  }
  if (framework.executors.has(task.task_id.value as ExecutorId) || framework.tasks.has(task.task_id.value as TaskId)) {
    return {
      state: droppedState(framework.info),
      reason: 'REASON_TASK_INVALID',
      message: `The id ${task.task_id.value} is still in use on this agent`,
    };
  }
  if (Object.keys(task.limits ?? {}).length > 0) {
    return {
      state: droppedState(framework.info),
      reason: 'REASON_GC_ERROR',
      message: 'Limits need cgroups, and this agent isolates without them (posix)',
    };
  }
  const reference = task.command.environment?.variables?.find((it) => it.secret?.reference !== undefined);
  if (reference === undefined) return undefined;
  return {
    state: 'TASK_FAILED',
    reason: 'REASON_CONTAINER_LAUNCH_FAILED',
    message: `The variable ${reference.name} refers to a secret, and this agent has no secret resolver`,
  };
}

function refuse(step: Step, framework: FrameworkRecord, tasks: readonly TaskInfo[], refusal: Refusal): void {
  for (const task of tasks) {
    const taskId = task.task_id.value as TaskId;
    // The stream of an id that is in use belongs to the task that uses it.
    if (framework.streams.has(taskId) || framework.tasks.has(taskId)) {
      log(step, 'warning', `dropped task ${taskId}: ${refusal.message}`);
      continue;
    }
    tell(step, framework, taskId, statusOf(step, taskId, { ...refusal, source: 'SOURCE_AGENT' }));
  }
  settle(step, framework.id, undefined);
}

function launch(step: Step, framework: FrameworkRecord, info: TaskInfo): void {
  const { state } = step;
  const taskId = info.task_id.value as TaskId;
  const executorId = info.task_id.value as ExecutorId;
  const containerId = uuid(state.random) as ContainerId;
  const agentId = present(agentIdOf(state), 'the id of a registered agent');
  const executor: ExecutorRecord = {
    frameworkId: framework.id,
    info: commandExecutorInfo(framework.id, info),
    containerId,
    kind: 'command',
    sandbox: sandboxPath(state.config.workDir, agentId, framework.id, executorId, containerId),
    state: 'queued',
    pid: undefined,
    startedWallMs: undefined,
    kill: undefined,
  };
  framework.executors.set(executorId, executor);
  framework.tasks.set(taskId, { info, executorId, task: taskOf(framework, info) });
  state.runs.set(containerId, { frameworkId: framework.id, executorId, health: undefined, check: undefined });
  saveSandbox(step, containerId, executor.sandbox);
  if (!checkpoints(framework)) {
    launchExecutor(step, framework.id, executorId);
    return;
  }
  saveExecutor(step, framework, executor);
  saveTask(step, framework, taskId);
  step.after.push({ kind: 'launch', frameworkId: framework.id, executorId });
}

/** A task as the master and the read endpoints see it, before anything has happened to it. */
export function taskOf(framework: FrameworkRecord, info: TaskInfo): Task {
  const { name, task_id, agent_id, resources, executor, labels, discovery, container } = info;
  const { command, health_check, kill_policy, limits } = info;
  const user = command?.user ?? executor?.command?.user;
  return {
    name,
    task_id,
    framework_id: { value: framework.id },
    ...(executor === undefined ? {} : { executor_id: executor.executor_id }),
    agent_id,
    state: 'TASK_STAGING',
    ...(resources === undefined ? {} : { resources }),
    ...(labels === undefined ? {} : { labels }),
    ...(discovery === undefined ? {} : { discovery }),
    ...(container === undefined ? {} : { container }),
    ...(user === undefined ? {} : { user }),
    ...(health_check === undefined ? {} : { health_check }),
    ...(kill_policy === undefined ? {} : { kill_policy }),
    ...(limits === undefined ? {} : { limits }),
  };
}

const capable = (info: FrameworkInfo, capability: string): boolean =>
  info.capabilities?.some(({ type }) => type === capability) === true;

export const partitionAware = (info: FrameworkInfo): boolean => capable(info, 'PARTITION_AWARE');
export const knowsKilling = (info: FrameworkInfo): boolean => capable(info, 'TASK_KILLING_STATE');

const droppedState = (info: FrameworkInfo): TaskState => (partitionAware(info) ? 'TASK_DROPPED' : 'TASK_LOST');
