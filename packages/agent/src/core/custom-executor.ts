// Executors that a framework provides: the delivery of their tasks, their end, and the end of their tasks.
// Mesos: docs/executor-http-api.md.
//
// CUSTOM-EXECUTORS-1: tasks are delivered in the order of their arrival, each when it is on disk and the executor subscribed.
// CUSTOM-EXECUTORS-2: an executor that does not subscribe in time, or does not end in time, is destroyed.
// CUSTOM-EXECUTORS-3: when the executor's container ends, its tasks that have not ended are reported as failed, or as lost
//     with a restart of the agent.

import type { ContainerId, ExecutorId, FrameworkId, TaskId } from '@meseta/base';
import { cancelTimer, setTimer } from '@meseta/base/core/timers';
import type { ContainerEvent, ExitStatus } from '@meseta/containers/types';
import type { ExecutorEvent, KillPolicy, TaskInfo } from '@meseta/wire';
import { isTerminal, taskStateFor } from '@meseta/wire/task-states';
import { whenDurable } from './checkpoint.js';
import { type Context, log, send } from './context.js';
import { isConnected, sendToExecutor } from './executor-channel.js';
import { endExecutor, executorOf, isEnding, putExecutor, reportExecutorExited } from './executors.js';
import { exitMessage, limitationStatus, preemptedStatus, SIGKILL, waitStatusOf } from './exit-status.js';
import type { ExecutorRecord, Kill } from './io.js';
import { startRegistrationIfRecovered } from './registration.js';
import { setKillTimer } from './run-end.js';
import { handleOrphanEnded } from './sandboxes.js';
import { agentIdOf, type FrameworkRecord, isPartitionAware, type QueuedLaunch, type Run, tasksOf } from './state.js';
import { enqueueStatusUpdate, type StatusFields, statusOf } from './status-updates.js';

export function handleCustomContainerEvent(ctx: Context, event: ContainerEvent): void {
  const { containerId } = event;
  const found = executorOf(ctx, containerId);
  if (found?.executor.kind !== 'custom') {
    if (event.kind === 'started') return;
    ctx.effects.push({ kind: 'removeContainer', containerId });
    handleOrphanEnded(ctx, containerId);
    return;
  }
  const { framework, executor } = found;
  switch (event.kind) {
    case 'started': {
      const { pid, networks } = event;
      const own = networks === undefined ? {} : { networks };
      putExecutor(ctx, framework, { ...executor, ...own, pid, startedWallMs: ctx.now.wallMs });
      if (executor.state !== 'launching' || executor.kill !== undefined) return;
      setTimer(ctx, { kind: 'registerExecutor', containerId }, ctx.state.options.executorRegistrationTimeoutMs);
      return;
    }
    case 'launchFailed':
      ctx.state.counters.containerLaunchErrors++;
      endCustomExecutor(ctx, framework, executor, { kind: 'unknown' }, launchFailureStatus(executor, event.message));
      return;
    case 'exited':
      endCustomExecutor(ctx, framework, executor, event.status, limitationStatus(event));
      return;
  }
}

/** CUSTOM-EXECUTORS-2. */
export function destroyUnsubscribedExecutor(ctx: Context, containerId: ContainerId): void {
  const found = executorOf(ctx, containerId);
  if (found?.executor.state !== 'launching') return;
  log(ctx, 'warning', `destroying executor ${found.executor.info.executor_id.value}: it did not subscribe in time`);
  destroyExecutor(ctx, found.framework, found.executor, 'notSubscribed');
}

/** Ends an executor without a grace period (RUN-END-2). */
export function destroyExecutor(
  ctx: Context,
  framework: FrameworkRecord,
  executor: ExecutorRecord,
  why: Kill['why'],
): void {
  const killed = { ...executor, kill: executor.kill ?? { why, sinceWallMs: ctx.now.wallMs, graceMs: 0 } };
  putExecutor(ctx, framework, killed);
  cancelTimer(ctx, { kind: 'registerExecutor', containerId: executor.containerId });
  whenDurable(ctx, framework, { kind: 'signal', containerId: executor.containerId, signal: SIGKILL });
}

/** Queues a task or task group for delivery to the executor. */
export function queueLaunch(
  ctx: Context,
  executor: ExecutorRecord,
  taskIds: readonly TaskId[],
  isGroup: boolean,
): void {
  const run = ctx.state.runs.get(executor.containerId);
  if (run === undefined) return;
  const queue = run.queuedLaunches ?? new Map<TaskId, QueuedLaunch>();
  if (run.queuedLaunches === undefined) ctx.state.runs.set(executor.containerId, { ...run, queuedLaunches: queue });
  const launch = { taskIds, isGroup, isDurable: false };
  for (const id of taskIds) {
    // The entry of an earlier task of the id, which has ended, would keep its place.
    queue.delete(id);
    queue.set(id, launch);
  }
}

