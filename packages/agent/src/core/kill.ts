// Ending tasks: who asks for it, and what comes of a framework's or executor's shutdown and of a drain.

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
import { killCustomTask, shutdownCustom } from './custom-executor.js';
import { DRAIN_KEY } from './disk-layout.js';
import { endIfLeaving, executorOf, settle } from './executors.js';
import type { ExecutorRecord } from './io.js';
import { forgetId } from './registration.js';
import { graceOf, graceOver, killRun } from './run-end.js';
import { runOfTask, taskOfRun, taskRunsOf } from './runs.js';
import { checkpoints, type FrameworkRecord, isPartitionAware, tasksOf } from './state.js';
import { closeStreams, enqueueStatusUpdate, statusOf } from './status-updates.js';

export function killTask(ctx: Context, message: KillTaskMessage): void {
  const frameworkId = message.framework_id.value as FrameworkId;
  const taskId = message.task_id.value as TaskId;
  const framework = ctx.state.frameworks.get(frameworkId);
  if (framework === undefined || framework.state === 'terminating') {
    log(ctx, 'warning', `no framework ${frameworkId} of which task ${taskId} could be ended`);
    return;
  }
  const run = runOfTask(framework, taskId);
  if (run !== undefined) {
    killRun(ctx, framework, run, 'asked', graceOf(message.kill_policy));
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

/** Ends an executor with all that it runs. */
function endAll(ctx: Context, framework: FrameworkRecord, executor: ExecutorRecord): void {
  if (executor.kind === 'custom') shutdownCustom(ctx, framework, executor, 'shutdown');
  else for (const run of taskRunsOf(framework, executor)) killRun(ctx, framework, run, 'shutdown', undefined);
}

/** Nobody is left who would hear of the framework's tasks: they are ended, their updates dropped. */
export function shutdownFramework(ctx: Context, { framework_id }: ShutdownFrameworkMessage): void {
  const framework = ctx.state.frameworks.get(framework_id.value as FrameworkId);
  if (framework === undefined || framework.state === 'terminating') return;
  log(ctx, 'info', `framework ${framework.id} is shut down`);
  closeStreams(ctx, framework);
  const terminating: FrameworkRecord = { ...framework, state: 'terminating' };
  ctx.state.frameworks.set(framework.id, terminating);
  for (const taskId of framework.tasks.keys()) {
    if (checkpoints(framework)) for (const key of taskKeys(framework.id, taskId)) save(ctx, key, undefined);
  }
  for (const [executorId, executor] of framework.executors) {
    if (executor.state === 'ended') settle(ctx, framework.id, executorId);
    else endAll(ctx, ctx.state.frameworks.get(framework.id) ?? terminating, executor);
  }
  settle(ctx, framework.id, undefined);
}

export function shutdownExecutor(ctx: Context, message: ShutdownExecutorMessage): void {
  const framework = ctx.state.frameworks.get(message.framework_id?.value as FrameworkId);
  const executor = framework?.executors.get(message.executor_id?.value as ExecutorId);
  if (framework !== undefined && executor !== undefined) endAll(ctx, framework, executor);
}

/** Every task is ended, none is taken any more; the agent ends with the last (`leave`). */
export function leave(ctx: Context, message: string): void {
  const running = [...ctx.state.frameworks.values()].flatMap((framework) =>
    [...framework.executors.values()]
      .filter(({ state }) => state !== 'ended')
      .map((executor) => ({ framework, executor })),
  );
  ctx.state.leaving = message;
  if (running.length === 0) endIfLeaving(ctx);
  for (const { framework, executor } of running) endAll(ctx, framework, executor);
}

/** The operator wants this agent empty. Mesos: docs/maintenance.md. */
export function drainAgent(ctx: Context, config: DrainConfig): void {
  if (ctx.state.frameworks.size === 0 && ctx.state.operations.size === 0) return;
  const sinceWallMs = ctx.now.wallMs;
  ctx.state.drain = { config, sinceWallMs };
  save(ctx, DRAIN_KEY, { kind: 'drain', config, sinceWallMs });
  applyDrain(ctx);
}

/** Ends every task, within the operator's grace period where the task's own isn't shorter. */
export function applyDrain(ctx: Context): void {
  const { drain, frameworks } = ctx.state;
  if (drain === undefined) return;
  for (const framework of [...frameworks.values()]) {
    for (const executor of [...framework.executors.values()]) drainExecutor(ctx, framework, executor);
  }
}

/** Ends what an executor runs, as `applyDrain`; one that subscribes only now hears of it now. */
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

/** A drained agent is drained once; what the master sends afterwards is news. Idle executors may stay. */
export function finishDrain(ctx: Context): void {
  const { drain, frameworks, operations } = ctx.state;
  if (drain === undefined || operations.size > 0) return;
  for (const { tasks, streams } of frameworks.values()) if (tasks.size > 0 || streams.size > 0) return;
  ctx.state.drain = undefined;
  save(ctx, DRAIN_KEY, undefined);
}

/** The grace period of a task is over. */
export function killDue(ctx: Context, containerId: ContainerId): void {
  if (executorOf(ctx, containerId) !== undefined) graceOver(ctx, containerId);
}

/** The agent leaves for good: it unregisters, and ends when its last container has. */
export function leaveCluster(ctx: Context, message: string): void {
  const { info } = ctx.state;
  if (info.id !== undefined) sendToMaster(ctx, { name: 'UnregisterAgentMessage', body: { agent_id: info.id } });
  // Whoever starts here next is another agent: this one's id is not in the registry any more.
  forgetId(ctx);
  leave(ctx, message);
}
