// SUBSCRIBE: a scheduler connects, for the first time or again.
//
// The checks are in Mesos' order: the info, suppressed roles and offer constraints, authorization, changes of a known
// framework. A failed check is an ERROR event on a stream that then ends; only malformed calls get a 4xx.
// SUBSCRIBE-1: a framework has at most one connection; a new subscription ends the old one.
// SUBSCRIBE-2: the id of a new framework is unique: ids that clients have claimed before are skipped.

import type { OfferConstraints } from '@meseta/allocator';
import { type FrameworkId, idOf, uuid } from '@meseta/base';
import { cancelTimer } from '@meseta/base/core/timers';
import type { FrameworkInfo, SchedulerCallSubscribe } from '@meseta/wire';
import { type Context, count, countFor, frameworkText, info as logInfo, note, send } from '../context.js';
import { sendEvent, sendEventTo } from '../events.js';
import type { RequestId, StreamId } from '../io.js';
import { link, unlink } from '../links.js';
import { returnOffers } from '../offers.js';
import { adoptOperations } from '../operation-records.js';
import type { Connection, Framework } from '../state.js';
import {
  checkFrameworkInfo,
  checkPrincipal,
  checkSuppressedRoles,
  readOfferConstraints,
  rolesOf,
} from '../validation/framework.js';
import { sendHeartbeat } from './heartbeat.js';
import {
  bindConnection,
  changeFramework,
  driverPidOf,
  infoFields,
  newFramework,
  pidForAgents,
  unbindConnection,
} from './records.js';

export interface Subscription {
  readonly info: FrameworkInfo;
  readonly suppressedRoles: ReadonlySet<string>;
  readonly offerConstraints: OfferConstraints | undefined;
  readonly connection: Connection;
  readonly principal: string | undefined;
}

/** A well-formed SUBSCRIBE of a v1 scheduler: the request becomes the stream. */
export function subscribeStream(
  ctx: Context,
  request: RequestId,
  principal: string | undefined,
  subscribe: SchedulerCallSubscribe,
): void {
  const stream = uuid(ctx.state.idRandom) as StreamId;
  ctx.effects.push({ kind: 'openStream', request, stream });
  subscribeAs(ctx, subscribe, { kind: 'stream', id: stream }, principal);
}

/** `takesOver`: whether a v0 driver replaces another one; an HTTP scheduler always does. */
export function subscribeAs(
  ctx: Context,
  subscribe: SchedulerCallSubscribe,
  connection: Connection,
  principal: string | undefined,
  takesOver = true,
): void {
  const id = subscribe.framework_info.id?.value === '' ? undefined : subscribe.framework_info.id;
  count(ctx, id === undefined ? 'master/messages_register_framework' : 'master/messages_reregister_framework');
  const refuse = (text: string): void => refuseSubscription(ctx, connection, text);
  const suppressed = subscribe.suppressed_roles ?? [];
  const problem =
    checkFrameworkInfo(subscribe.framework_info, ctx.state.options.roles) ??
    (id !== undefined && ctx.state.completedFrameworks.has(idOf<FrameworkId>(id)) ? REMOVED : undefined) ??
    checkSuppressedRoles(subscribe.framework_info, suppressed);
  if (problem !== undefined) return refuse(problem);
  const offerConstraints = readOfferConstraints(
    subscribe.framework_info,
    subscribe.offer_constraints,
    ctx.state.options.regexLimits,
  );
  if (!offerConstraints.ok) return refuse(offerConstraints.error);
  const subject = principal ?? subscribe.framework_info.principal;
  const denied = rolesOf(subscribe.framework_info).find(
    (role) => !ctx.state.options.authorize({ action: 'REGISTER_FRAMEWORK', principal: subject, value: role }),
  );
  if (denied !== undefined) return refuse(`Not authorized to use the role '${denied}'`);
  const subscription: Subscription = {
    info: subscribe.framework_info,
    suppressedRoles: new Set(suppressed),
    offerConstraints: offerConstraints.value,
    connection,
    principal: subject,
  };
  if (id === undefined) return addSubscribed(ctx, nextFrameworkId(ctx), subscription, undefined);
  const frameworkId = idOf<FrameworkId>(id);
  const known = ctx.state.frameworks.get(frameworkId);
  // Known from an earlier master: this is a re-subscription, and any agent may run its tasks.
  if (known === undefined) return addSubscribed(ctx, frameworkId, subscription, ctx.now.wallMs);
  const changed = checkPrincipal(known.info, subscription.info);
  if (changed !== undefined) return refuse(changed);
  resubscribe(ctx, known, subscription, takesOver);
}

/** Schedulers compare this text, and then subscribe as a new framework. */
const REMOVED = 'Framework has been removed';

/** SUBSCRIBE-2: skips ids in use. */
function nextFrameworkId(ctx: Context): FrameworkId {
  const { state } = ctx;
  for (;;) {
    const number = String(state.nextFramework++).padStart(4, '0');
    const id = `${state.identity.info.id}-${number}` as FrameworkId;
    if (!state.frameworks.has(id) && !state.completedFrameworks.has(id)) return id;
  }
}

function refuseSubscription(ctx: Context, connection: Connection, message: string): void {
  sendEventTo(ctx, connection, { type: 'ERROR', error: { message } });
  if (connection.kind === 'stream') ctx.effects.push({ kind: 'closeStream', stream: connection.id });
}

/** The fields of a framework that each subscription sets. */
const subscribedFields = ({ suppressedRoles, offerConstraints, principal, connection }: Subscription) => ({
  suppressedRoles,
  offerConstraints,
  principal,
  status: 'active' as const,
  connection,
  driverPid: driverPidOf(connection),
});

