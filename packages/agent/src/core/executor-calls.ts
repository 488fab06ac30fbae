// The calls of the executor API and their replies.
// Mesos: docs/executor-http-api.md.
//
// EXECUTOR-CALLS-1: an update is forwarded once and acknowledged to the executor each time it arrives; for a checkpointing
//     framework, once it is on disk.
// EXECUTOR-CALLS-2: an executor has one stream; a new SUBSCRIBE replaces it.
// EXECUTOR-CALLS-3: after a restart of the agent, a task that was not delivered to its executor is dropped.
// EXECUTOR-CALLS-4: an update by an executor that the task does not belong to is ignored and counted.
// EXECUTOR-CALLS-5: a SUBSCRIBE may arrive after a later one. If it replaces an open stream, tasks sent over that one are
//     delivered again instead of dropped: the executor either receives them now for the first time, or subscribes again.
// EXECUTOR-CALLS-6: an update that arrives after its executor has ended is ignored and counted: the agent has reported the
//     end of every task of the executor, and may have forgotten the task.

import { type ContainerId, type ExecutorId, type FrameworkId, LIMITS, type Pid, type TaskId } from '@meseta/base';
import { cancelTimer, setTimer } from '@meseta/base/core/timers';
import type {
  ContainerStatus,
  ExecutorCall,
  ExecutorCallSubscribe,
  FrameworkToExecutorMessage,
  TaskStatus,
} from '@meseta/wire';
import { isTerminal, taskStateFor } from '@meseta/wire/task-states';
import { whenDurable } from './checkpoint.js';
import { type Context, log, send, sendToMaster } from './context.js';
import {
  enqueueTaskStatus,
  requeueSentLaunches,
  sendQueuedLaunches,
  shutdownCustomExecutor,
  stopAwaiting,
} from './custom-executor.js';
import { isConnected, sendToExecutor } from './executor-channel.js';
import { updateExecutorContainer } from './executor-launch.js';
import { executorOf, isEnding, isRetired, putExecutor } from './executors.js';
import type { ConnectionId, ExecutorRecord } from './io.js';
import { drainExecutor } from './kill.js';
import { containerStatus, drained } from './run-reports.js';
import { agentIdOf, type FrameworkRecord, isPartitionAware, tasksOf } from './state.js';
import { enqueueStatusUpdate, findExcessUpdate, statusOf } from './status-updates.js';

/** Mesos' interval. */
const HEARTBEAT_MS = 30 * 60_000;

/** The number of an executor's newest updates whose uuids are remembered, for each task. */
const MAX_RECEIVED = 100;

/**
 * The uuids of a task's updates that the executor may send again: those that it listed in its last SUBSCRIBE, which it
 * lists again until it receives their acknowledgements, and the newest of the others. It may list as many as it likes, but
 * no more of them are remembered than may wait for acknowledgement.
 */
export function rememberUpdate(
  received: readonly string[],
  uuid: string,
  listed: ReadonlySet<string> | undefined,
): readonly string[] {
  const firstKept = received.length + 1 - MAX_RECEIVED;
  const kept = received.filter((known, index) => index >= firstKept || listed?.has(known) === true);
  return [...kept.slice(-(MAX_RECEIVED + LIMITS.waitingUpdates.most - 1)), uuid];
}

