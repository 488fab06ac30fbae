// Launches that the master sends: accepted, or answered with the reason of the refusal.
// Mesos: the order of the checks, the states and the reasons.
import type { ContainerId, ExecutorId, FrameworkId, TaskId } from '@meseta/base';
import { checkId, present, uuid } from '@meseta/base';
import { contains, isDynamicallyReserved, isPersistentVolume, unallocate } from '@meseta/resources';
import type {
  ExecutorInfo,
  FrameworkInfo,
  ResourceVersionUUID,
  RunTaskGroupMessage,
  RunTaskMessage,
  Task,
  TaskInfo,
  TaskState,
  TaskStatusReason,
  UpdateFrameworkMessage,
} from '@meseta/wire';
import { withoutSecrets } from '@meseta/wire/secrets';
import { taskStateFor } from '@meseta/wire/task-states';
import { usersOfTask } from '@meseta/wire/users';
import { save, whenDurable } from './checkpoint.js';
import { type Context, log } from './context.js';
import { queueLaunch } from './custom-executor.js';
import { frameworkKey, nestedSandboxPath, sandboxPath } from './disk-layout.js';
import { unresolvedVariable } from './environment.js';
import { updateExecutorContainer } from './executor-launch.js';
import {
  addExecutor,
  commandExecutorInfo,
  isEnding,
  releaseIfDone,
  reportExecutorExited,
  saveSandbox,
} from './executors.js';
import type { ExecutorRecord } from './io.js';
import { shutdownExecutor } from './kill.js';
import type { AgentOptions } from './options.js';
import { findMissingLimit } from './resource-limits.js';
import { putPodTask } from './runs.js';
import { agentIdOf, checkpoints, type FrameworkRecord, isPartitionAware, newFramework } from './state.js';
import { addTask, enqueueStatusUpdate, resendAll, statusOf } from './status-updates.js';
import { checkTask } from './validation.js';

interface Refusal {
  readonly state: TaskState;
  readonly reason: TaskStatusReason;
  readonly message: string;
}

export function runTask(ctx: Context, message: RunTaskMessage): void {
  const { task, framework: info } = message;
  const frameworkId = (info.id ?? message.framework_id)?.value as FrameworkId | undefined;
  if (frameworkId === undefined || task.agent_id.value !== agentIdOf(ctx.state)) {
    log(ctx, 'warning', `ignored task ${task.task_id.value}: it is for agent ${task.agent_id.value}`);
    return;
  }
  const { launch_executor, resource_version_uuids } = message;
  acceptLaunch(ctx, frameworkId, info, message.pid, {
    executor: task.executor,
    tasks: [task],
    isGroup: false,
    versions: resource_version_uuids,
    launchExecutor: launch_executor,
  });
}

export function runTaskGroup(ctx: Context, message: RunTaskGroupMessage): void {
  const tasks = message.task_group.tasks ?? [];
  const frameworkId = message.framework.id?.value as FrameworkId | undefined;
  if (frameworkId === undefined || tasks.length === 0) return;
  if (tasks.some(({ agent_id }) => agent_id.value !== agentIdOf(ctx.state))) {
    log(ctx, 'warning', 'ignored a task group: it is for another agent');
    return;
  }
  const { executor, launch_executor, resource_version_uuids } = message;
  acceptLaunch(ctx, frameworkId, message.framework, undefined, {
    executor,
    tasks,
    isGroup: true,
    versions: resource_version_uuids,
    launchExecutor: launch_executor,
  });
}

/** A launch of one task or of a task group. */
interface Launch {
  /** Undefined for a command task. */
  readonly executor: ExecutorInfo | undefined;
  readonly tasks: readonly TaskInfo[];
  readonly isGroup: boolean;
  readonly versions: readonly ResourceVersionUUID[] | undefined;
  /** Whether the master expects the executor to be launched with the tasks; older masters don't say. */
  readonly launchExecutor: boolean | undefined;
}