/** The tasks of a launch whose ids no later launch has. */
const queuedTasks = (queue: ReadonlyMap<TaskId, QueuedLaunch>, launch: QueuedLaunch): readonly TaskId[] =>
  launch.taskIds.filter((id) => queue.get(id) === launch);

/** The queued launch of the task is on disk now. */
export function deliverDurableLaunch(
  ctx: Context,
  frameworkId: FrameworkId,
  executorId: ExecutorId,
  taskId: TaskId,
): void {
  const framework = ctx.state.frameworks.get(frameworkId);
  const executor = framework?.executors.get(executorId);
  const queue = executor && ctx.state.runs.get(executor.containerId)?.queuedLaunches;
  if (framework === undefined || executor === undefined || queue === undefined) return;
  const launch = queue.get(taskId);
  if (launch !== undefined) {
    const durable = { ...launch, isDurable: true };
    for (const id of queuedTasks(queue, launch)) queue.set(id, durable);
  }
  sendQueuedLaunches(ctx, framework, executor);
}

/** CUSTOM-EXECUTORS-1. */
export function sendQueuedLaunches(ctx: Context, framework: FrameworkRecord, executor: ExecutorRecord): void {
  if (!isConnected(ctx, executor) || executor.kill !== undefined) return;
  const run = ctx.state.runs.get(executor.containerId);
  const queue = run?.queuedLaunches;
  const [first] = queue?.values() ?? [];
  if (run === undefined || queue === undefined || first?.isDurable !== true) return;
  // Only what was sent over a stream is sent again (EXECUTOR-CALLS-5); a driver has none.
  const sent = run.connection === undefined ? undefined : (run.sentLaunches ?? new Map<TaskId, QueuedLaunch>());
  ctx.state.runs.set(executor.containerId, { ...run, sentLaunches: sent, hasDeliveredTask: true });
  for (const launch of queue.values()) {
    if (!launch.isDurable) return;
    const taskIds = queuedTasks(queue, launch);
    for (const id of taskIds) {
      queue.delete(id);
      sent?.set(id, launch);
    }
    const event = launchEvent(framework, taskIds, launch.isGroup);
    if (event !== undefined) sendToExecutor(ctx, framework, executor, event);
  }
}

/** EXECUTOR-CALLS-5: queues the launches again that were sent over the stream that a new one replaces, if it is open. */
export function requeueSentLaunches(run: Run, known: ReadonlySet<TaskId>): Run {
  if (run.connection === undefined || run.sentLaunches === undefined) return run;
  const queuedLaunches = new Map([...run.sentLaunches].filter(([id]) => !known.has(id)));
  for (const [id, launch] of run.queuedLaunches ?? []) {
    queuedLaunches.delete(id);
    queuedLaunches.set(id, launch);
  }
  return { ...run, queuedLaunches, sentLaunches: undefined };
}

function launchEvent(
  framework: FrameworkRecord,
  taskIds: readonly TaskId[],
  isGroup: boolean,
): ExecutorEvent | undefined {
  const tasks = taskIds.flatMap((id): readonly TaskInfo[] => {
    const record = framework.tasks.get(id);
    return record === undefined || isTerminal(record.task.state) ? [] : [record.info];
  });
  const [task] = tasks;
  if (task === undefined) return undefined;
  return isGroup
    ? { type: 'LAUNCH_GROUP', launch_group: { task_group: { tasks } } }
    : { type: 'LAUNCH', launch: { task } };
}