/** `reregisteredAtMs`: set for a framework that an earlier master knew. */
function addSubscribed(
  ctx: Context,
  id: FrameworkId,
  subscription: Subscription,
  reregisteredAtMs: number | undefined,
): void {
  const { state, now } = ctx;
  const isReturning = reregisteredAtMs !== undefined;
  const framework: Framework = {
    ...newFramework({ ...subscription.info, id: { value: id } }),
    ...subscribedFields(subscription),
    registeredAtMs: now.wallMs,
    reregisteredAtMs,
  };
  state.frameworks.set(id, framework);
  adoptOperations(ctx, new Set([id]));
  bindConnection(state, id, subscription.connection);
  state.allocator.addFramework(id, framework.info, new Map(), true, {
    suppressedRoles: framework.suppressedRoles,
    offerConstraints: framework.offerConstraints,
  });
  logInfo(ctx, `${frameworkText(id, framework.info.name)} subscribed`);
  const added = isReturning ? newFramework(framework.info) : framework;
  note(ctx, { kind: 'frameworkAdded', frameworkId: id, framework: added });
  countSubscribe(framework);
  if (subscription.connection.kind === 'pid') link(ctx, subscription.connection.pid);
  sendSubscribed(ctx, framework);
  if (!isReturning) return;
  note(ctx, { kind: 'frameworkUpdated', frameworkId: id, framework });
  broadcastFramework(ctx, framework);
}

/** Counts the SUBSCRIBE of a stream; those of v0 drivers are not counted as calls. */
function countSubscribe(framework: Framework): void {
  if (framework.connection?.kind !== 'stream') return;
  countFor(framework, 'calls');
  countFor(framework, 'calls/subscribe');
}

/** Sends SUBSCRIBED and the first heartbeat. */
function sendSubscribed(ctx: Context, framework: Framework, again = false): void {
  const { identity, options } = ctx.state;
  if (framework.connection?.kind === 'pid') {
    countFor(framework, 'events');
    countFor(framework, 'events/subscribed');
    const name = again ? 'FrameworkReregisteredMessage' : 'FrameworkRegisteredMessage';
    return send(ctx, framework.connection.pid, {
      name,
      body: { framework_id: framework.wireId, master_info: identity.info },
    });
  }
  sendEvent(ctx, framework, {
    type: 'SUBSCRIBED',
    subscribed: {
      framework_id: framework.wireId,
      heartbeat_interval_seconds: options.heartbeatIntervalMs / 1000,
      master_info: identity.info,
    },
  });
  sendHeartbeat(ctx, framework);
}

/** Subscribes a known framework on a new connection; its user and checkpoint flag do not change. */
function resubscribe(ctx: Context, known: Framework, subscription: Subscription, takesOver: boolean): void {
  const { state, now } = ctx;
  const wasActive = known.status === 'active';
  const recovered = known.status === 'recovered';
  closeOldConnection(ctx, known, subscription.connection);
  // A driver that was not replaced still has its offers.
  returnOffers(ctx, known, takesOver ? 'silently' : 'rescinded');
  const { checkpoint: _, ...requested } = subscription.info;
  const { user, checkpoint } = known.info;
  const info = { ...requested, id: known.wireId, user, ...(checkpoint === undefined ? {} : { checkpoint }) };
  const framework = changeFramework(ctx, known, {
    ...infoFields(info),
    ...subscribedFields(subscription),
    registeredAtMs: recovered ? now.wallMs : known.registeredAtMs,
    reregisteredAtMs: now.wallMs,
  });
  cancelTimer(ctx, { kind: 'failover', frameworkId: known.id });
  bindConnection(state, known.id, subscription.connection);
  state.allocator.updateFramework(known.id, info, {
    suppressedRoles: framework.suppressedRoles,
    offerConstraints: framework.offerConstraints,
  });
  if (!wasActive) state.allocator.activateFramework(known.id);
  countSubscribe(framework);
  if (subscription.connection.kind === 'pid') link(ctx, subscription.connection.pid);
  sendSubscribed(ctx, framework, !takesOver && !recovered);
  logInfo(ctx, `${frameworkText(known.id, info.name)} subscribed again`);
  note(ctx, { kind: 'frameworkUpdated', frameworkId: known.id, framework });
  broadcastFramework(ctx, framework);
}

/** SUBSCRIBE-1. */
function closeOldConnection(ctx: Context, known: Framework, connection: Connection): void {
  const old = known.connection;
  if (old === undefined) return;
  const samePid = old.kind === 'pid' && connection.kind === 'pid' && old.pid === connection.pid;
  if (samePid) return;
  unbindConnection(ctx.state, old);
  sendEvent(ctx, known, { type: 'ERROR', error: { message: FAILED_OVER } });
  if (old.kind === 'stream') ctx.effects.push({ kind: 'closeStream', stream: old.id });
  else unlink(ctx, old.pid);
}

/** Schedulers compare this text, and then stop because another scheduler has taken over. */
export const FAILED_OVER = 'Framework failed over';

/** Sends the framework's info and pid to all agents. */
export function broadcastFramework(ctx: Context, framework: Framework): void {
  const agents = [...ctx.state.agents.registered.values()].map((agent) => agent.pid);
  send(ctx, agents, {
    name: 'UpdateFrameworkMessage',
    body: { framework_id: framework.wireId, pid: pidForAgents(framework), framework_info: framework.info },
  });
}