export function handleExecutorCall(
  ctx: Context,
  connection: ConnectionId,
  call: ExecutorCall,
  claims: Readonly<Record<string, string>> | undefined,
): void {
  const reply = (status: 202 | 400 | 403, text: string): void => {
    ctx.effects.push({ kind: 'reply', connection, status, text });
  };
  if (call.type === 'HEARTBEAT') {
    reply(202, '');
    return;
  }
  const framework = ctx.state.frameworks.get(call.framework_id.value as FrameworkId);
  const executor = framework?.executors.get(call.executor_id.value as ExecutorId);
  if (framework === undefined || executor?.kind !== 'custom') {
    const [field, id] =
      framework === undefined ? ['framework_id', call.framework_id.value] : ['executor_id', call.executor_id.value];
    reply(400, `Field '${field}': ${JSON.stringify(id)} is not known on this agent`);
    return;
  }
  const wrong = claims && findWrongClaim(claims, executor);
  if (wrong !== undefined) {
    reply(403, `The token's claim '${wrong}' is not that of executor ${call.executor_id.value}`);
    return;
  }
  if (call.type === 'SUBSCRIBE') {
    ctx.effects.push({ kind: 'openStream', connection });
    if (isEnding(executor)) {
      ctx.effects.push({ kind: 'executorEvent', connection, event: { type: 'SHUTDOWN' } });
      ctx.effects.push({ kind: 'closeStream', connection });
    } else subscribeStream(ctx, framework, executor, connection, call.subscribe ?? {});
    return;
  }
  if (executor.state === 'queued' || executor.state === 'launching') {
    reply(403, `Field 'executor_id': executor ${call.executor_id.value} is not subscribed`);
    return;
  }
  reply(202, '');
  if (call.type === 'UPDATE' && call.update !== undefined) executorUpdate(ctx, framework, executor, call.update.status);
  if (call.type === 'MESSAGE' && call.message !== undefined) {
    forwardToFramework(ctx, framework, executor, call.message.data);
  }
}

/** The first claim of a token that differs from the executor's framework, executor or container id. */
const findWrongClaim = (
  { fid, eid, cid }: Readonly<Record<string, string>>,
  { frameworkId, info, containerId }: ExecutorRecord,
): string | undefined => {
  if (fid !== frameworkId) return 'fid';
  if (eid !== info.executor_id.value) return 'eid';
  return cid === containerId ? undefined : 'cid';
};

function subscribeStream(
  ctx: Context,
  framework: FrameworkRecord,
  executor: ExecutorRecord,
  connection: ConnectionId,
  subscribe: ExecutorCallSubscribe,
): void {
  const { containerId } = executor;
  const run = ctx.state.runs.get(containerId);
  if (run === undefined) return;
  const known = subscribe.unacknowledged_tasks?.map(({ task_id }) => task_id.value as TaskId) ?? [];
  // EXECUTOR-CALLS-2.
  if (run.connection !== undefined) ctx.effects.push({ kind: 'closeStream', connection: run.connection });
  ctx.state.runs.set(containerId, { ...requeueSentLaunches(run, new Set(known)), connection });
  setTimer(ctx, { kind: 'executorHeartbeat', containerId }, HEARTBEAT_MS);
  const { driver: _driver, ...http } = executor;
  completeSubscription(ctx, framework, http, {
    taskIds: known,
    updates: subscribe.unacknowledged_updates?.map(({ status }) => status) ?? [],
  });
}

/** What an executor reports when it subscribes or registers. */
export interface Unacknowledged {
  readonly taskIds: readonly TaskId[];
  readonly updates: readonly TaskStatus[];
}

/** Completes a subscription or registration: sends SUBSCRIBED and the tasks that are queued. */
export function completeSubscription(
  ctx: Context,
  framework: FrameworkRecord,
  executor: ExecutorRecord,
  unacknowledged: Unacknowledged,
): void {
  const { containerId, info } = executor;
  const running: ExecutorRecord = { ...executor, state: 'running' };
  cancelTimer(ctx, { kind: 'registerExecutor', containerId });
  putExecutor(ctx, framework, running);
  log(ctx, 'info', `executor ${info.executor_id.value} of framework ${framework.id} has subscribed`);
  listUpdates(ctx, containerId, unacknowledged.updates);
  for (const status of unacknowledged.updates) executorUpdate(ctx, framework, running, status);
  dropUndelivered(ctx, framework, running, unacknowledged.taskIds);
  if (hasNothingToDo(ctx, framework, running)) {
    log(ctx, 'info', `shutting down executor ${info.executor_id.value}: its tasks were killed before their delivery`);
    shutdownCustomExecutor(ctx, framework, running, 'shutdown');
    return;
  }
  sendToExecutor(ctx, framework, running, {
    type: 'SUBSCRIBED',
    subscribed: {
      executor_info: info,
      framework_info: framework.info,
      agent_info: agentInfoFor(ctx),
      container_id: { value: containerId },
    },
  });
  sendQueuedLaunches(ctx, framework, running);
  drainExecutor(ctx, framework, running);
  stopAwaiting(ctx, containerId);
}

