// Executors and their containers: records, end, and the moment when nothing is left of one or of a framework.
//
// EXECUTORS-1: a container is launched only when its executor and task are on disk (checkpointing frameworks).
// EXECUTORS-2: every launched container ends in one event; until then its resources count as used.
// EXECUTORS-3: a container, which knows its exit status, is forgotten only when what became of it is on disk.
// EXECUTORS-4: a task that is over and acknowledged is remembered while its executor lives, by the agent's next process too:
//     a framework's own executor may tell its last updates again.

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
import { noteSandboxEnded } from './sandboxes.js';
import { agentIdOf, checkpoints, completeFramework, type FrameworkRecord, tasksOf } from './state.js';
import { answerWaitingForRun } from './waiting-calls.js';

/** What a command task's own executor is charged on top of the task. */
const COMMAND_EXECUTOR_RESOURCES = [
  ['cpus', 0.1],
  ['mem', 32],
] as const;

/** The executor that the agent is for a command task: it carries the task's id. */
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
    // A little longer than the task's own, so that the task's end is seen first.
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

/** The user that a command runs as; undefined: the agent's own. */
export const userOf = (
  ctx: Pick<Context, 'state'>,
  framework: FrameworkInfo,
  command: CommandInfo | undefined,
): string | undefined => (ctx.state.config.switchUser ? (command?.user ?? framework.user) : undefined);

/** A new executor, on disk too. */
export function addExecutor(ctx: Context, framework: FrameworkRecord, executor: ExecutorRecord): void {
  const executorId = executorIdOf(executor);
  framework.executors.set(executorId, executor);
  if (checkpoints(framework)) save(ctx, executorKey(framework.id, executorId), { kind: 'executor', executor });
}

/** Replaces the executor's record, on disk too. */
export function putExecutor(ctx: Context, framework: FrameworkRecord, executor: ExecutorRecord): void {
  framework.executors.set(executorIdOf(executor), executor);
  if (checkpoints(framework)) saveChange(ctx, executorProgress(executor));
}

/** The executor whose container this is, or in whose pod it is. */
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
 * The scheduler hears of executors that it knows, not of command tasks'; a status as wait(2) gives it. Repeated only if the
 * master may not have taken it (REGISTRATION-7). One that never was launched has no container.
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
  const isNamed = containerId !== undefined && state.namedExecutors.has(containerId);
  if (isNamed || !state.registration.registered) state.exitsSinceReregistration.push(body);
  sendToMaster(ctx, { name: 'ExitedExecutorMessage', body });
}

/** The container is gone, or never was: its sandbox ages from now on. What the tasks have become was said before. */
export function endExecutor(ctx: Context, framework: FrameworkRecord, executor: ExecutorRecord): void {
  const { containerId } = executor;
  // A pod's executor has no container of its own.
  if (executor.state !== 'queued' && executor.kind !== 'default')
    afterCommit(ctx, { kind: 'removeContainer', containerId });
  ctx.state.runs.delete(containerId);
  cancelContainerTimers(ctx, containerId);
  endNested(ctx, (id) => outermost(id) === containerId, true);
  // The end of a container of its own was answered when it ended.
  answerWaitingForRun(
    ctx,
    containerId,
    executor.kind === 'default' ? { kind: 'exited', code: 0 } : { kind: 'unknown' },
  );
  ctx.state.counters.executorsTerminated++;
  noteSandboxEnded(ctx, containerId, executor.sandbox);
  putExecutor(ctx, framework, { ...executor, state: 'ended' });
  settle(ctx, framework.id, executor.info.executor_id.value as ExecutorId);
  endIfLeaving(ctx);
}

/**
 * A framework stays listed as running this long after its last task: the next one often comes at once, and whoever
 * reads its state in two requests finds it in one place (Mesos' executors linger about as long).
 */
const FRAMEWORK_LINGER_MS = 1000;

/**
 * Lets go of the executor if it has ended and the ends of its tasks are acknowledged (or nobody is left to do so),
 * then of the framework if nothing of it is left.
 */
export function settle(ctx: Context, frameworkId: FrameworkId, executorId: ExecutorId | undefined): void {
  const framework = ctx.state.frameworks.get(frameworkId);
  if (framework === undefined) return;
  const executor = executorId === undefined ? undefined : framework.executors.get(executorId);
  const left = executor === undefined ? framework : releaseExecutor(ctx, framework, executor);
  if (left.executors.size > 0 || left.streams.size > 0) return;
  if (left.state === 'running') setTimer(ctx, { kind: 'framework', frameworkId }, FRAMEWORK_LINGER_MS);
  else completeIfIdle(ctx, frameworkId);
}

