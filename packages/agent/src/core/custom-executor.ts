// A framework's own executors: what they are given to run, how they end and what then becomes of their tasks.
// Mesos: docs/executor-http-api.md.
//
// CUSTOM-EXECUTORS-1: tasks reach the executor in the order in which they came, each when it is on disk and the executor listens.
// CUSTOM-EXECUTORS-2: an executor that doesn't subscribe in time is destroyed; so is one that doesn't end in time.
// CUSTOM-EXECUTORS-3: when its container is gone every task that has not ended is told as failed, or lost with the agent's restart.
import type { ContainerId, ExecutorId, FrameworkId, TaskId } from '@meseta/base';
import type { ContainerEvent, ExitStatus } from '@meseta/containers/types';
import type { ExecutorEvent, KillPolicy, TaskInfo } from '@meseta/wire';
import { cancelTimer, log, type Step, send, setTimer } from './context.js';
import { isConnected, sendToExecutor } from './executor-channel.js';
import { endExecutor, executorOf, putExecutor, reportExecutorExited } from './executors.js';
import { exitMessage, waitStatusOf } from './exit-status.js';
import type { ExecutorRecord, Kill } from './io.js';
import { joinIfRecovered } from './registration.js';
import { armKill } from './run-end.js';
import { strayEnded } from './sandboxes.js';
import { agentIdOf, type FrameworkRecord, isTerminal, type PendingLaunch, partitionAware, tasksOf } from './state.js';
import { enqueueStatusUpdate, type StatusFields, statusOf } from './status-updates.js';

export function customContainerEvent(step: Step, event: ContainerEvent): void {
  const { containerId } = event;
  const found = executorOf(step, containerId);
  if (found?.executor.kind !== 'custom') {
    if (event.kind === 'started') return;
    step.effects.push({ kind: 'removeContainer', containerId });
    strayEnded(step, containerId);
    return;
  }
  const { framework, executor } = found;
  switch (event.kind) {
    case 'started': {
      const { pid } = event;
      putExecutor(step, framework, { ...executor, pid, startedWallMs: step.now.wallMs });
      if (executor.state !== 'launching' || executor.kill !== undefined) return;
      setTimer(step, { kind: 'registerExecutor', containerId }, step.state.config.executorRegistrationTimeoutMs);
      return;
    }
    case 'launchFailed':
      step.state.counters.containerLaunchErrors++;
      executorGone(step, framework, executor, { kind: 'unknown' }, launchFailure(executor, event.message));
      return;
    case 'exited':
      executorGone(step, framework, executor, event.status);
      return;
  }
}

/** CUSTOM-EXECUTORS-2. */
export function registrationTimedOut(step: Step, containerId: ContainerId): void {
  const found = executorOf(step, containerId);
  if (found?.executor.state !== 'launching') return;
  log(step, 'warning', `executor ${found.executor.info.executor_id.value} did not subscribe in time and is destroyed`);
  destroyExecutor(step, found.framework, found.executor, 'notRegistered');
}

function destroyExecutor(step: Step, framework: FrameworkRecord, executor: ExecutorRecord, why: Kill['why']): void {
  const killed = { ...executor, kill: executor.kill ?? { why, sinceWallMs: step.now.wallMs, graceMs: 0 } };
  putExecutor(step, framework, killed);
  step.effects.push({ kind: 'destroy', containerId: executor.containerId });
}

/** Notes tasks that are on their way to the executor's first or next LAUNCH. */
export function addPending(step: Step, executor: ExecutorRecord, taskIds: readonly TaskId[], group: boolean): void {
  const run = step.state.runs.get(executor.containerId);
  if (run === undefined) return;
  const pending = [...(run.pending ?? []), { taskIds, group, durable: false }];
  step.state.runs.set(executor.containerId, { ...run, pending });
}

/** The tasks that have waited longest for their write are on disk. */
export function pendingDurable(step: Step, frameworkId: FrameworkId, executorId: ExecutorId): void {
  const framework = step.state.frameworks.get(frameworkId);
  const executor = framework?.executors.get(executorId);
  const run = executor && step.state.runs.get(executor.containerId);
  if (framework === undefined || executor === undefined || run?.pending === undefined) return;
  const at = run.pending.findIndex(({ durable }) => !durable);
  const pending = run.pending.map((it, index) => (index === at ? { ...it, durable: true } : it));
  step.state.runs.set(executor.containerId, { ...run, pending });
  sendPending(step, framework, executor);
}