function listUpdates(ctx: Context, containerId: ContainerId, updates: readonly TaskStatus[]): void {
  const run = ctx.state.runs.get(containerId);
  if (run === undefined) return;
  const listedUpdates = new Set(updates.flatMap(({ uuid }) => uuid ?? []));
  ctx.state.runs.set(containerId, { ...run, listedUpdates });
}

/** AgentInfo of the v1 API has no `checkpoint`. */
function agentInfoFor({ state }: Context) {
  const { checkpoint: _checkpoint, ...shown } = state.info;
  return { ...shown, resources: state.total };
}

/** EXECUTOR-CALLS-3. */
function dropUndelivered(
  ctx: Context,
  framework: FrameworkRecord,
  executor: ExecutorRecord,
  known: readonly TaskId[],
): void {
  const queue = ctx.state.runs.get(executor.containerId)?.queuedLaunches;
  const listed = new Set(known);
  for (const { info, task } of [...tasksOf(framework, executor.info.executor_id.value as ExecutorId)]) {
    const taskId = info.task_id.value as TaskId;
    if (task.state !== 'TASK_STAGING' || queue?.has(taskId) === true || listed.has(taskId)) continue;
    enqueueTaskStatus(ctx, framework, executor, taskId, {
      state: taskStateFor(isPartitionAware(framework.info), 'TASK_DROPPED'),
      message: 'The executor did not get the task before the agent was restarted or the connection broke',
      reason: 'REASON_AGENT_RESTARTED',
    });
  }
}

function hasNothingToDo(ctx: Context, framework: FrameworkRecord, { containerId }: ExecutorRecord): boolean {
  const run = ctx.state.runs.get(containerId);
  if (run?.hasDeliveredTask === true) return false;
  const alive = (id: TaskId): boolean => framework.tasks.has(id) && !isTerminal(framework.tasks.get(id)?.task.state);
  for (const id of run?.queuedLaunches?.keys() ?? []) if (alive(id)) return false;
  return true;
}

/** EXECUTOR-CALLS-1, EXECUTOR-CALLS-4: handles an update of an executor. One of an unknown task is forwarded. */
export function executorUpdate(
  ctx: Context,
  framework: FrameworkRecord,
  executor: ExecutorRecord,
  status: TaskStatus,
): void {
  const taskId = status.task_id.value as TaskId;
  const { uuid = '' } = status;
  if (framework.state === 'terminating') {
    ctx.state.counters.invalidStatusUpdates++;
    return;
  }
  if (executor.state === 'ended') {
    ctx.state.counters.invalidStatusUpdates++;
    log(ctx, 'info', `ignored an update of executor ${executor.info.executor_id.value}, which has ended`);
    return;
  }
  if (status.state === 'TASK_STAGING') {
    log(ctx, 'warning', `shutting down executor ${executor.info.executor_id.value}: it reported TASK_STAGING`);
    shutdownCustomExecutor(ctx, framework, executor, 'shutdown');
    return;
  }
  ctx.state.runs.get(executor.containerId)?.sentLaunches?.delete(taskId);
  const record = framework.tasks.get(taskId);
  if (record !== undefined && record.executorId !== executor.info.executor_id.value) {
    ctx.state.counters.invalidStatusUpdates++;
    const name = executor.info.executor_id.value;
    log(ctx, 'warning', `ignored an update of executor ${name} for task ${taskId}, which belongs to another executor`);
    return;
  }
  const repeated =
    record?.received?.includes(uuid) === true ||
    isRetired(framework, executor.info.executor_id.value as ExecutorId, taskId, uuid) ||
    framework.streams.get(taskId)?.updates.some((update) => update.uuid === uuid) === true;
  const hasEnded = record !== undefined && isTerminal(record.task.state) && isTerminal(status.state);
  const isNew = !repeated && !hasEnded;
  const excess =
    isNew && !(record !== undefined && isTerminal(status.state)) ? findExcessUpdate(framework, taskId) : undefined;
  if (excess !== undefined) {
    ctx.state.counters.invalidStatusUpdates++;
    log(ctx, 'warning', `ignored an update of executor ${executor.info.executor_id.value}: ${excess}`);
    return;
  }
  if (isNew) {
    if (record !== undefined) {
      const listed = ctx.state.runs.get(executor.containerId)?.listedUpdates;
      framework.tasks.set(taskId, { ...record, received: rememberUpdate(record.received ?? [], uuid, listed) });
    }
    enqueueStatusUpdate(
      ctx,
      framework,
      taskId,
      drained(ctx, framework, ctx.state.drain !== undefined, completeStatus(ctx, executor, status)),
    );
    if (record !== undefined && isTerminal(status.state)) updateExecutorContainer(ctx, framework, executor);
  } else ctx.state.counters.validStatusUpdates++;
  whenDurable(ctx, framework, { kind: 'acknowledgeExecutor', containerId: executor.containerId, taskId, uuid });
}

