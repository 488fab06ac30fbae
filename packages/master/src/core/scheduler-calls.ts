// Scheduler calls: checks that the caller is the framework's scheduler, and performs the call.
// Calls are answered with 202 before their effects; SUBSCRIBE opens a stream, UPDATE_FRAMEWORK answers 200, 400 or 403.
import { err, type FrameworkId, idOf, LIMITS, ok, type Pid, type Result } from '@meseta/base';
import type { Filters, SchedulerCall, SchedulerCallMessage, SchedulerCallShutdown } from '@meseta/wire';
import { accept } from './accept.js';
import { type Context, count, counterOf, countFor, reply, send, warn } from './context.js';
import { invalidCallCounter } from './counters.js';
import { subscribeStream } from './frameworks/subscribe.js';
import { removeFramework } from './frameworks/teardown.js';
import { updateFramework } from './frameworks/update.js';
import type { MasterInput, Reply } from './io.js';
import { kill } from './kill.js';
import { agentOf, offerIdOf, removeInverseOffer, returnOffer } from './offers.js';
import { reconcileOperations } from './operation-reconcile.js';
import { acknowledgeOperation } from './operation-updates.js';
import { hasTooManyReconciliations } from './reconciliation-queue.js';
import type { Framework } from './state.js';
import { acknowledge } from './status-updates.js';
import { reconcile } from './task-reconcile.js';
import { checkCall } from './validation/call.js';

type SchedulerCallInput = Extract<MasterInput, { readonly kind: 'schedulerCall' }>;

export function schedulerCall(ctx: Context, input: SchedulerCallInput): void {
  const { request, principal, streamId, call } = input;
  const problem = checkCall(call, principal);
  if (problem !== undefined) return reply(ctx, request, 400, problem);
  if (call.type === 'SUBSCRIBE' && call.subscribe !== undefined) {
    if (streamId === undefined) return subscribeStream(ctx, request, principal, call.subscribe);
    return reply(ctx, request, 400, 'Mesos-Stream-Id: must not be sent with SUBSCRIBE');
  }
  const caller = callerOf(ctx, input);
  if (!caller.ok) return reply(ctx, request, caller.error.status, caller.error.text);
  const framework = caller.value;
  if (call.type === 'UPDATE_FRAMEWORK' && call.update_framework !== undefined) {
    return updateFramework(ctx, request, framework, call.update_framework);
  }
  const busy = tooManyReconciliations(ctx, framework, call);
  if (busy !== undefined) return reply(ctx, request, 503, busy);
  reply(ctx, request, 202);
  perform(ctx, framework, call);
}

/** The problem if the framework has too many unanswered reconciliations. */
function tooManyReconciliations(ctx: Context, framework: Framework, { type }: SchedulerCall): string | undefined {
  if (type !== 'RECONCILE' && type !== 'RECONCILE_OPERATIONS') return undefined;
  if (!hasTooManyReconciliations(ctx, framework)) return undefined;
  const { most, unit } = LIMITS.waitingReconciliations;
  return `more than ${most} ${unit} of the framework's earlier reconciliations wait for their answers`;
}

function countCall(framework: Framework, call: SchedulerCall): void {
  countFor(framework, 'calls');
  countFor(framework, counterOf('calls', call.type));
}

/** The framework if the call comes from its scheduler. The checks are in Mesos' order. */
function callerOf(ctx: Context, { principal, streamId, call }: SchedulerCallInput): Result<Framework, Reply> {
  const id = call.framework_id?.value ?? '';
  const framework = ctx.state.frameworks.get(id as FrameworkId);
  if (framework === undefined) return err({ status: 400, text: `framework_id: framework ${id} is unknown` });
  // Refused calls are counted too.
  countCall(framework, call);
  if (principal !== undefined && principal !== framework.info.principal) {
    return err({ status: 400, text: `'${principal}' is not the principal of framework ${id}` });
  }
  if (framework.connection === undefined) return err({ status: 403, text: `framework ${id} is not subscribed` });
  if (framework.connection.kind !== 'stream')
    return err({ status: 403, text: `framework ${id} is not connected by HTTP` });
  if (streamId === undefined) return err({ status: 400, text: 'Mesos-Stream-Id: the header is missing' });
  if (streamId !== framework.connection.id) {
    return err({ status: 400, text: `Mesos-Stream-Id: expected that of framework ${id}'s stream, got '${streamId}'` });
  }
  return ok(framework);
}

