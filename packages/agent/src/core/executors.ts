// Executors and their containers: their records, their end, and the removal of executors and frameworks that are done.
//
// EXECUTORS-1: of a checkpointing framework, a container is launched only when its executor and task are on disk.
// EXECUTORS-2: every launched container ends in one event; its resources count as used until then.
// EXECUTORS-3: a container, which holds its exit status, is removed from the launcher only when its end is on disk.
// EXECUTORS-4: a task whose end is acknowledged is remembered while its custom executor runs, also across a restart of the
//     agent, because the executor may send its last updates again.

import type { ContainerId, ExecutorId, FrameworkId, TaskId } from '@meseta/base';
import { setTimer } from '@meseta/base/core/timers';
import type { CommandInfo, ExecutorInfo, FrameworkInfo, TaskInfo } from '@meseta/wire';
import { isTerminal } from '@meseta/wire/task-states';
import { afterCommit, save, saveChange } from './checkpoint.js';
import { executorIdOf, executorKeys, executorProgress, taskKeys } from './checkpoint-records.js';
import { type Context, cancelContainerTimers, log, sendToMaster } from './context.js';
import { executorKey, frameworkKey, podTaskKey, sandboxKey } from './disk-layout.js';
import type { ExecutorRecord, TaskRecord } from './io.js';
import { endNested, outermost } from './nested-records.js';
import { startSandboxAge } from './sandboxes.js';
import { agentIdOf, checkpoints, completeFramework, type FrameworkRecord, tasksOf } from './state.js';
import { replyToWaitingForRun } from './waiting-calls.js';

/** The resources of the executor of a command task, in addition to the task's. */
const COMMAND_EXECUTOR_RESOURCES = [
  ['cpus', 0.1],
  ['mem', 32],
] as const;

/** The description of the agent as executor of a command task; its id is the task's. */
export function commandExecutorInfo(frameworkId: FrameworkId, task: TaskInfo): ExecutorInfo {
  const allocation = task.resources?.[0]?.allocation_info;
  const { command, container, discovery, kill_policy, labels } = task;
  const graceNs = kill_policy?.grace_period?.nanoseconds;
  return {
    executor_id: { value: task.task_id.value },
    resources: COMMAND_EXECUTOR_RESOURCES.map(([name, value]) => ({
      name,
      type: 'SCALAR' as const,
      scalar: { value },
      ...(allocation === undefined ? {} : { allocation_info: allocation }),
    })),
    ...(command === undefined ? {} : { command }),
    framework_id: { value: frameworkId },
    name: `Command Executor (Task: ${task.task_id.value}) (Command: ${summaryOf(command)})`,
    source: task.task_id.value,
    ...(container === undefined ? {} : { container }),
    ...(discovery === undefined ? {} : { discovery }),
    // 2 s longer than the task's, so that the task ends first.
    ...(graceNs === undefined ? {} : { shutdown_grace_period: { nanoseconds: graceNs + 2e9 } }),
    ...(labels === undefined ? {} : { labels }),
  };
}

function summaryOf(command: CommandInfo | undefined): string {
  const shorten = (text: string): string => (text.length > 15 ? `${text.slice(0, 12)}...` : text);
  if (command?.shell === false) {
    if (command.value === undefined) return 'NO EXECUTABLE';
    return `[${shorten([command.value, ...(command.arguments ?? [])].join(', '))}]`;
  }
  return command?.value === undefined ? 'NO COMMAND' : `sh -c '${shorten(command.value)}'`;
}

/** The user of a command; undefined for the agent's own user. */
export const userOf = (
  ctx: Pick<Context, 'state'>,
  framework: FrameworkInfo,
  command: CommandInfo | undefined,
): string | undefined => (ctx.state.options.switchUser ? (command?.user ?? framework.user) : undefined);

/** Adds an executor, to the checkpoint too. */
export function addExecutor(ctx: Context, framework: FrameworkRecord, executor: ExecutorRecord): void {
  const executorId = executorIdOf(executor);
  framework.executors.set(executorId, executor);
  if (checkpoints(framework)) save(ctx, executorKey(framework.id, executorId), { kind: 'executor', executor });
}

/** Replaces the record of an executor, in the checkpoint too. */
export function putExecutor(ctx: Context, framework: FrameworkRecord, executor: ExecutorRecord): void {
  framework.executors.set(executorIdOf(executor), executor);
  if (checkpoints(framework)) saveChange(ctx, executorProgress(executor));
}

/** Whether the executor has ended or is to end: it gets no further tasks and messages. */
export const isEnding = ({ state, kill }: ExecutorRecord): boolean => state === 'ended' || kill !== undefined;