/** The framework has had nothing here for a while, or is shut down: its records go to the completed ones. */
export function completeIfIdle(ctx: Context, frameworkId: FrameworkId): void {
  const framework = ctx.state.frameworks.get(frameworkId);
  if (framework === undefined || framework.executors.size > 0 || framework.streams.size > 0) return;
  completeFramework(ctx.state, framework);
  if (checkpoints(framework)) save(ctx, frameworkKey(frameworkId), undefined);
  log(ctx, 'info', `framework ${frameworkId} has nothing left here`);
}

function releaseExecutor(ctx: Context, framework: FrameworkRecord, executor: ExecutorRecord): FrameworkRecord {
  const executorId = executor.info.executor_id.value as ExecutorId;
  const tasks = [...tasksOf(framework, executorId)];
  const open = tasks.some(({ info, task }) => !isTerminal(task.state) || framework.streams.has(taskIdOf(info)));
  if (executor.state !== 'ended' || (open && framework.state === 'running')) return framework;
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
  const next = { ...framework, completed: completed.slice(-ctx.state.config.maxCompletedExecutorsPerFramework) };
  ctx.state.frameworks.set(framework.id, next);
  return next;
}

function forgetTask(ctx: Context, framework: FrameworkRecord, taskId: TaskId): void {
  framework.tasks.delete(taskId);
  if (checkpoints(framework)) for (const key of taskKeys(framework.id, taskId)) save(ctx, key, undefined);
  if (!framework.podTasks.delete(taskId)) return;
  if (checkpoints(framework)) save(ctx, podTaskKey(framework.id, taskId), undefined);
}

/** Tasks that are kept of an executor; Mesos' number. */
const MAX_RETIRED_TASKS = 200;

/** The end of a task is acknowledged: its executor, which may run others, is done with it. */
export function retireTask(ctx: Context, framework: FrameworkRecord, { info, executorId }: TaskRecord): void {
  const executor = framework.executors.get(executorId);
  const record = framework.tasks.get(taskIdOf(info));
  if (executor === undefined || executor.kind === 'command' || executor.state === 'ended' || !record) return;
  // EXECUTORS-4: on disk it stays.
  if (executor.kind === 'custom') framework.tasks.delete(taskIdOf(info));
  else forgetTask(ctx, framework, taskIdOf(info));
  keepRetired(ctx, framework, executor, record);
}

function keepRetired(ctx: Context, framework: FrameworkRecord, executor: ExecutorRecord, record: TaskRecord): void {
  const retired = [...(framework.retired.get(record.executorId) ?? []), record];
  framework.retired.set(record.executorId, retired.slice(-MAX_RETIRED_TASKS));
  for (const { info } of retired.slice(0, -MAX_RETIRED_TASKS)) forgetRetired(ctx, framework, executor, info);
}

/** Unless the id has been given to another task since. */
function forgetRetired(ctx: Context, framework: FrameworkRecord, { kind }: ExecutorRecord, info: TaskInfo): void {
  const taskId = taskIdOf(info);
  if (kind !== 'custom' || framework.tasks.has(taskId) || !checkpoints(framework)) return;
  for (const key of taskKeys(framework.id, taskId)) save(ctx, key, undefined);
}

/** EXECUTORS-4, in a new process: of an executor that may be there still, the tasks whose ends are acknowledged. */
export function restoreRetired(ctx: Context, framework: FrameworkRecord): void {
  for (const [taskId, record] of [...framework.tasks]) {
    const executor = framework.executors.get(record.executorId);
    if (executor?.kind !== 'custom' || executor.state === 'ended') continue;
    if (!isTerminal(record.task.state) || framework.streams.has(taskId)) continue;
    framework.tasks.delete(taskId);
    keepRetired(ctx, framework, executor, record);
  }
}

/** The executor's own word of a task that is over and acknowledged: it did not hear that it was heard. */
export const isRetired = (framework: FrameworkRecord, executorId: ExecutorId, taskId: TaskId, uuid: string): boolean =>
  framework.retired
    .get(executorId)
    ?.some(({ info, received }) => taskIdOf(info) === taskId && received?.includes(uuid)) === true;

const taskIdOf = (info: TaskInfo): TaskId => info.task_id.value as TaskId;

/** The agent that was told to leave ends with its last container; what is not acknowledged by then stays on disk. */
export function endIfLeaving(ctx: Context): void {
  const { leaving, frameworks } = ctx.state;
  if (leaving === undefined) return;
  for (const { executors } of frameworks.values()) {
    for (const { state } of executors.values()) if (state !== 'ended') return;
  }
  afterCommit(ctx, { kind: 'exit', status: 0, message: leaving });
}

/** Notes a sandbox that will have to be collected, whatever becomes of this process. */
export const saveSandbox = (ctx: Context, containerId: ContainerId, path: string): void =>
  save(ctx, sandboxKey(containerId), { kind: 'sandbox', containerId, path, endedWallMs: undefined });
