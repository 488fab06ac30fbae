// Status updates and their delivery: each task has a stream, whose updates are sent in order until they are acknowledged.
// Mesos: docs/high-availability-framework-guide.md.
//
// Owns `FrameworkRecord.streams`.
// STATUS-UPDATES-1: only the first update of a stream is in flight; the next one is sent when it is acknowledged.
// STATUS-UPDATES-2: an update of a checkpointing framework is sent only when it is on disk.
// STATUS-UPDATES-3: an update is sent again after 10 s, 20 s, 40 s ... 10 min. Upon a registration the first updates are sent
//     at once, except those that were sent to the same master since the registration started.
// STATUS-UPDATES-4: without a master nothing is sent.
// STATUS-UPDATES-5: the acknowledgement of a terminal update closes the stream with the updates behind it.
// STATUS-UPDATES-6: of a framework that is being shut down no update is sent but the refusal of a task, once, because no
//     scheduler may be left to acknowledge it. A master that took over and does not know of the shutdown waits for it.
// STATUS-UPDATES-7: the updates of a task that wait for acknowledgement, and the unknown tasks with such updates, are
//     limited. A terminal update of a known task is never dropped.

import { type FrameworkId, LIMITS, overLimit, type TaskId } from '@meseta/base';
import { cancelTimer, hasTimer, setTimer } from '@meseta/base/core/timers';
import type { StatusUpdate, StatusUpdateAcknowledgementMessage, TaskState, TaskStatus } from '@meseta/wire';
import { isTerminal } from '@meseta/wire/task-states';
import { randomUuidBytes } from '@meseta/wire/uuid';
import { afterCommit, save, saveChange } from './checkpoint.js';
import { taskProgress, updateOf, waitingStatus } from './checkpoint-records.js';
import { type Context, log, sendToMaster } from './context.js';
import { taskKey, taskProgressKey, waitingStatusKey } from './disk-layout.js';
import { releaseIfDone, retireTask } from './executors.js';
import type { TaskRecord } from './io.js';
import { checkpoints, type FrameworkRecord, type UpdateStream } from './state.js';

const FIRST_RETRY_MS = 10_000;
const LAST_RETRY_MS = 600_000;

/** The fields of a new status that `statusOf` completes. */
export type StatusFields = Pick<TaskStatus, 'state'> & Partial<TaskStatus>;

/**
 * Adds a status to the task's record and enqueues its update, which is sent to the scheduler until it is acknowledged.
 * `status` is complete (`statusOf`).
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
    // Of consecutive statuses with the same state only the last one is kept.
    const earlier = statuses.at(-1)?.state === status.state ? statuses.slice(0, -1) : statuses;
    const latest = {
      state: isTerminal(task.state) ? task.state : status.state,
      statuses: [...earlier, withoutData(status)].slice(-LIMITS.statuses.most),
    };
    framework.tasks.set(taskId, Object.assign({}, record, { task: Object.assign({}, task, latest) }));
    // A refused task has no record and is not counted.
    if (isTerminal(status.state)) countTerminal(ctx, status);
  }
  const update = updateOf(framework.id, status);
  if (framework.state === 'terminating') {
    // STATUS-UPDATES-6.
    if (record === undefined) sendUpdate(ctx, update, status.state);
    return;
  }
  state.counters.validStatusUpdates++;
  // STATUS-UPDATES-7.
  const excess = isTerminal(status.state) ? undefined : findExcessUpdate(framework, taskId);
  if (excess === undefined) addUpdate(ctx, framework, taskId, update);
  else log(ctx, 'warning', `dropped an update: ${excess}`);
  saveProgress(ctx, framework, taskId);
  if (checkpoints(framework)) afterCommit(ctx, { kind: 'forward', frameworkId: framework.id, taskId });
  else forward(ctx, framework.id, taskId);
}

/** Adds an update to the stream of its task, in the checkpoint too. */
function addUpdate(ctx: Context, framework: FrameworkRecord, taskId: TaskId, update: StatusUpdate): void {
  const stream = framework.streams.get(taskId) ?? {
    frameworkId: framework.id,
    taskId,
    updates: [],
    firstNumber: 0,
    durableCount: 0,
    retryMs: FIRST_RETRY_MS,
  };
  framework.streams.set(taskId, changed(stream, { updates: [...stream.updates, update] }));
  if (!isSaved(framework, taskId)) return;
  saveChange(ctx, waitingStatus(framework.id, taskId, stream.firstNumber + stream.updates.length, update.status));
}

/** The stream of an earlier process, all of whose updates are on disk. */
export const restoredStream = (
  frameworkId: FrameworkId,
  taskId: TaskId,
  updates: readonly StatusUpdate[],
  firstNumber: number,
): UpdateStream => ({
  frameworkId,
  taskId,
  updates,
  firstNumber,
  durableCount: updates.length,
  retryMs: FIRST_RETRY_MS,
});

/** Which limit one more update would exceed (STATUS-UPDATES-7). */
export function findExcessUpdate({ streams, tasks }: FrameworkRecord, taskId: TaskId): string | undefined {
  const waiting = streams.get(taskId)?.updates.length;
  if (waiting !== undefined)
    return overLimit('waitingUpdates', `unacknowledged updates of task ${taskId}`, waiting + 1);
  if (tasks.has(taskId)) return undefined;
  // Each known task has at most one stream, so at least so many streams are of unknown tasks.
  return overLimit('unknownTasks', 'unknown tasks with unacknowledged updates', streams.size - tasks.size + 1);
}