function acceptLaunch(
  ctx: Context,
  frameworkId: FrameworkId,
  info: FrameworkInfo,
  pid: string | undefined,
  launch: Launch,
): void {
  const problem = checkId('framework.id', frameworkId);
  if (problem !== undefined) {
    ctx.state.counters.invalidFrameworkMessages++;
    log(ctx, 'warning', `ignored a task: ${problem}`);
    return;
  }
  const framework = admitFramework(ctx, frameworkId, info, pid);
  const refusal =
    refusalByShutdown(framework) ??
    refusalByNames(launch) ??
    refusalByUsers(ctx, framework.info, launch) ??
    refusalByAgent(ctx, framework, launch) ??
    refusalByExecutor(framework, launch) ??
    launch.tasks
      .map((task) => refusalByTask(ctx.state.options, framework, task, launch))
      .find((it) => it !== undefined);
  if (refusal !== undefined) refuseLaunch(ctx, framework, launch, refusal);
  else if (launch.executor === undefined) launchCommand(ctx, framework, launch.tasks[0] as TaskInfo);
  else launchOnExecutor(ctx, framework, launch.executor, launch);
}

/** A master that took over after the framework was shut down here may send further tasks of it. */
const refusalByShutdown = ({ state, info }: FrameworkRecord): Refusal | undefined =>
  state === 'running'
    ? undefined
    : {
        state: droppedState(info),
        reason: 'REASON_FRAMEWORK_REMOVED',
        message: 'The framework is being shut down on this agent',
      };

/** VALIDATION-1. */
function refusalByNames({ tasks, executor }: Launch): Refusal | undefined {
  const ids = new Set(tasks.map(({ task_id }) => task_id.value));
  const message =
    tasks.map((task) => checkTask(task, executor)).find((problem) => problem !== undefined) ??
    (ids.size < tasks.length ? 'task_group.tasks: two tasks have the same task_id' : undefined);
  return message === undefined ? undefined : { state: 'TASK_ERROR', reason: 'REASON_TASK_INVALID', message };
}

/** Checks the agent's own ACLs, in addition to the master's; one task that is not authorized refuses its group. */
function refusalByUsers(
  { state }: Context,
  framework: FrameworkInfo,
  { tasks, executor, isGroup }: Launch,
): Refusal | undefined {
  for (const task of tasks) {
    for (const user of usersOfTask(task, executor, framework.user)) {
      if (state.options.mayRunAs(framework.principal, user)) continue;
      return {
        state: 'TASK_ERROR',
        reason: isGroup ? 'REASON_TASK_GROUP_UNAUTHORIZED' : 'REASON_TASK_UNAUTHORIZED',
        message: `not authorized to launch tasks as user '${user}' on this agent`,
      };
    }
  }
  return undefined;
}

/** The framework's record, which is added for the first task. */
function admitFramework(ctx: Context, id: FrameworkId, info: FrameworkInfo, pid: string | undefined): FrameworkRecord {
  const known = ctx.state.frameworks.get(id);
  if (known !== undefined) return known;
  const completed = ctx.state.completedFrameworks.find((framework) => framework.id === id)?.completed ?? [];
  const framework: FrameworkRecord = { ...newFramework(id, info, driverOf(pid)), completed };
  ctx.state.completedFrameworks = ctx.state.completedFrameworks.filter((it) => it.id !== id);
  ctx.state.frameworks.set(id, framework);
  saveFramework(ctx, framework);
  return framework;
}

/** The pid of a v0 driver; of a framework that uses HTTP masters send one without an actor. */
const driverOf = (pid: string | undefined): string | undefined =>
  pid === undefined || pid === '' || pid.startsWith('@') ? undefined : pid;

function saveFramework(ctx: Context, framework: FrameworkRecord): void {
  if (!checkpoints(framework)) return;
  save(ctx, frameworkKey(framework.id), { kind: 'framework', info: framework.info, pid: framework.pid });
}