/** The executor that a container belongs to: its own container or that of a task of its pod. */
export function executorOf(
  ctx: Pick<Context, 'state'>,
  containerId: ContainerId,
): { readonly framework: FrameworkRecord; readonly executor: ExecutorRecord } | undefined {
  const run = ctx.state.runs.get(containerId);
  const framework = run === undefined ? undefined : ctx.state.frameworks.get(run.frameworkId);
  const executor = run === undefined ? undefined : framework?.executors.get(run.executorId);
  return framework === undefined || executor === undefined ? undefined : { framework, executor };
}

/**
 * Reports the end of an executor to the master, with a status as wait(2) gives it; command executors are not reported. The
 * message is repeated if the master may have dropped it (REGISTRATION-7). An executor that was never launched has no
 * container.
 */
export function reportExecutorExited(
  ctx: Context,
  framework: FrameworkRecord,
  { info, containerId }: Pick<ExecutorRecord, 'info'> & Partial<Pick<ExecutorRecord, 'containerId'>>,
  status: number,
): void {
  const agentId = agentIdOf(ctx.state);
  if (agentId === undefined) return;
  const body = {
    agent_id: { value: agentId },
    framework_id: { value: framework.id },
    executor_id: info.executor_id,
    status,
  };
  const { state } = ctx;
  const isNamed = containerId !== undefined && state.reportedExecutors.has(containerId);
  if (isNamed || !state.registration.registered) state.unconfirmedExits.push(body);
  sendToMaster(ctx, { name: 'ExitedExecutorMessage', body });
}

/** Ends an executor whose container has ended or was never started; the statuses of its tasks are reported before. */
export function endExecutor(ctx: Context, framework: FrameworkRecord, executor: ExecutorRecord): void {
  const { containerId } = executor;
  // The executor of a pod has no container in the launcher.
  if (executor.state !== 'queued' && executor.kind !== 'default')
    afterCommit(ctx, { kind: 'removeContainer', containerId });
  ctx.state.runs.delete(containerId);
  cancelContainerTimers(ctx, containerId);
  endNested(ctx, (id) => outermost(id) === containerId, true);
  // Calls that wait for a container in the launcher were answered at its end.
  replyToWaitingForRun(ctx, containerId, {
    status: executor.kind === 'default' ? { kind: 'exited', code: 0 } : { kind: 'unknown' },
  });
  ctx.state.counters.executorsTerminated++;
  startSandboxAge(ctx, containerId, executor.sandbox);
  putExecutor(ctx, framework, { ...executor, state: 'ended' });
  releaseIfDone(ctx, framework.id, executor.info.executor_id.value as ExecutorId);
  exitIfEmpty(ctx);
}

/**
 * A framework stays in `frameworks` this long after its last task, because the next task often follows at once, and so that
 * two requests of a reader find it in the same place. Mesos' executors stay about as long.
 */
const FRAMEWORK_LINGER_MS = 1000;

/**
 * Removes the executor if it has ended and the ends of its tasks are acknowledged (or the framework is shut down), then the
 * framework if it has no executor and no update.
 */
export function releaseIfDone(ctx: Context, frameworkId: FrameworkId, executorId: ExecutorId | undefined): void {
  const framework = ctx.state.frameworks.get(frameworkId);
  if (framework === undefined) return;
  const executor = executorId === undefined ? undefined : framework.executors.get(executorId);
  const left = executor === undefined ? framework : releaseExecutor(ctx, framework, executor);
  if (left.executors.size > 0 || left.streams.size > 0) return;
  if (left.state === 'running') setTimer(ctx, { kind: 'framework', frameworkId }, FRAMEWORK_LINGER_MS);
  else completeIfIdle(ctx, frameworkId);
}

/** Moves a framework without executors and updates to the completed frameworks. */
export function completeIfIdle(ctx: Context, frameworkId: FrameworkId): void {
  const framework = ctx.state.frameworks.get(frameworkId);
  if (framework === undefined || framework.executors.size > 0 || framework.streams.size > 0) return;
  completeFramework(ctx.state, framework);
  if (checkpoints(framework)) save(ctx, frameworkKey(frameworkId), undefined);
  log(ctx, 'info', `framework ${frameworkId} is completed`);
}

function releaseExecutor(ctx: Context, framework: FrameworkRecord, executor: ExecutorRecord): FrameworkRecord {
  if (executor.state !== 'ended') return framework;
  if (framework.state === 'running' && hasUnacknowledged(framework, executor)) return framework;
  const executorId = executorIdOf(executor);
  const tasks = [...tasksOf(framework, executorId)];
  framework.executors.delete(executorId);
  for (const { info } of tasks) {
    forgetTask(ctx, framework, taskIdOf(info));
  }
  if (checkpoints(framework)) for (const key of executorKeys(framework.id, executorId)) save(ctx, key, undefined);
  const completed = [
    ...framework.completed,
    { executor, tasks: [...(framework.retired.get(executorId) ?? []), ...tasks] },
  ];
  for (const { info } of framework.retired.get(executorId) ?? []) forgetRetired(ctx, framework, executor, info);
  framework.retired.delete(executorId);
  const next = { ...framework, completed: completed.slice(-ctx.state.options.maxCompletedExecutorsPerFramework) };
  ctx.state.frameworks.set(framework.id, next);
  return next;
}

