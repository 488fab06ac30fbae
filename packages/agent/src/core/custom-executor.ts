// A framework's own executors: what they are given to run, how they end and what then becomes of their tasks.
// Mesos: docs/executor-http-api.md.
//
// CUSTOM-EXECUTORS-1: tasks reach the executor in the order in which they came, each when it is on disk and the executor listens.
// CUSTOM-EXECUTORS-2: an executor that doesn't subscribe in time is destroyed; so is one that doesn't end in time.
// CUSTOM-EXECUTORS-3: when its container is gone every task that has not ended is told as failed, or lost with the agent's restart.

import type { ContainerId, ExecutorId, FrameworkId, TaskId } from '@meseta/base';
import { cancelTimer, setTimer } from '@meseta/base/core/timers';
import type { ContainerEvent, ExitStatus } from '@meseta/containers/types';
import type { ExecutorEvent, KillPolicy, TaskInfo } from '@meseta/wire';
import { isTerminal, taskStateFor } from '@meseta/wire/task-states';
import { type Context, log, send } from './context.js';
import { isConnected, sendToExecutor } from './executor-channel.js';
import { endExecutor, executorOf, putExecutor, reportExecutorExited } from './executors.js';
import { exitMessage, waitStatusOf } from './exit-status.js';
import type { ExecutorRecord, Kill } from './io.js';
import { joinIfRecovered } from './registration.js';
import { armKill } from './run-end.js';
import { strayEnded } from './sandboxes.js';
import { agentIdOf, type FrameworkRecord, isPartitionAware, type PendingLaunch, tasksOf } from './state.js';
import { enqueueStatusUpdate, type StatusFields, statusOf } from './status-updates.js';

export function customContainerEvent(ctx: Context, event: ContainerEvent): void {
  const { containerId } = event;
  const found = executorOf(ctx, containerId);
  if (found?.executor.kind !== 'custom') {
    if (event.kind === 'started') return;
    ctx.effects.push({ kind: 'removeContainer', containerId });
    strayEnded(ctx, containerId);
    return;
  }
  const { framework, executor } = found;
  switch (event.kind) {
    case 'started': {
      const { pid } = event;
      putExecutor(ctx, framework, { ...executor, pid, startedWallMs: ctx.now.wallMs });
      if (executor.state !== 'launching' || executor.kill !== undefined) return;
      setTimer(ctx, { kind: 'registerExecutor', containerId }, ctx.state.config.executorRegistrationTimeoutMs);
      return;
    }
    case 'launchFailed':
      ctx.state.counters.containerLaunchErrors++;
      executorGone(ctx, framework, executor, { kind: 'unknown' }, launchFailure(executor, event.message));
      return;
    case 'exited':
      executorGone(ctx, framework, executor, event.status);
      return;
  }
}

/** CUSTOM-EXECUTORS-2. */
export function registrationTimedOut(ctx: Context, containerId: ContainerId): void {
  const found = executorOf(ctx, containerId);
  if (found?.executor.state !== 'launching') return;
  log(ctx, 'warning', `executor ${found.executor.info.executor_id.value} did not subscribe in time and is destroyed`);
  destroyExecutor(ctx, found.framework, found.executor, 'notRegistered');
}

function destroyExecutor(ctx: Context, framework: FrameworkRecord, executor: ExecutorRecord, why: Kill['why']): void {
  const killed = { ...executor, kill: executor.kill ?? { why, sinceWallMs: ctx.now.wallMs, graceMs: 0 } };
  putExecutor(ctx, framework, killed);
  ctx.effects.push({ kind: 'destroy', containerId: executor.containerId });
}

/** Notes tasks that are on their way to the executor's first or next LAUNCH. */
export function addPending(ctx: Context, executor: ExecutorRecord, taskIds: readonly TaskId[], group: boolean): void {
  const run = ctx.state.runs.get(executor.containerId);
  if (run === undefined) return;
  const pending = [...(run.pending ?? []), { taskIds, group, durable: false }];
  ctx.state.runs.set(executor.containerId, { ...run, pending });
}

