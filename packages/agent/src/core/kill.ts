// Kills of tasks, shutdowns of executors and frameworks, drains, and the agent's own leave.
import type { ContainerId, ExecutorId, FrameworkId, TaskId } from '@meseta/base';
import type {
  DrainConfig,
  KillPolicy,
  KillTaskMessage,
  ShutdownExecutorMessage,
  ShutdownFrameworkMessage,
} from '@meseta/wire';
import { isTerminal, taskStateFor } from '@meseta/wire/task-states';
import { save } from './checkpoint.js';
import { taskKeys } from './checkpoint-records.js';
import { type Context, log, sendToMaster } from './context.js';
import { killCustomTask, shutdownCustomExecutor } from './custom-executor.js';
import { DRAIN_KEY } from './disk-layout.js';
import { executorOf, exitIfEmpty, releaseIfDone } from './executors.js';
import type { ExecutorRecord } from './io.js';
import { deleteAgentRecord } from './registration.js';
import { destroyRun, graceOf, killRun } from './run-end.js';
import { runOfTask, taskOfRun, taskRunsOf } from './runs.js';
import { checkpoints, type FrameworkRecord, isPartitionAware, tasksOf } from './state.js';
import { closeStreams, enqueueStatusUpdate, statusOf } from './status-updates.js';

export function killTask(ctx: Context, message: KillTaskMessage): void {
  const frameworkId = message.framework_id.value as FrameworkId;
  const taskId = message.task_id.value as TaskId;
  const framework = ctx.state.frameworks.get(frameworkId);
  if (framework === undefined || framework.state === 'terminating') {
    log(ctx, 'warning', `ignored a kill of task ${taskId}: framework ${frameworkId} is unknown or is being shut down`);
    return;
  }
  const run = runOfTask(framework, taskId);
  if (run !== undefined) {
    killRun(ctx, framework, run, 'requested', graceOf(message.kill_policy));
    return;
  }
  const executor = framework.executors.get(framework.tasks.get(taskId)?.executorId as ExecutorId);
  if (executor !== undefined) {
    killCustomTask(ctx, framework, executor, taskId, message.kill_policy);
    return;
  }
  if (framework.streams.has(taskId)) return;
  enqueueStatusUpdate(
    ctx,
    framework,
    taskId,
    statusOf(ctx, taskId, {
      state: taskStateFor(isPartitionAware(framework.info), 'TASK_DROPPED'),
      message: 'The agent has no such task',
      source: 'SOURCE_AGENT',
      reason: 'REASON_EXECUTOR_TERMINATED',
    }),
  );
}

/** Ends an executor and its tasks. */
function endRunsOf(ctx: Context, framework: FrameworkRecord, executor: ExecutorRecord): void {
  if (executor.kind === 'custom') shutdownCustomExecutor(ctx, framework, executor, 'shutdown');
  else for (const run of taskRunsOf(framework, executor)) killRun(ctx, framework, run, 'shutdown', undefined);
}

/** Ends the framework's tasks and drops their updates, because no scheduler is left to acknowledge them. */
export function shutdownFramework(ctx: Context, { framework_id }: ShutdownFrameworkMessage): void {
  const framework = ctx.state.frameworks.get(framework_id.value as FrameworkId);
  if (framework === undefined || framework.state === 'terminating') return;
  log(ctx, 'info', `shutting down framework ${framework.id}`);
  closeStreams(ctx, framework);
  const terminating: FrameworkRecord = { ...framework, state: 'terminating' };
  ctx.state.frameworks.set(framework.id, terminating);
  for (const taskId of framework.tasks.keys()) {
    if (checkpoints(framework)) for (const key of taskKeys(framework.id, taskId)) save(ctx, key, undefined);
  }
  for (const [executorId, executor] of framework.executors) {
    if (executor.state === 'ended') releaseIfDone(ctx, framework.id, executorId);
    else endRunsOf(ctx, ctx.state.frameworks.get(framework.id) ?? terminating, executor);
  }
  releaseIfDone(ctx, framework.id, undefined);
}