/**
 * Whether a task of an executor that has ended has an unacknowledged update. Its tasks have ended, so only these keep it. The
 * streams are searched, as they become fewer with each acknowledgement; tasks of the executor stay until its release.
 */
function hasUnacknowledged({ streams, tasks }: FrameworkRecord, { kind, info }: ExecutorRecord): boolean {
  const executorId = info.executor_id.value;
  // The id of a command task is that of its executor.
  if (kind === 'command') return streams.has(executorId as TaskId);
  for (const taskId of streams.keys()) if (tasks.get(taskId)?.executorId === executorId) return true;
  return false;
}

function forgetTask(ctx: Context, framework: FrameworkRecord, taskId: TaskId): void {
  framework.tasks.delete(taskId);
  if (checkpoints(framework)) for (const key of taskKeys(framework.id, taskId)) save(ctx, key, undefined);
  if (!framework.podTasks.delete(taskId)) return;
  if (checkpoints(framework)) save(ctx, podTaskKey(framework.id, taskId), undefined);
}

/** Mesos' number of completed tasks that are kept for an executor. */
const MAX_RETIRED_TASKS = 200;

/** Removes a task whose end is acknowledged from the tasks of its executor, which may run others. */
export function retireTask(ctx: Context, framework: FrameworkRecord, { info, executorId }: TaskRecord): void {
  const executor = framework.executors.get(executorId);
  const record = framework.tasks.get(taskIdOf(info));
  if (executor === undefined || executor.kind === 'command' || executor.state === 'ended' || !record) return;
  // EXECUTORS-4: the record on disk stays.
  if (executor.kind === 'custom') framework.tasks.delete(taskIdOf(info));
  else forgetTask(ctx, framework, taskIdOf(info));
  keepRetired(ctx, framework, executor, record);
}

function keepRetired(ctx: Context, framework: FrameworkRecord, executor: ExecutorRecord, record: TaskRecord): void {
  const retired = [...(framework.retired.get(record.executorId) ?? []), record];
  framework.retired.set(record.executorId, retired.slice(-MAX_RETIRED_TASKS));
  for (const { info } of retired.slice(0, -MAX_RETIRED_TASKS)) forgetRetired(ctx, framework, executor, info);
}

/** Deletes the record on disk, unless another task has the id now. */
function forgetRetired(ctx: Context, framework: FrameworkRecord, { kind }: ExecutorRecord, info: TaskInfo): void {
  const taskId = taskIdOf(info);
  if (kind !== 'custom' || framework.tasks.has(taskId) || !checkpoints(framework)) return;
  for (const key of taskKeys(framework.id, taskId)) save(ctx, key, undefined);
}

/** EXECUTORS-4: after a restart, removes the acknowledged tasks of custom executors that may still run. */
export function restoreRetired(ctx: Context, framework: FrameworkRecord): void {
  for (const [taskId, record] of [...framework.tasks]) {
    const executor = framework.executors.get(record.executorId);
    if (executor?.kind !== 'custom' || executor.state === 'ended') continue;
    if (!isTerminal(record.task.state) || framework.streams.has(taskId)) continue;
    framework.tasks.delete(taskId);
    keepRetired(ctx, framework, executor, record);
  }
}

/** Whether the update is a repeated one of a task whose end is acknowledged. */
export const isRetired = (framework: FrameworkRecord, executorId: ExecutorId, taskId: TaskId, uuid: string): boolean =>
  framework.retired
    .get(executorId)
    ?.some(({ info, received }) => taskIdOf(info) === taskId && received?.includes(uuid)) === true;

const taskIdOf = (info: TaskInfo): TaskId => info.task_id.value as TaskId;

/** Ends the process of an agent that leaves once no container runs; unacknowledged updates stay on disk. */
export function exitIfEmpty(ctx: Context): void {
  const { leaving, frameworks } = ctx.state;
  if (leaving === undefined) return;
  for (const { executors } of frameworks.values()) {
    for (const { state } of executors.values()) if (state !== 'ended') return;
  }
  afterCommit(ctx, { kind: 'exit', status: 0, message: leaving });
}

/** Saves a sandbox, so that it is removed some day even if this process ends. */
export const saveSandbox = (ctx: Context, containerId: ContainerId, path: string): void =>
  save(ctx, sandboxKey(containerId), { kind: 'sandbox', containerId, path, endedWallMs: undefined });