/** The tasks that have waited longest for their write are on disk. */
export function pendingDurable(ctx: Context, frameworkId: FrameworkId, executorId: ExecutorId): void {
  const framework = ctx.state.frameworks.get(frameworkId);
  const executor = framework?.executors.get(executorId);
  const run = executor && ctx.state.runs.get(executor.containerId);
  if (framework === undefined || executor === undefined || run?.pending === undefined) return;
  const at = run.pending.findIndex(({ durable }) => !durable);
  const pending = run.pending.map((it, index) => (index === at ? { ...it, durable: true } : it));
  ctx.state.runs.set(executor.containerId, { ...run, pending });
  sendPending(ctx, framework, executor);
}

/** CUSTOM-EXECUTORS-1. */
export function sendPending(ctx: Context, framework: FrameworkRecord, executor: ExecutorRecord): void {
  if (!isConnected(ctx, executor) || executor.kill !== undefined) return;
  for (;;) {
    const run = ctx.state.runs.get(executor.containerId);
    const [first, ...rest] = run?.pending ?? [];
    if (run === undefined || first === undefined || !first.durable) return;
    const event = launchEvent(framework, first);
    ctx.state.runs.set(executor.containerId, { ...run, pending: rest, everSentTask: true });
    if (event !== undefined) sendToExecutor(ctx, framework, executor, event);
  }
}

function launchEvent(framework: FrameworkRecord, { taskIds, group }: PendingLaunch): ExecutorEvent | undefined {
  const tasks = taskIds.flatMap((id): readonly TaskInfo[] => {
    const record = framework.tasks.get(id);
    return record === undefined || isTerminal(record.task.state) ? [] : [record.info];
  });
  const [task] = tasks;
  if (task === undefined) return undefined;
  return group
    ? { type: 'LAUNCH_GROUP', launch_group: { task_group: { tasks } } }
    : { type: 'LAUNCH', launch: { task } };
}

/** Ends a task: one that has not been delivered here (with its group), one that has by its executor. */
export function killCustomTask(
  ctx: Context,
  framework: FrameworkRecord,
  executor: ExecutorRecord,
  taskId: TaskId,
  policy: KillPolicy | undefined,
): void {
  if (executor.kill !== undefined || executor.state === 'ended') {
    log(ctx, 'info', `task ${taskId} is not ended: its executor ends already`);
    return;
  }
  const run = ctx.state.runs.get(executor.containerId);
  const waiting = run?.pending?.find(({ taskIds }) => taskIds.includes(taskId));
  if (run !== undefined && waiting !== undefined) {
    // The entry stays, as its write is still to be answered; of ended tasks nothing is sent.
    for (const id of waiting.taskIds) {
      if (isTerminal(framework.tasks.get(id)?.task.state)) continue;
      const message = waiting.group
        ? 'A task of its group was killed before it was launched'
        : 'Killed before the task was launched';
      enqueueTaskStatus(ctx, framework, executor, id, {
        state: 'TASK_KILLED',
        message,
        reason: 'REASON_TASK_KILLED_DURING_LAUNCH',
      });
    }
    return;
  }
  const kill = { task_id: { value: taskId }, ...(policy === undefined ? {} : { kill_policy: policy }) };
  if (sendToExecutor(ctx, framework, executor, { type: 'KILL', kill })) return;
  log(ctx, 'warning', `task ${taskId} can't be ended: its executor is not connected`);
}

/** A status that the agent gives to a task of a custom executor. */
export function enqueueTaskStatus(
  ctx: Context,
  framework: FrameworkRecord,
  executor: ExecutorRecord,
  taskId: TaskId,
  fields: StatusFields,
): void {
  const status = statusOf(ctx, taskId, {
    source: 'SOURCE_AGENT',
    executor_id: executor.info.executor_id,
    ...fields,
  });
  enqueueStatusUpdate(ctx, framework, taskId, status);
}