/** Replaces the framework's description and pid after a failover or an update. */
export function updateFramework(ctx: Context, message: UpdateFrameworkMessage): void {
  const framework = ctx.state.frameworks.get(message.framework_id.value as FrameworkId);
  if (framework !== undefined) {
    const { pid, framework_info: info = framework.info } = message;
    const next: FrameworkRecord = {
      ...framework,
      info: { ...info, id: { value: framework.id } },
      pid: pid === undefined || pid === '' ? framework.pid : driverOf(pid),
    };
    ctx.state.frameworks.set(framework.id, next);
    saveFramework(ctx, next);
  }
  resendAll(ctx);
}

/** The refusal for a reason that lies in the agent: it leaves, drains, lacks disk space, or lacks resources. */
function refusalByAgent(
  ctx: Context,
  framework: FrameworkRecord,
  { tasks, executor, versions }: Launch,
): Refusal | undefined {
  const { state } = ctx;
  const dropped = { state: droppedState(framework.info) };
  if (state.leaving !== undefined) {
    return { ...dropped, reason: 'REASON_AGENT_DISCONNECTED', message: 'The agent is shutting down' };
  }
  if (state.drain !== undefined) {
    return { ...dropped, reason: 'REASON_AGENT_DRAINING', message: 'The agent is draining' };
  }
  if (state.diskShortage !== undefined) {
    return { ...dropped, reason: 'REASON_CONTAINER_LAUNCH_FAILED', message: `Not launched: ${state.diskShortage}` };
  }
  if (versions?.some((it) => it.resource_provider_id === undefined && it.uuid.value !== state.resourceVersion)) {
    return {
      ...dropped,
      reason: 'REASON_INVALID_OFFERS',
      message: 'The offered resources have changed since: the resource version is outdated',
    };
  }
  const resources = [...tasks, ...(executor === undefined ? [] : [executor])].flatMap(
    ({ resources }) => resources ?? [],
  );
  const unknown = resources.find(
    (resource) =>
      (resource.provider_id !== undefined || isDynamicallyReserved(resource) || isPersistentVolume(resource)) &&
      !contains(state.total, unallocate([resource])),
  );
  if (unknown === undefined) return undefined;
  return {
    ...dropped,
    reason: 'REASON_RESOURCES_UNKNOWN',
    message: `The agent does not have the reservation or volume of the resource ${unknown.name}`,
  };
}

/** The refusal if the executor does not exist as the master expects it, or is ending. */
function refusalByExecutor(framework: FrameworkRecord, { executor, launchExecutor }: Launch): Refusal | undefined {
  if (executor === undefined) return undefined;
  const known = framework.executors.get(executor.executor_id.value as ExecutorId);
  const terminated = (message: string): Refusal => ({
    state: droppedState(framework.info),
    reason: 'REASON_EXECUTOR_TERMINATED',
    message,
  });
  if (known === undefined) {
    return launchExecutor === false ? terminated('The executor of the task is not here any more') : undefined;
  }
  if (isEnding(known)) return terminated('The executor of the task is ending');
  if (launchExecutor === true) return terminated('The executor that was to be launched is here already');
  if (known.kind === kindOf(executor)) return undefined;
  return {
    state: droppedState(framework.info),
    reason: 'REASON_TASK_INVALID',
    message: `The id ${executor.executor_id.value} is in use by a ${known.kind} executor on this agent`,
  };
}

const kindOf = ({ type }: ExecutorInfo): ExecutorRecord['kind'] => (type === 'DEFAULT' ? 'default' : 'custom');

