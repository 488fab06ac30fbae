// Events to schedulers: on a v1 stream, or as the libprocess message that says the same to a v0 driver.
// A framework that is not connected misses them: what must arrive is retried by agents or asked for by reconciliation.
import type { Pid } from '@meseta/base';
import type { LibprocessMessage, SchedulerEvent, StatusUpdate, TaskStatus } from '@meseta/wire';
import { type Context, countFor, send, slotOf } from './context.js';
import { driverMessageOf } from './driver-messages.js';
import type { StreamId } from './io.js';
import type { Connection, Framework } from './state.js';

/** One event to one or many, encoded once. */
export function sendEvent(ctx: Context, to: Framework | readonly Framework[], event: SchedulerEvent): void {
  const frameworks: readonly Framework[] = 'id' in to ? [to] : to;
  const streams: StreamId[] = [];
  for (const framework of frameworks) {
    if (framework.connection === undefined) continue;
    countEvent(framework, event);
    if (framework.connection.kind === 'stream') streams.push(framework.connection.id);
    else sendToDriver(ctx, framework.connection.pid, driverMessageOf(ctx, framework, event));
  }
  if (streams.length > 0) ctx.effects.push({ kind: 'event', streams, event });
}

/** An event to a connection that is no framework's (yet, or no longer). */
export function sendEventTo(ctx: Context, connection: Connection, event: SchedulerEvent): void {
  if (connection.kind === 'stream') ctx.effects.push({ kind: 'event', streams: [connection.id], event });
  else if (event.error !== undefined) {
    send(ctx, connection.pid, { name: 'FrameworkErrorMessage', body: { message: event.error.message } });
  }
}

/** A task's update, of an agent (with its pid) or of the master; false if the framework isn't connected. */
export function sendUpdate(ctx: Context, framework: Framework, update: StatusUpdate, agentPid?: Pid): boolean {
  if (framework.connection === undefined) return false;
  const event: SchedulerEvent = { type: 'UPDATE', update: { status: statusOf(update) } };
  if (framework.connection.kind === 'stream') sendEvent(ctx, framework, event);
  else {
    countEvent(framework, event);
    const body = agentPid === undefined ? { update } : { update, pid: agentPid };
    send(ctx, framework.connection.pid, { name: 'StatusUpdateMessage', body });
  }
  return true;
}

/** The status as a v1 scheduler sees it: what stands only in the update around it is put in. */
export function statusOf(update: StatusUpdate): TaskStatus {
  const { timestamp, agent_id, executor_id, uuid } = update;
  // No uuid: nothing to acknowledge.
  const isTold = uuid !== undefined && uuid !== '';
  // Spreading would cost ten times as much, twice for each update.
  const status: Mutable<TaskStatus> = Object.assign({}, isTold ? update.status : withoutUuid(update.status));
  status.timestamp = timestamp;
  if (agent_id !== undefined) status.agent_id = agent_id;
  if (executor_id !== undefined) status.executor_id = executor_id;
  if (isTold) status.uuid = uuid;
  return status;
}

type Mutable<T> = { -readonly [Field in keyof T]: T[Field] };

function withoutUuid(status: TaskStatus): TaskStatus {
  if (status.uuid === undefined) return status;
  const { uuid: _, ...rest } = status;
  return rest;
}

function sendToDriver(ctx: Context, pid: Pid, message: LibprocessMessage | undefined): void {
  if (message !== undefined) send(ctx, pid, message);
}

function countEvent(framework: Framework, event: SchedulerEvent): void {
  countFor(framework, 'events');
  countFor(framework, slotOf('events', event.type));
}