/** Asks the executor to end; it is destroyed when its grace period is over (CUSTOM-EXECUTORS-2). */
export function shutdownCustom(
  ctx: Context,
  framework: FrameworkRecord,
  executor: ExecutorRecord,
  why: Kill['why'],
): void {
  if (executor.kill !== undefined || executor.state === 'ended') return;
  const { containerId, info } = executor;
  const graceMs = (info.shutdown_grace_period?.nanoseconds ?? ctx.state.config.executorShutdownGraceMs * 1e6) / 1e6;
  const killed: ExecutorRecord = { ...executor, kill: { why, sinceWallMs: ctx.now.wallMs, graceMs } };
  cancelTimer(ctx, { kind: 'registerExecutor', containerId });
  if (executor.state === 'queued') {
    executorGone(ctx, framework, killed, { kind: 'unknown' });
    return;
  }
  putExecutor(ctx, framework, killed);
  sendToExecutor(ctx, framework, killed, { type: 'SHUTDOWN' });
  armKill(ctx, killed);
}

/** CUSTOM-EXECUTORS-3: the container has ended, or was never there. `fields`: what its tasks are told, if not by how it ended. */
export function executorGone(
  ctx: Context,
  framework: FrameworkRecord,
  executor: ExecutorRecord,
  status: ExitStatus,
  fields: StatusFields = outcomeOf(framework, executor, status),
): void {
  const { containerId, info } = executor;
  const connection = ctx.state.runs.get(containerId)?.connection;
  if (connection !== undefined) ctx.effects.push({ kind: 'closeStream', connection });
  reportExecutorExited(ctx, framework, executor, waitStatusOf(status));
  for (const record of [...tasksOf(framework, info.executor_id.value as ExecutorId)]) {
    if (isTerminal(record.task.state)) continue;
    enqueueTaskStatus(ctx, framework, executor, record.info.task_id.value as TaskId, fields);
  }
  endExecutor(ctx, framework, executor);
  awaitNoLonger(ctx, containerId);
}

function launchFailure({ kill }: ExecutorRecord, problem: string): StatusFields | undefined {
  if (kill !== undefined) return undefined;
  const message = `Failed to launch container: ${problem}`;
  return { state: 'TASK_FAILED', message, reason: 'REASON_CONTAINER_LAUNCH_FAILED' };
}

function outcomeOf(framework: FrameworkRecord, { kill }: ExecutorRecord, status: ExitStatus): StatusFields {
  if (kill?.why === 'notRegistered') {
    const message = 'The executor did not subscribe within the registration timeout';
    return { state: 'TASK_FAILED', message, reason: 'REASON_EXECUTOR_REGISTRATION_TIMEOUT' };
  }
  if (kill?.why === 'notBack') {
    return {
      state: taskStateFor(isPartitionAware(framework.info), 'TASK_GONE'),
      message: "The executor did not subscribe again after the agent's restart",
      reason: 'REASON_EXECUTOR_REREGISTRATION_TIMEOUT',
    };
  }
  const message = `Executor terminated: ${exitMessage(status)}`;
  return { state: 'TASK_FAILED', message, reason: 'REASON_EXECUTOR_TERMINATED' };
}

/** An executor of an earlier process of this agent: it will subscribe again, or is asked to. */
export function awaitExecutor(ctx: Context, framework: FrameworkRecord, executor: ExecutorRecord): void {
  const { containerId, driver } = executor;
  const run = ctx.state.runs.get(containerId);
  const agentId = agentIdOf(ctx.state);
  if (run === undefined || agentId === undefined) return;
  ctx.state.runs.set(containerId, { ...run, everSentTask: true });
  ctx.state.awaited.add(containerId);
  log(ctx, 'info', `waiting for executor ${executor.info.executor_id.value} of framework ${framework.id}`);
  if (driver === undefined) return;
  send(ctx, driver, { name: 'ReconnectExecutorMessage', body: { agent_id: { value: agentId } } });
}

export function awaitNoLonger(ctx: Context, containerId: ContainerId): void {
  if (!ctx.state.awaited.delete(containerId) || ctx.state.awaited.size > 0) return;
  cancelTimer(ctx, { kind: 'executorsBack' });
  joinIfRecovered(ctx);
}

/** Executors that are not back by now won't be waited for (CUSTOM-EXECUTORS-2). */
export function executorsLate(ctx: Context): void {
  for (const containerId of [...ctx.state.awaited]) {
    const found = executorOf(ctx, containerId);
    if (found !== undefined) destroyExecutor(ctx, found.framework, found.executor, 'notBack');
    awaitNoLonger(ctx, containerId);
  }
}