function refusalByTask(
  { capabilities, dockerCapabilities }: AgentOptions,
  framework: FrameworkRecord,
  task: TaskInfo,
  { executor }: Launch,
): Refusal | undefined {
  if (executor === undefined && task.command === undefined) {
    return {
      state: 'TASK_ERROR',
      reason: 'REASON_TASK_INVALID',
      message: `Task ${task.task_id.value} has neither a command nor an executor`,
    };
  }
  const taskId = task.task_id.value as TaskId;
  const inUse =
    framework.tasks.has(taskId) ||
    // The stream of a refused task: the acknowledgement of its end would end the new task.
    framework.streams.has(taskId) ||
    (executor === undefined && framework.executors.has(task.task_id.value as ExecutorId));
  if (inUse) {
    return {
      state: droppedState(framework.info),
      reason: 'REASON_TASK_INVALID',
      message: `The id ${task.task_id.value} is still in use on this agent`,
    };
  }
  const own = task.container?.type === 'DOCKER' ? dockerCapabilities : undefined;
  const missing = findMissingLimit(own ?? capabilities, task.limits);
  if (missing !== undefined) {
    return { state: droppedState(framework.info), reason: 'REASON_GC_ERROR', message: missing };
  }
  const { command, check, health_check } = task;
  const commands = [command, executor?.command, check?.command?.command, health_check?.command];
  const message = commands.map(unresolvedVariable).find((it) => it !== undefined);
  return message === undefined
    ? undefined
    : { state: 'TASK_FAILED', reason: 'REASON_CONTAINER_LAUNCH_FAILED', message };
}

function refuseLaunch(ctx: Context, framework: FrameworkRecord, launch: Launch, refusal: Refusal): void {
  for (const task of launch.tasks) {
    const taskId = task.task_id.value as TaskId;
    // An id that is in use has the stream of the task that uses it.
    if (framework.streams.has(taskId) || framework.tasks.has(taskId)) {
      log(ctx, 'warning', `dropped task ${taskId}: ${refusal.message}`);
      continue;
    }
    enqueueStatusUpdate(ctx, framework, taskId, statusOf(ctx, taskId, { ...refusal, source: 'SOURCE_AGENT' }));
  }
  if (launch.launchExecutor === true && launch.executor !== undefined) {
    reportExecutorNeverLaunched(ctx, framework, launch.executor, refusal);
  }
  releaseIfDone(ctx, framework.id, undefined);
}

/** Tells the master, which counts the executor's resources and sends it further tasks, that it was not launched. */
function reportExecutorNeverLaunched(
  ctx: Context,
  framework: FrameworkRecord,
  info: ExecutorInfo,
  { reason }: Refusal,
): void {
  const known = framework.executors.get(executorIdOf(info));
  // An executor that has ended stays until its updates are acknowledged; its end was reported before this launch.
  if (known === undefined || known.state === 'ended') return reportExecutorExited(ctx, framework, { info }, -1);
  // The master does not know the executor, so it would never shut it down.
  if (reason !== 'REASON_EXECUTOR_TERMINATED') return;
  shutdownExecutor(ctx, { executor_id: info.executor_id, framework_id: { value: framework.id } });
}

const executorIdOf = (info: ExecutorInfo): ExecutorId => info.executor_id.value as ExecutorId;

function newExecutor(
  ctx: Context,
  framework: FrameworkRecord,
  info: ExecutorInfo,
  kind: ExecutorRecord['kind'],
): ExecutorRecord {
  const { state } = ctx;
  const containerId = uuid(state.random) as ContainerId;
  const agentId = present(agentIdOf(state), 'the id of a registered agent');
  const executor: ExecutorRecord = {
    frameworkId: framework.id,
    info,
    containerId,
    kind,
    sandbox: sandboxPath(state.options.workDir, agentId, framework.id, executorIdOf(info), containerId),
    // The executor of a pod is this agent, which runs.
    state: kind === 'default' ? 'running' : 'queued',
    pid: undefined,
    startedWallMs: undefined,
    kill: undefined,
  };
  const run = { frameworkId: framework.id, executorId: executorIdOf(info), health: undefined };
  state.runs.set(containerId, run);
  saveSandbox(ctx, containerId, executor.sandbox);
  addExecutor(ctx, framework, executor);
  return executor;
}

