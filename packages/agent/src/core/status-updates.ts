// Status updates on their way to the scheduler: a stream a task, in order, until acknowledged.
// Mesos: docs/high-availability-framework-guide.md.
//
// Owns `FrameworkRecord.streams`.
// STATUS-UPDATES-1: only the first update of a stream is in flight; the next goes out when it is acknowledged.
// STATUS-UPDATES-2: an update of a checkpointing framework is sent only when it is on disk.
// STATUS-UPDATES-3: it is sent again after 10 s, 20 s, 40 s ... 10 min. What waited for a master goes out at once when
//     the agent has (re-)registered, and what is in flight to that master by then is not sent twice.
// STATUS-UPDATES-4: without a master nothing is sent.
// STATUS-UPDATES-5: the acknowledgement of a terminal update closes the stream, whatever was queued behind it.
// STATUS-UPDATES-6: while a framework is being shut down nothing is told of its tasks, but that one was refused: once, as
//     maybe nobody is left to acknowledge. A master that took over and lacks the shutdown waits for it.

import type { FrameworkId, TaskId } from '@meseta/base';
import { cancelTimer, hasTimer, setTimer } from '@meseta/base/core/timers';
import type { StatusUpdate, StatusUpdateAcknowledgementMessage, TaskState, TaskStatus } from '@meseta/wire';
import { isTerminal } from '@meseta/wire/task-states';
import { afterCommit, save, saveChange } from './checkpoint.js';
import { taskProgress, updateOf } from './checkpoint-records.js';
import { type Context, log, sendToMaster } from './context.js';
import { taskKey, taskProgressKey } from './disk-layout.js';
import { retireTask, settle } from './executors.js';
import type { TaskRecord } from './io.js';
import { checkpoints, type FrameworkRecord, type UpdateStream } from './state.js';
import { uuidBytes } from './uuid.js';

const FIRST_RETRY_MS = 10_000;
const LAST_RETRY_MS = 600_000;

/** What a new status says; the rest is filled in. */
export type StatusFields = Pick<TaskStatus, 'state'> & Partial<TaskStatus>;

/**
 * Makes known a new status of a task: the task's record shows it at once, the scheduler is told until it acknowledges.
 * `status` lacks only what every status has: ids, timestamp and uuid.
 */
export function enqueueStatusUpdate(
  ctx: Context,
  framework: FrameworkRecord,
  taskId: TaskId,
  status: TaskStatus,
): void {
  const { state } = ctx;
  const record = framework.tasks.get(taskId);
  if (record !== undefined) {
    const { task } = record;
    const statuses = task.statuses ?? [];
    // One entry for each run of equal states.
    const earlier = statuses.at(-1)?.state === status.state ? statuses.slice(0, -1) : statuses;
    const told = {
      state: isTerminal(task.state) ? task.state : status.state,
      statuses: [...earlier, withoutData(status)],
    };
    framework.tasks.set(taskId, Object.assign({}, record, { task: Object.assign({}, task, told) }));
    // Tasks that were refused are none of this agent's.
    if (isTerminal(status.state)) countTerminal(ctx, status);
  }
  const update = updateOf(framework.id, status);
  if (framework.state === 'terminating') {
    // STATUS-UPDATES-6.
    if (record === undefined) sendUpdate(ctx, update, status.state);
    return;
  }
  state.counters.validStatusUpdates++;
  const stream = framework.streams.get(taskId) ?? {
    frameworkId: framework.id,
    taskId,
    updates: [],
    durable: 0,
    retryMs: FIRST_RETRY_MS,
  };
  framework.streams.set(taskId, changed(stream, { updates: [...stream.updates, update] }));
  saveTask(ctx, framework, taskId);
  if (checkpoints(framework)) afterCommit(ctx, { kind: 'forward', frameworkId: framework.id, taskId });
  else forward(ctx, framework.id, taskId);
}

function withoutData(status: TaskStatus): TaskStatus {
  if (status.data === undefined) return status;
  const { data: _data, ...shown } = status;
  return shown;
}

/** Not by spreading: in hot code that gives each record a hidden class of its own. */
const changed = (stream: UpdateStream, changes: Partial<UpdateStream>): UpdateStream =>
  Object.assign({}, stream, changes);

/** A whole status from what is particular to it. The fields are in the order of their numbers. */
export function statusOf(ctx: Context, taskId: TaskId, fields: StatusFields): TaskStatus {
  const { state, data, message, executor_id, healthy, source, reason } = fields;
  const { labels, container_status, check_status, limitation } = fields;
  const agentId = ctx.state.info.id;
  return {
    task_id: { value: taskId },
    state,
    ...(data === undefined ? {} : { data }),
    ...(message === undefined ? {} : { message }),
    ...(agentId === undefined ? {} : { agent_id: agentId }),
    timestamp: ctx.now.wallMs / 1000,
    ...(executor_id === undefined ? {} : { executor_id }),
    ...(healthy === undefined ? {} : { healthy }),
    ...(source === undefined ? {} : { source }),
    ...(reason === undefined ? {} : { reason }),
    uuid: uuidBytes(ctx.state.random),
    ...(labels === undefined ? {} : { labels }),
    ...(container_status === undefined ? {} : { container_status }),
    ...(check_status === undefined ? {} : { check_status }),
    ...(limitation === undefined ? {} : { limitation }),
  };
}

function countTerminal(ctx: Context, status: TaskStatus): void {
  const name = status.state.slice('TASK_'.length).toLowerCase();
  const { tasks } = ctx.state.counters;
  tasks.set(name, (tasks.get(name) ?? 0) + 1);
}

