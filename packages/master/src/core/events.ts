// Sends events to schedulers: on a v1 stream, or as the equivalent libprocess message to a v0 driver.
// A disconnected framework misses events. Agents retry status updates, and schedulers reconcile.
import type { Pid } from '@meseta/base';
import type { LibprocessMessage, SchedulerEvent, StatusUpdate, TaskStatus } from '@meseta/wire';
import { type Context, counterOf, countFor, send } from './context.js';
import { driverMessageOf } from './driver-messages.js';
import type { StreamId } from './io.js';
import type { Connection, Framework } from './state.js';

/** Sends one event to one or more frameworks; it is encoded once. */
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

/** Sends an event on a connection that belongs to no framework. */
export function sendEventTo(ctx: Context, connection: Connection, event: SchedulerEvent): void {
  if (connection.kind === 'stream') ctx.effects.push({ kind: 'event', streams: [connection.id], event });
  else if (event.error !== undefined) {
    send(ctx, connection.pid, { name: 'FrameworkErrorMessage', body: { message: event.error.message } });
  }
}

/** Sends a status update of an agent (with its pid) or of the master. Returns false if the framework is not connected. */
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

/** The status as a v1 scheduler gets it, with the fields that only the update has. */
export function statusOf(update: StatusUpdate): TaskStatus {
  const { timestamp, agent_id, executor_id, uuid } = update;
  // Without a uuid the update needs no acknowledgement.
  const hasUuid = uuid !== undefined && uuid !== '';
  // Object.assign is ten times faster than a spread here, and runs twice per update.
  const status: Mutable<TaskStatus> = Object.assign({}, hasUuid ? update.status : withoutUuid(update.status));
  status.timestamp = timestamp;
  if (agent_id !== undefined) status.agent_id = agent_id;
  if (executor_id !== undefined) status.executor_id = executor_id;
  if (hasUuid) status.uuid = uuid;
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
  countFor(framework, counterOf('events', event.type));
}