function withoutData(status: TaskStatus): TaskStatus {
  if (status.data === undefined) return status;
  const { data: _data, ...shown } = status;
  return shown;
}

/** By assignment, because spreading gives each record its own hidden class (V8 of Node 20) in hot code. */
const changed = (stream: UpdateStream, changes: Partial<UpdateStream>): UpdateStream =>
  Object.assign({}, stream, changes);

/** A complete status; its fields are in the order of their numbers. */
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
    uuid: randomUuidBytes(ctx.state.random),
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

/** STATUS-UPDATES-2: one more update of the stream is on disk. */
export function forward(ctx: Context, frameworkId: FrameworkId, taskId: TaskId): void {
  const framework = ctx.state.frameworks.get(frameworkId);
  const stream = framework?.streams.get(taskId);
  if (framework === undefined || stream === undefined) return;
  const next = changed(stream, { durableCount: Math.min(stream.durableCount + 1, stream.updates.length) });
  framework.streams.set(taskId, next);
  if (!hasTimer(ctx, resendTimer(next))) sendHead(ctx, framework, next);
}

function sendUpdate(ctx: Context, update: StatusUpdate, latest: TaskState): void {
  const body = { update: { ...update, latest_state: latest }, pid: ctx.state.options.pid };
  sendToMaster(ctx, { name: 'StatusUpdateMessage', body });
}

/** STATUS-UPDATES-1, STATUS-UPDATES-3, STATUS-UPDATES-4: sends the first update, if it may be sent, and sets its timer. */
function sendHead(ctx: Context, framework: FrameworkRecord, stream: UpdateStream): void {
  const head = stream.updates[0];
  if (head === undefined || stream.durableCount === 0 || !ctx.state.registration.registered) return;
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

/** Sends the first update of every stream again, because its framework may have missed it. */
export function resendAll(ctx: Context): void {
  for (const framework of ctx.state.frameworks.values()) {
    for (const stream of framework.streams.values())
      sendHead(ctx, framework, changed(stream, { retryMs: FIRST_RETRY_MS }));
  }
}

/** STATUS-UPDATES-4: stops sending updates again until the next registration. */
export function pauseAll(ctx: Context): void {
  for (const framework of ctx.state.frameworks.values()) {
    for (const stream of framework.streams.values()) cancelTimer(ctx, resendTimer(stream));
  }
}

/** STATUS-UPDATES-3: upon a registration, sends the first update of each stream that has none in flight. */
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
  if (framework === undefined || stream === undefined || head?.uuid !== message.uuid || stream.durableCount === 0) {
    log(ctx, 'info', `ignored an acknowledgement of task ${taskId}: no update waits for it`);
    return;
  }
  cancelTimer(ctx, resendTimer(stream));
  if (isTerminal(head.status.state)) {
    forgetUpdates(ctx, framework, stream, stream.updates.length);
    framework.streams.delete(taskId);
    saveProgress(ctx, framework, taskId);
    const record = framework.tasks.get(taskId);
    if (record !== undefined) retireTask(ctx, framework, record);
    releaseIfDone(ctx, framework.id, record?.executorId);
    return;
  }
  forgetUpdates(ctx, framework, stream, 1);
  const next = changed(stream, {
    updates: stream.updates.slice(1),
    firstNumber: stream.firstNumber + 1,
    durableCount: stream.durableCount - 1,
    retryMs: FIRST_RETRY_MS,
  });
  if (next.updates.length === 0) framework.streams.delete(taskId);
  else framework.streams.set(taskId, next);
  saveProgress(ctx, framework, taskId);
  if (next.updates.length > 0) sendHead(ctx, framework, next);
}

/** Drops the updates of a framework that is shut down. */
export function closeStreams(ctx: Context, framework: FrameworkRecord): void {
  for (const stream of framework.streams.values()) {
    cancelTimer(ctx, resendTimer(stream));
    forgetUpdates(ctx, framework, stream, stream.updates.length);
  }
  framework.streams.clear();
}

/** Adds a task, to the checkpoint too. */
export function addTask(ctx: Context, framework: FrameworkRecord, record: TaskRecord): void {
  const taskId = record.info.task_id.value as TaskId;
  framework.tasks.set(taskId, record);
  if (!checkpoints(framework)) return;
  // The progress on disk is that of an earlier task of this id (EXECUTORS-4).
  for (const retired of framework.retired.values()) {
    if (retired.some(({ info }) => info.task_id.value === taskId)) {
      save(ctx, taskProgressKey(framework.id, taskId), undefined);
    }
  }
  save(ctx, taskKey(framework.id, taskId), { kind: 'task', frameworkId: framework.id, record });
}

/** A refused task has no record and is not on disk. */
const isSaved = (framework: FrameworkRecord, taskId: TaskId): boolean =>
  checkpoints(framework) && framework.tasks.has(taskId);

function saveProgress(ctx: Context, framework: FrameworkRecord, taskId: TaskId): void {
  const record = framework.tasks.get(taskId);
  if (record !== undefined && checkpoints(framework)) saveChange(ctx, taskProgress(framework.id, record));
}

/** Deletes the first updates of a stream from the checkpoint. */
function forgetUpdates(
  ctx: Context,
  framework: FrameworkRecord,
  { taskId, firstNumber }: UpdateStream,
  count: number,
): void {
  if (!isSaved(framework, taskId)) return;
  for (let number = firstNumber; number < firstNumber + count; number++) {
    save(ctx, waitingStatusKey(framework.id, taskId, number), undefined);
  }
}

const resendTimer = ({ frameworkId, taskId }: UpdateStream) => ({ kind: 'resend', frameworkId, taskId }) as const;