export function shutdownExecutor(ctx: Context, message: ShutdownExecutorMessage): void {
  const framework = ctx.state.frameworks.get(message.framework_id?.value as FrameworkId);
  const executor = framework?.executors.get(message.executor_id?.value as ExecutorId);
  if (framework !== undefined && executor !== undefined) endRunsOf(ctx, framework, executor);
}

/** Ends every task and accepts none; the process ends when no container runs. */
export function leaveWhenEmpty(ctx: Context, message: string): void {
  const running = [...ctx.state.frameworks.values()].flatMap((framework) =>
    [...framework.executors.values()]
      .filter(({ state }) => state !== 'ended')
      .map((executor) => ({ framework, executor })),
  );
  ctx.state.leaving = message;
  if (running.length === 0) exitIfEmpty(ctx);
  for (const { framework, executor } of running) endRunsOf(ctx, framework, executor);
}

/** Drains the agent. Mesos: docs/maintenance.md. */
export function drainAgent(ctx: Context, config: DrainConfig): void {
  if (ctx.state.frameworks.size === 0 && ctx.state.operations.size === 0) return;
  const sinceWallMs = ctx.now.wallMs;
  ctx.state.drain = { config, sinceWallMs };
  save(ctx, DRAIN_KEY, { kind: 'drain', config, sinceWallMs });
  applyDrain(ctx);
}

/** Ends every task within its own grace period or the operator's, whichever is shorter. */
export function applyDrain(ctx: Context): void {
  const { drain, frameworks } = ctx.state;
  if (drain === undefined) return;
  for (const framework of [...frameworks.values()]) {
    for (const executor of [...framework.executors.values()]) drainExecutor(ctx, framework, executor);
  }
}

/** Ends the tasks of an executor while the agent drains, also of one that subscribes only then. */
export function drainExecutor(ctx: Context, framework: FrameworkRecord, executor: ExecutorRecord): void {
  const { drain } = ctx.state;
  if (drain === undefined) return;
  const max = drain.config.max_grace_period;
  const maxMs = max === undefined ? undefined : max.nanoseconds / 1e6;
  const graceFor = (policy: KillPolicy | undefined): number | undefined =>
    maxMs === undefined ? undefined : Math.min(graceOf(policy) ?? maxMs, maxMs);
  for (const run of taskRunsOf(framework, executor)) {
    killRun(ctx, framework, run, 'draining', graceFor(taskOfRun(framework, run)?.info.kill_policy));
  }
  if (executor.kind !== 'custom') return;
  for (const { info, task } of [...tasksOf(framework, executor.info.executor_id.value as ExecutorId)]) {
    if (isTerminal(task.state)) continue;
    const graceMs = graceFor(info.kill_policy);
    const policy = graceMs === undefined ? undefined : { grace_period: { nanoseconds: graceMs * 1e6 } };
    killCustomTask(ctx, framework, executor, info.task_id.value as TaskId, policy);
  }
}

/** Ends the drain when no task, update and operation is left; executors without tasks may stay. */
export function finishDrain(ctx: Context): void {
  const { drain, frameworks, operations } = ctx.state;
  if (drain === undefined || operations.size > 0) return;
  for (const { tasks, streams } of frameworks.values()) if (tasks.size > 0 || streams.size > 0) return;
  ctx.state.drain = undefined;
  save(ctx, DRAIN_KEY, undefined);
}

/** SIGKILL to a task or executor whose grace period is over. */
export function handleKillTimer(ctx: Context, containerId: ContainerId): void {
  if (executorOf(ctx, containerId) !== undefined) destroyRun(ctx, containerId);
}

/** Unregisters the agent for good; the process ends when no container runs. */
export function leaveCluster(ctx: Context, message: string): void {
  const { info } = ctx.state;
  if (info.id !== undefined) sendToMaster(ctx, { name: 'UnregisterAgentMessage', body: { agent_id: info.id } });
  // The next process in work_dir is another agent, because this id leaves the registry.
  deleteAgentRecord(ctx);
  leaveWhenEmpty(ctx, message);
}