/** Calls that drivers may not make, because there are no libprocess messages for the answers. */
const ONLY_BY_HTTP: ReadonlySet<SchedulerCall['type']> = new Set([
  'ACKNOWLEDGE_OPERATION_STATUS',
  'RECONCILE_OPERATIONS',
]);

/** A v0 driver's call. It is not answered, and dropped unless it comes from the framework's pid. */
export function driverCall(ctx: Context, from: Pid, call: SchedulerCall): void {
  const problem = checkCall(call, undefined);
  if (problem !== undefined) {
    const counter = invalidCallCounter(call);
    if (counter !== undefined) count(ctx, counter);
    return warn(ctx, `dropping a call of ${from}: ${problem}`);
  }
  const framework = call.framework_id && ctx.state.frameworks.get(idOf<FrameworkId>(call.framework_id));
  if (framework === undefined || framework.driverPid !== from) {
    return warn(ctx, `dropping ${call.type} of ${from} for framework ${call.framework_id?.value}: not its scheduler`);
  }
  countCall(framework, call);
  if (framework.connection === undefined) {
    // Only the master's connection to the driver broke. The driver learns of that by this error, and aborts.
    return send(ctx, from, { name: 'FrameworkErrorMessage', body: { message: 'Framework disconnected' } });
  }
  if (ONLY_BY_HTTP.has(call.type)) return warn(ctx, `dropping ${call.type} of ${from}: drivers can't use it`);
  if (call.type === 'UPDATE_FRAMEWORK' && call.update_framework !== undefined) {
    return updateFramework(ctx, undefined, framework, call.update_framework);
  }
  const busy = tooManyReconciliations(ctx, framework, call);
  if (busy !== undefined) return warn(ctx, `dropping ${call.type} of framework ${framework.id}: ${busy}`);
  if (call.type === 'TEARDOWN') count(ctx, 'master/messages_unregister_framework');
  perform(ctx, framework, call);
}

/** Performs a checked call of the framework's scheduler. */
function perform(ctx: Context, framework: Framework, call: SchedulerCall): void {
  switch (call.type) {
    case 'TEARDOWN':
      return removeFramework(ctx, framework);
    case 'ACCEPT':
      return accept(ctx, framework, call.accept ?? {});
    case 'DECLINE':
      return decline(ctx, framework, call.decline ?? {});
    case 'ACCEPT_INVERSE_OFFERS': {
      const { inverse_offer_ids, filters } = call.accept_inverse_offers ?? {};
      return respondToInverseOffers(ctx, framework, inverse_offer_ids ?? [], 'ACCEPT', filters);
    }
    case 'DECLINE_INVERSE_OFFERS': {
      const { inverse_offer_ids, filters } = call.decline_inverse_offers ?? {};
      return respondToInverseOffers(ctx, framework, inverse_offer_ids ?? [], 'DECLINE', filters);
    }
    case 'REVIVE':
      return revive(ctx, framework, call.revive?.roles ?? []);
    case 'SUPPRESS':
      return suppress(ctx, framework, call.suppress?.roles ?? []);
    case 'KILL':
      return call.kill && kill(ctx, framework, call.kill);
    case 'SHUTDOWN':
      return call.shutdown && shutdownExecutor(ctx, framework, call.shutdown);
    case 'ACKNOWLEDGE':
      return call.acknowledge && acknowledge(ctx, framework, call.acknowledge);
    case 'ACKNOWLEDGE_OPERATION_STATUS':
      return (
        call.acknowledge_operation_status && acknowledgeOperation(ctx, framework, call.acknowledge_operation_status)
      );
    case 'RECONCILE':
      return reconcile(ctx, framework, call.reconcile ?? {});
    case 'RECONCILE_OPERATIONS':
      return reconcileOperations(ctx, framework, call.reconcile_operations ?? {});
    case 'MESSAGE':
      return call.message && sendToExecutor(ctx, framework, call.message);
    case 'REQUEST':
      return count(ctx, 'master/messages_resource_request');
    default:
      return undefined;
  }
}