/** CUSTOM-EXECUTORS-1. */
export function sendPending(step: Step, framework: FrameworkRecord, executor: ExecutorRecord): void {
  if (!isConnected(step, executor) || executor.kill !== undefined) return;
  for (;;) {
    const run = step.state.runs.get(executor.containerId);
    const [first, ...rest] = run?.pending ?? [];
    if (run === undefined || first === undefined || !first.durable) return;
    const event = launchEvent(framework, first);
    step.state.runs.set(executor.containerId, { ...run, pending: rest, everSentTask: true });
    if (event !== undefined) sendToExecutor(step, framework, executor, event);
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
  step: Step,
  framework: FrameworkRecord,
  executor: ExecutorRecord,
  taskId: TaskId,
  policy: KillPolicy | undefined,
): void {
  if (executor.kill !== undefined || executor.state === 'ended') {
    log(step, 'info', `task ${taskId} is not ended: its executor ends already`);
    return;
  }
  const run = step.state.runs.get(executor.containerId);
  const waiting = run?.pending?.find(({ taskIds }) => taskIds.includes(taskId));
  if (run !== undefined && waiting !== undefined) {
    // The entry stays, as its write is still to be answered; of ended tasks nothing is sent.
    for (const id of waiting.taskIds) {
      if (isTerminal(framework.tasks.get(id)?.task.state)) continue;
      const message = waiting.group
        ? 'A task of its group was killed before it was launched'
        : 'Killed before the task was launched';
      enqueueTaskStatus(step, framework, executor, id, {
        state: 'TASK_KILLED',
        message,
        reason: 'REASON_TASK_KILLED_DURING_LAUNCH',
      });
    }
    return;
  }
  const kill = { task_id: { value: taskId }, ...(policy === undefined ? {} : { kill_policy: policy }) };
  if (sendToExecutor(step, framework, executor, { type: 'KILL', kill })) return;
  log(step, 'warning', `task ${taskId} can't be ended: its executor is not connected`);
}

/** A status that the agent gives to a task of a custom executor. */
export function enqueueTaskStatus(
  step: Step,
  framework: FrameworkRecord,
  executor: ExecutorRecord,
  taskId: TaskId,
  fields: StatusFields,
): void {
  const status = statusOf(step, taskId, {
    source: 'SOURCE_AGENT',
    executor_id: executor.info.executor_id,
    ...fields,
  });
  enqueueStatusUpdate(step, framework, taskId, status);
}

/** Asks the executor to end; it is destroyed when its grace period is over (CUSTOM-EXECUTORS-2). */
export function shutdownCustom(
  step: Step,
  framework: FrameworkRecord,
  executor: ExecutorRecord,
  why: Kill['why'],
): void {
  if (executor.kill !== undefined || executor.state === 'ended') return;
  const { containerId, info } = executor;
  const graceMs = (info.shutdown_grace_period?.nanoseconds ?? step.state.config.executorShutdownGraceMs * 1e6) / 1e6;
  const killed: ExecutorRecord = { ...executor, kill: { why, sinceWallMs: step.now.wallMs, graceMs } };
  cancelTimer(step, { kind: 'registerExecutor', containerId });
  if (executor.state === 'queued') {
    executorGone(step, framework, killed, { kind: 'unknown' });
    return;
  }
  putExecutor(step, framework, killed);
  sendToExecutor(step, framework, killed, { type: 'SHUTDOWN' });
  armKill(step, killed);
}

/** CUSTOM-EXECUTORS-3: the container has ended, or was never there. `fields`: what its tasks are told, if not by how it ended. */
export function executorGone(
  step: Step,
  framework: FrameworkRecord,
  executor: ExecutorRecord,
  status: ExitStatus,
  fields: StatusFields = outcomeOf(framework, executor, status),
): void {
  const { containerId, info } = executor;
  const connection = step.state.runs.get(containerId)?.connection;
  if (connection !== undefined) step.effects.push({ kind: 'closeStream', connection });
  reportExecutorExited(step, framework, executor, waitStatusOf(status));
  for (const record of [...tasksOf(framework, info.executor_id.value as ExecutorId)]) {
    if (isTerminal(record.task.state)) continue;
    enqueueTaskStatus(step, framework, executor, record.info.task_id.value as TaskId, fields);
  }
  endExecutor(step, framework, executor);
  awaitNoLonger(step, containerId);
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
      state: partitionAware(framework.info) ? 'TASK_GONE' : 'TASK_LOST',
      message: "The executor did not subscribe again after the agent's restart",
      reason: 'REASON_EXECUTOR_REREGISTRATION_TIMEOUT',
    };
  }
  const message = `Executor terminated: ${exitMessage(status)}`;
  return { state: 'TASK_FAILED', message, reason: 'REASON_EXECUTOR_TERMINATED' };
}

/** An executor of an earlier process of this agent: it will subscribe again, or is asked to. */
export function awaitExecutor(step: Step, framework: FrameworkRecord, executor: ExecutorRecord): void {
  const { containerId, driver } = executor;
  const run = step.state.runs.get(containerId);
  const agentId = agentIdOf(step.state);
  if (run === undefined || agentId === undefined) return;
  step.state.runs.set(containerId, { ...run, everSentTask: true });
  step.state.awaited.add(containerId);
  log(step, 'info', `waiting for executor ${executor.info.executor_id.value} of framework ${framework.id}`);
  if (driver === undefined) return;
  send(step, driver, { name: 'ReconnectExecutorMessage', body: { agent_id: { value: agentId } } });
}

export function awaitNoLonger(step: Step, containerId: ContainerId): void {
  if (!step.state.awaited.delete(containerId) || step.state.awaited.size > 0) return;
  cancelTimer(step, { kind: 'executorsBack' });
  joinIfRecovered(step);
}

/** Executors that are not back by now won't be waited for (CUSTOM-EXECUTORS-2). */
export function executorsLate(step: Step): void {
  for (const containerId of [...step.state.awaited]) {
    const found = executorOf(step, containerId);
    if (found !== undefined) destroyExecutor(step, found.framework, found.executor, 'notBack');
    awaitNoLonger(step, containerId);
  }
}