function launchCommand(ctx: Context, framework: FrameworkRecord, info: TaskInfo): void {
  const executor = newExecutor(ctx, framework, commandExecutorInfo(framework.id, info), 'command');
  const executorId = executorIdOf(executor.info);
  addTask(ctx, framework, { info, executorId, task: taskOf(framework, info, undefined) });
  whenDurable(ctx, framework, { kind: 'launch', frameworkId: framework.id, executorId });
}

/** Launches tasks on a custom or default executor, which is launched with them if it does not exist. */
function launchOnExecutor(ctx: Context, framework: FrameworkRecord, wanted: ExecutorInfo, launch: Launch): void {
  const executorId = executorIdOf(wanted);
  const frameworkId = framework.id;
  const known = framework.executors.get(executorId);
  const info = { ...wanted, framework_id: wanted.framework_id ?? { value: frameworkId } };
  const executor = known ?? newExecutor(ctx, framework, info, kindOf(wanted));
  const taskIds = launch.tasks.map(({ task_id }) => task_id.value as TaskId);
  for (const task of launch.tasks) {
    const taskId = task.task_id.value as TaskId;
    addTask(ctx, framework, { info: task, executorId, task: taskOf(framework, task, executorId) });
    if (executor.kind !== 'default') continue;
    addPodTask(ctx, framework, executor, taskId, taskIds);
    whenDurable(ctx, framework, { kind: 'launchPodTask', frameworkId, taskId });
  }
  if (executor.kind === 'default') return;
  queueLaunch(ctx, executor, taskIds, launch.isGroup);
  if (known !== undefined && known.state !== 'queued') updateExecutorContainer(ctx, framework, known);
  if (known === undefined) whenDurable(ctx, framework, { kind: 'launch', frameworkId, executorId });
  whenDurable(ctx, framework, { kind: 'deliver', frameworkId, executorId, taskId: taskIds[0] as TaskId });
}

function addPodTask(
  ctx: Context,
  framework: FrameworkRecord,
  executor: ExecutorRecord,
  taskId: TaskId,
  group: readonly TaskId[],
): void {
  const { state } = ctx;
  const executorId = executorIdOf(executor.info);
  const containerId = uuid(state.random) as ContainerId;
  state.runs.set(containerId, { frameworkId: framework.id, executorId, taskId, health: undefined });
  putPodTask(ctx, framework, {
    kind: 'podTask',
    frameworkId: framework.id,
    executorId,
    taskId,
    containerId,
    parent: executor.containerId,
    group,
    sandbox: nestedSandboxPath(executor.sandbox, containerId),
    state: 'queued',
    pid: undefined,
    startedWallMs: undefined,
    kill: undefined,
  });
}

/** A new task as the master and the read endpoints see it. */
function taskOf(framework: FrameworkRecord, info: TaskInfo, executorId: ExecutorId | undefined): Task {
  const { name, task_id, agent_id, resources, executor, labels, discovery, container } = info;
  const { command, health_check, kill_policy } = info;
  const user = command?.user ?? executor?.command?.user;
  return {
    name,
    task_id,
    framework_id: { value: framework.id },
    ...(executorId === undefined ? {} : { executor_id: { value: executorId } }),
    agent_id,
    state: 'TASK_STAGING',
    ...(resources === undefined ? {} : { resources }),
    ...(labels === undefined ? {} : { labels }),
    ...(discovery === undefined ? {} : { discovery }),
    ...(container === undefined ? {} : { container: withoutSecrets(container) }),
    ...(user === undefined ? {} : { user }),
    ...(health_check === undefined ? {} : { health_check: withoutSecrets(health_check) }),
    ...(kill_policy === undefined ? {} : { kill_policy }),
  };
}

const droppedState = (info: FrameworkInfo): TaskState => taskStateFor(isPartitionAware(info), 'TASK_DROPPED');