/** The executor's status with the fields that the agent fills in. */
function completeStatus(ctx: Context, executor: ExecutorRecord, status: TaskStatus): TaskStatus {
  const own = containerStatus(ctx, executor);
  const given: ContainerStatus = status.container_status ?? {};
  const filled = statusOf(ctx, status.task_id.value as TaskId, {
    ...status,
    container_status: {
      network_infos: given.network_infos ?? own.network_infos,
      ...(given.cgroup_info === undefined ? {} : { cgroup_info: given.cgroup_info }),
      ...(own.executor_pid === undefined ? {} : { executor_pid: own.executor_pid }),
      container_id: given.container_id ?? own.container_id,
    },
  });
  return { ...filled, timestamp: status.timestamp ?? filled.timestamp, uuid: status.uuid ?? filled.uuid };
}

export function acknowledgeExecutor(ctx: Context, containerId: ContainerId, taskId: TaskId, uuid: string): void {
  const found = executorOf(ctx, containerId);
  if (found === undefined) return;
  const acknowledged = { task_id: { value: taskId }, uuid };
  sendToExecutor(ctx, found.framework, found.executor, { type: 'ACKNOWLEDGED', acknowledged });
}

/** Forwards a message of an executor to its scheduler: to its v0 driver directly, else through the master. Sent once. */
export function forwardToFramework(
  ctx: Context,
  framework: FrameworkRecord,
  executor: ExecutorRecord,
  data: string,
): void {
  const agentId = agentIdOf(ctx.state);
  if (agentId === undefined || framework.state === 'terminating') return;
  const body = {
    agent_id: { value: agentId },
    framework_id: { value: framework.id },
    executor_id: executor.info.executor_id,
    data,
  };
  if (framework.pid === undefined) sendToMaster(ctx, { name: 'ExecutorToFrameworkMessage', body });
  else send(ctx, framework.pid as Pid, { name: 'ExecutorToFrameworkMessage', body });
}

/** Forwards a message of a scheduler to its executor; it is dropped if the executor is not connected. */
export function forwardToExecutor(ctx: Context, message: FrameworkToExecutorMessage): void {
  const framework = ctx.state.frameworks.get(message.framework_id.value as FrameworkId);
  const executor = framework?.executors.get(message.executor_id.value as ExecutorId);
  const { counters } = ctx.state;
  if (framework === undefined || executor === undefined || !isConnected(ctx, executor) || executor.kill !== undefined) {
    counters.invalidFrameworkMessages++;
    log(ctx, 'warning', `dropped a message to executor ${message.executor_id.value}: it is not connected`);
    return;
  }
  counters.validFrameworkMessages++;
  sendToExecutor(ctx, framework, executor, { type: 'MESSAGE', message: { data: message.data } });
}

/** The executor may subscribe again; nothing ends until then. */
export function handleStreamClosed(ctx: Context, connection: ConnectionId): void {
  for (const [containerId, run] of ctx.state.runs) {
    if (run.connection !== connection) continue;
    ctx.state.runs.set(containerId, { ...run, connection: undefined, sentLaunches: undefined });
    cancelTimer(ctx, { kind: 'executorHeartbeat', containerId });
    log(ctx, 'info', `executor ${run.executorId} of framework ${run.frameworkId} has disconnected`);
    return;
  }
}

export function sendHeartbeat(ctx: Context, containerId: ContainerId): void {
  const found = executorOf(ctx, containerId);
  if (found === undefined || !isConnected(ctx, found.executor)) return;
  setTimer(ctx, { kind: 'executorHeartbeat', containerId }, HEARTBEAT_MS);
  sendToExecutor(ctx, found.framework, found.executor, { type: 'HEARTBEAT' });
}