/** One more update of the stream is durable (STATUS-UPDATES-2). */
export function forward(ctx: Context, frameworkId: FrameworkId, taskId: TaskId): void {
  const framework = ctx.state.frameworks.get(frameworkId);
  const stream = framework?.streams.get(taskId);
  if (framework === undefined || stream === undefined) return;
  const next = changed(stream, { durable: Math.min(stream.durable + 1, stream.updates.length) });
  framework.streams.set(taskId, next);
  if (!hasTimer(ctx, resendTimer(next))) sendHead(ctx, framework, next);
}

function sendUpdate(ctx: Context, update: StatusUpdate, latest: TaskState): void {
  const body = { update: { ...update, latest_state: latest }, pid: ctx.state.config.pid };
  sendToMaster(ctx, { name: 'StatusUpdateMessage', body });
}

/** Sends the first update, if it may be sent, and arranges for its repetition (STATUS-UPDATES-1, STATUS-UPDATES-3, STATUS-UPDATES-4). */
function sendHead(ctx: Context, framework: FrameworkRecord, stream: UpdateStream): void {
  const head = stream.updates[0];
  if (head === undefined || stream.durable === 0 || !ctx.state.registration.registered) return;
  const record = framework.tasks.get(stream.taskId);
  if (record !== undefined) {
    const sent = { status_update_state: head.status.state, status_update_uuid: head.uuid };
    framework.tasks.set(stream.taskId, Object.assign({}, record, { task: Object.assign({}, record.task, sent) }));
  }
  sendUpdate(ctx, head, record?.task.state ?? head.status.state);
  setTimer(ctx, resendTimer(stream), stream.retryMs);
  framework.streams.set(stream.taskId, changed(stream, { retryMs: Math.min(stream.retryMs * 2, LAST_RETRY_MS) }));
}

export function resend(ctx: Context, frameworkId: FrameworkId, taskId: TaskId): void {
  const framework = ctx.state.frameworks.get(frameworkId);
  const stream = framework?.streams.get(taskId);
  if (framework !== undefined && stream !== undefined) sendHead(ctx, framework, stream);
}

/** The first update of every stream, at once and with the first pause again: its framework may have missed it. */
export function resendAll(ctx: Context): void {
  for (const framework of ctx.state.frameworks.values()) {
    for (const stream of framework.streams.values())
      sendHead(ctx, framework, changed(stream, { retryMs: FIRST_RETRY_MS }));
  }
}

/** No stream has an update in flight any more (STATUS-UPDATES-4). */
export function pauseAll(ctx: Context): void {
  for (const framework of ctx.state.frameworks.values()) {
    for (const stream of framework.streams.values()) cancelTimer(ctx, resendTimer(stream));
  }
}

/** The agent has (re-)registered: the first update of each stream that has none in flight (STATUS-UPDATES-3). */
export function resumeAll(ctx: Context): void {
  for (const framework of ctx.state.frameworks.values()) {
    for (const stream of framework.streams.values()) {
      if (!hasTimer(ctx, resendTimer(stream))) sendHead(ctx, framework, changed(stream, { retryMs: FIRST_RETRY_MS }));
    }
  }
}

export function acknowledge(ctx: Context, message: StatusUpdateAcknowledgementMessage): void {
  const framework = ctx.state.frameworks.get(message.framework_id.value as FrameworkId);
  const taskId = message.task_id.value as TaskId;
  const stream = framework?.streams.get(taskId);
  const head = stream?.updates[0];
  if (framework === undefined || stream === undefined || head?.uuid !== message.uuid || stream.durable === 0) {
    log(ctx, 'info', `acknowledgement of task ${taskId} is for no update that waits for one`);
    return;
  }
  cancelTimer(ctx, resendTimer(stream));
  if (isTerminal(head.status.state)) {
    framework.streams.delete(taskId);
    saveTask(ctx, framework, taskId);
    const record = framework.tasks.get(taskId);
    if (record !== undefined) retireTask(ctx, framework, record);
    settle(ctx, framework.id, record?.executorId);
    return;
  }
  const rest = { updates: stream.updates.slice(1), durable: stream.durable - 1, retryMs: FIRST_RETRY_MS };
  const next = changed(stream, rest);
  if (next.updates.length === 0) framework.streams.delete(taskId);
  else framework.streams.set(taskId, next);
  saveTask(ctx, framework, taskId);
  if (next.updates.length > 0) sendHead(ctx, framework, next);
}

/** Drops what a framework that is gone would have been told. */
export function closeStreams(ctx: Context, framework: FrameworkRecord): void {
  for (const stream of framework.streams.values()) cancelTimer(ctx, resendTimer(stream));
  framework.streams.clear();
}

/** A new task, on disk too. */
export function addTask(ctx: Context, framework: FrameworkRecord, record: TaskRecord): void {
  const taskId = record.info.task_id.value as TaskId;
  framework.tasks.set(taskId, record);
  if (!checkpoints(framework)) return;
  // What became of an earlier task of this id, which its executor may still tell (EXECUTORS-4), is not of this one.
  for (const retired of framework.retired.values()) {
    if (retired.some(({ info }) => info.task_id.value === taskId)) {
      save(ctx, taskProgressKey(framework.id, taskId), undefined);
    }
  }
  save(ctx, taskKey(framework.id, taskId), { kind: 'task', frameworkId: framework.id, record });
}

/** Writes what has become of a task; a dropped launch has updates but no record, and isn't written. */
function saveTask(ctx: Context, framework: FrameworkRecord, taskId: TaskId): void {
  if (!checkpoints(framework)) return;
  const record = framework.tasks.get(taskId);
  if (record === undefined) return;
  const updates = framework.streams.get(taskId)?.updates ?? [];
  saveChange(ctx, taskProgress(framework.id, record, updates));
}

const resendTimer = ({ frameworkId, taskId }: UpdateStream) => ({ kind: 'resend', frameworkId, taskId }) as const;