/** Kills a task: a queued one with its group here, a delivered one through its executor. */
export function killCustomTask(
  ctx: Context,
  framework: FrameworkRecord,
  executor: ExecutorRecord,
  taskId: TaskId,
  policy: KillPolicy | undefined,
): void {
  if (isEnding(executor)) {
    log(ctx, 'info', `ignored a kill of task ${taskId}: its executor is ending`);
    return;
  }
  const queue = ctx.state.runs.get(executor.containerId)?.queuedLaunches;
  const queued = queue?.get(taskId);
  if (queue !== undefined && queued !== undefined) {
    // The entries stay, so that a second kill is not sent to the executor; ended tasks are not delivered.
    for (const id of queuedTasks(queue, queued)) {
      if (isTerminal(framework.tasks.get(id)?.task.state)) continue;
      const message = queued.isGroup
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
  ctx.state.runs.get(executor.containerId)?.sentLaunches?.delete(taskId);
  const kill = { task_id: { value: taskId }, ...(policy === undefined ? {} : { kill_policy: policy }) };
  if (sendToExecutor(ctx, framework, executor, { type: 'KILL', kill })) return;
  log(ctx, 'warning', `can't kill task ${taskId}: its executor is not connected`);
}

/** Enqueues a status that the agent itself gives to a task of a custom executor. */
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

/** Sends SHUTDOWN to the executor and destroys it when its grace period is over (CUSTOM-EXECUTORS-2). */
export function shutdownCustomExecutor(
  ctx: Context,
  framework: FrameworkRecord,
  executor: ExecutorRecord,
  why: Kill['why'],
): void {
  if (isEnding(executor)) return;
  const { containerId, info } = executor;
  const graceMs = (info.shutdown_grace_period?.nanoseconds ?? ctx.state.options.executorShutdownGraceMs * 1e6) / 1e6;
  const killed: ExecutorRecord = { ...executor, kill: { why, sinceWallMs: ctx.now.wallMs, graceMs } };
  cancelTimer(ctx, { kind: 'registerExecutor', containerId });
  if (executor.state === 'queued') {
    endCustomExecutor(ctx, framework, killed, { kind: 'unknown' });
    return;
  }
  putExecutor(ctx, framework, killed);
  sendToExecutor(ctx, framework, killed, { type: 'SHUTDOWN' });
  setKillTimer(ctx, killed);
}

/** CUSTOM-EXECUTORS-3: the container has ended or was never started. `fields` override the status that its end gives. */
export function endCustomExecutor(
  ctx: Context,
  framework: FrameworkRecord,
  executor: ExecutorRecord,
  status: ExitStatus,
  fields: StatusFields = endStatusOf(framework, executor, status),
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
  stopAwaiting(ctx, containerId);
}

function launchFailureStatus({ kill }: ExecutorRecord, problem: string): StatusFields | undefined {
  if (kill !== undefined) return undefined;
  const message = `Failed to launch container: ${problem}`;
  return { state: 'TASK_FAILED', message, reason: 'REASON_CONTAINER_LAUNCH_FAILED' };
}

function endStatusOf(framework: FrameworkRecord, { kill }: ExecutorRecord, status: ExitStatus): StatusFields {
  if (kill?.why === 'notSubscribed') {
    const message = 'The executor did not subscribe within the registration timeout';
    return { state: 'TASK_FAILED', message, reason: 'REASON_EXECUTOR_REGISTRATION_TIMEOUT' };
  }
  if (kill?.why === 'notResubscribed') {
    return {
      state: taskStateFor(isPartitionAware(framework.info), 'TASK_GONE'),
      message: "The executor did not subscribe again after the agent's restart",
      reason: 'REASON_EXECUTOR_REREGISTRATION_TIMEOUT',
    };
  }
  if (kill?.why === 'preempted') return preemptedStatus(framework.info);
  const message = `Executor terminated: ${exitMessage(status)}`;
  return { state: 'TASK_FAILED', message, reason: 'REASON_EXECUTOR_TERMINATED' };
}

/** Waits for an executor of an earlier process of this agent to subscribe again; a v0 driver is asked to. */
export function awaitExecutor(ctx: Context, framework: FrameworkRecord, executor: ExecutorRecord): void {
  const { containerId, driver } = executor;
  const run = ctx.state.runs.get(containerId);
  const agentId = agentIdOf(ctx.state);
  if (run === undefined || agentId === undefined) return;
  ctx.state.runs.set(containerId, { ...run, hasDeliveredTask: true });
  ctx.state.awaited.add(containerId);
  log(ctx, 'info', `waiting for executor ${executor.info.executor_id.value} of framework ${framework.id}`);
  if (driver === undefined) return;
  send(ctx, driver, { name: 'ReconnectExecutorMessage', body: { agent_id: { value: agentId } } });
}

export function stopAwaiting(ctx: Context, containerId: ContainerId): void {
  if (!ctx.state.awaited.delete(containerId) || ctx.state.awaited.size > 0) return;
  cancelTimer(ctx, { kind: 'executorsBack' });
  startRegistrationIfRecovered(ctx);
}

/** Destroys the executors that have not subscribed again in time (CUSTOM-EXECUTORS-2). */
export function destroyLateExecutors(ctx: Context): void {
  for (const containerId of [...ctx.state.awaited]) {
    const found = executorOf(ctx, containerId);
    if (found !== undefined) destroyExecutor(ctx, found.framework, found.executor, 'notResubscribed');
    stopAwaiting(ctx, containerId);
  }
}