/** Ignores offers of other frameworks. */
function decline(
  ctx: Context,
  framework: Framework,
  {
    offer_ids,
    filters,
  }: { readonly offer_ids?: readonly { readonly value: string }[] | undefined; readonly filters?: Filters | undefined },
): void {
  count(ctx, 'master/messages_decline_offers');
  for (const wireId of offer_ids ?? []) {
    const offer = ctx.state.offers.get(offerIdOf(wireId));
    if (offer?.frameworkId !== framework.id) continue;
    countFor(framework, 'offers/declined');
    returnOffer(ctx, offer, 'silently', { filters: filters ?? {} });
  }
}

function respondToInverseOffers(
  ctx: Context,
  framework: Framework,
  ids: readonly { readonly value: string }[],
  status: 'ACCEPT' | 'DECLINE',
  filters: Filters | undefined,
): void {
  for (const wireId of ids) {
    const offer = ctx.state.inverseOffers.get(offerIdOf(wireId));
    if (offer?.frameworkId !== framework.id) continue;
    removeInverseOffer(ctx, offer);
    const nanoseconds = BigInt(Math.floor(ctx.now.wallMs)) * 1_000_000n;
    ctx.state.allocator.updateInverseOffer(
      offer.agentId,
      framework.id,
      ctx.now.monoMs,
      { status, framework_id: framework.wireId, timestamp: { nanoseconds } },
      filters ?? {},
    );
  }
}

/** The whole call is dropped if one role is not the framework's. */
function areOwnRoles(ctx: Context, framework: Framework, type: string, roles: readonly string[]): boolean {
  const own = new Set(framework.roles);
  const foreign = roles.find((role) => !own.has(role));
  if (foreign !== undefined) warn(ctx, `dropping ${type} of framework ${framework.id}: '${foreign}' is not its role`);
  return foreign === undefined;
}

function revive(ctx: Context, framework: Framework, roles: readonly string[]): void {
  count(ctx, 'master/messages_revive_offers');
  if (!areOwnRoles(ctx, framework, 'REVIVE', roles)) return;
  const revived = new Set(roles.length === 0 ? framework.roles : roles);
  const suppressedRoles = new Set([...framework.suppressedRoles].filter((role) => !revived.has(role)));
  ctx.state.frameworks.set(framework.id, { ...framework, suppressedRoles });
  ctx.state.allocator.revive(framework.id, revived);
}

function suppress(ctx: Context, framework: Framework, roles: readonly string[]): void {
  count(ctx, 'master/messages_suppress_offers');
  if (!areOwnRoles(ctx, framework, 'SUPPRESS', roles)) return;
  const suppressed = roles.length === 0 ? framework.roles : roles;
  const suppressedRoles = new Set([...framework.suppressedRoles, ...suppressed]);
  ctx.state.frameworks.set(framework.id, { ...framework, suppressedRoles });
  ctx.state.allocator.suppress(framework.id, suppressed);
}

function shutdownExecutor(ctx: Context, framework: Framework, { agent_id, executor_id }: SchedulerCallShutdown): void {
  const agent = agentOf(ctx, agent_id);
  if (agent === undefined)
    return warn(ctx, `dropping SHUTDOWN of ${executor_id.value}: agent ${agent_id.value} is unknown`);
  send(ctx, agent.pid, {
    name: 'ShutdownExecutorMessage',
    body: { executor_id, framework_id: framework.wireId },
  });
}

function sendToExecutor(
  ctx: Context,
  framework: Framework,
  { agent_id, executor_id, data }: SchedulerCallMessage,
): void {
  count(ctx, 'master/messages_framework_to_executor');
  const agent = agentOf(ctx, agent_id);
  if (agent?.connected !== true) {
    count(ctx, 'master/invalid_framework_to_executor_messages');
    return warn(ctx, `dropping a message to executor ${executor_id.value}: agent ${agent_id.value} is not connected`);
  }
  count(ctx, 'master/valid_framework_to_executor_messages');
  send(ctx, agent.pid, {
    name: 'FrameworkToExecutorMessage',
    body: { agent_id, framework_id: framework.wireId, executor_id, data },
  });
}
