// ACCEPT: checks the offers as a set (one invalid offer fails the call), then the form of every operation
// (operations/precheck.ts), then authorizes, validates, applies and sends each operation (one file each in operations/).
// An operation that fails does not stop the next one.
//
// ACCEPT-1: at the end of the call, the resources of the offers are allocated to tasks and executors, converted by
//     operations and returned without a filter, or returned with the call's filters.
import type { Resources } from '@meseta/resources';
import { contains, subtract } from '@meseta/resources';
import type { Filters, OfferID, OfferOperation, OfferOperationType, SchedulerCallAccept, TaskInfo } from '@meseta/wire';
import { taskStateFor } from '@meseta/wire/task-states';
import { type Context, count, countFor, warn } from './context.js';
import { countTaskEnd } from './counters.js';
import { sendUpdate } from './events.js';
import { createMasterUpdate } from './master-updates.js';
import { offerIdOf, removeOffer, returnOffer } from './offers.js';
import { operationError } from './operation-records.js';
import { convert } from './operations/convert.js';
import { refuseDiskOperation } from './operations/disk.js';
import { launch } from './operations/launch.js';
import { launchGroup } from './operations/launch-group.js';
import { normalize } from './operations/normalize.js';
import { precheckOperation } from './operations/precheck.js';
import { type Agent, type Framework, isPartitionAware, type OfferRecord } from './state.js';
import { byRole } from './tasks.js';

/** The state that the operations of one ACCEPT share. */
export interface Acceptance {
  readonly framework: Framework;
  readonly agent: Agent;
  readonly role: string;
  /** The resources of the offers that no operation has used; conversions are applied to them. */
  remaining: Resources;
  /** The resources that conversions of this call have created: later operations may use them; they are returned without a filter. */
  created: Resources;
  /** Volumes that were resized: later operations of the same call may not use them. */
  readonly resized: Set<string>;
}

export function accept(ctx: Context, framework: Framework, call: SchedulerCallAccept): void {
  const operations = call.operations ?? [];
  countLaunches(ctx, operations);
  const accepted = claimOffers(ctx, framework, call.offer_ids ?? []);
  if (accepted.problem !== undefined) return refuse(ctx, framework, operations, accepted.problem);
  const { offers, agent, role } = accepted;
  countFor(framework, 'offers/accepted', offers.length);
  const acceptance: Acceptance = { framework, agent, role, remaining: sumOf(offers), created: [], resized: new Set() };
  const passed = operations.filter((operation) => precheckOperation(ctx, acceptance, operation));
  for (const operation of passed) perform(ctx, acceptance, normalize(framework, role, operation));
  returnRemaining(ctx, acceptance, operations.length > 0, call.filters);
}

/** A LAUNCH is counted like the v0 message LaunchTasks: one without tasks declines the offers. */
function countLaunches(ctx: Context, operations: readonly OfferOperation[]): void {
  for (const { type, launch: launched } of operations) {
    if (type !== 'LAUNCH') continue;
    const hasTasks = (launched?.task_infos ?? []).length > 0;
    count(ctx, hasTasks ? 'master/messages_launch_tasks' : 'master/messages_decline_offers');
  }
}

type AcceptedOffers =
  | { readonly problem: string }
  | {
      readonly problem?: undefined;
      readonly offers: readonly OfferRecord[];
      readonly agent: Agent;
      readonly role: string;
    };

/** Removes the offers, for use by the operations. If they cannot be used together, their resources return to the allocator. */
function claimOffers(ctx: Context, framework: Framework, ids: readonly OfferID[]): AcceptedOffers {
  const offers = new Map<string, OfferRecord>();
  let problem: string | undefined = ids.length === 0 ? 'no offers are given' : undefined;
  for (const wireId of ids) {
    const id = offerIdOf(wireId);
    const offer = ctx.state.offers.get(id);
    if (offer === undefined) problem ??= `offer ${id} is no longer valid`;
    else if (offer.frameworkId !== framework.id) problem ??= `offer ${id} is another framework's`;
    else if (offers.has(id)) problem ??= `offer ${id} is given twice`;
    else offers.set(id, offer);
  }
  const [first, ...others] = [...offers.values()];
  for (const offer of others) {
    if (offer.agentId !== first?.agentId) problem ??= `offers ${first?.id} and ${offer.id} are of different agents`;
    if (offer.role !== first?.role) problem ??= `offers ${first?.id} and ${offer.id} are allocated to different roles`;
  }
  const agent = first === undefined ? undefined : ctx.state.agents.registered.get(first.agentId);
  if (problem === undefined && first !== undefined && agent !== undefined) {
    for (const offer of offers.values()) removeOffer(ctx, offer);
    return { offers: [...offers.values()], agent, role: first.role };
  }
  for (const offer of offers.values()) returnOffer(ctx, offer, 'silently');
  return { problem: problem ?? `agent ${first?.agentId} is not registered` };
}

/** Offers of one agent and role are disjoint. */
const sumOf = (offers: readonly OfferRecord[]): Resources => offers.flatMap((offer) => offer.resources);

function refuse(ctx: Context, framework: Framework, operations: readonly OfferOperation[], problem: string): void {
  if (operations.length > 0) warn(ctx, `ACCEPT of framework ${framework.id} refused: ${problem}`);
  for (const operation of operations) {
    const tasks = operation.launch?.task_infos ?? operation.launch_group?.task_group.tasks;
    if (tasks === undefined) operationError(ctx, framework, operation, `offers are invalid: ${problem}`);
    else for (const task of tasks) reportDroppedTask(ctx, framework, task, problem);
  }
}

function reportDroppedTask(ctx: Context, framework: Framework, task: TaskInfo, problem: string): void {
  const update = createMasterUpdate(ctx, framework, task, {
    state: taskStateFor(isPartitionAware(framework), 'TASK_DROPPED'),
    reason: 'REASON_INVALID_OFFERS',
    message: `Task launched with invalid offers: ${problem}`,
  });
  countTaskEnd(ctx, update.status);
  sendUpdate(ctx, framework, update);
}

function perform(ctx: Context, acceptance: Acceptance, operation: OfferOperation): void {
  const type: OfferOperationType | undefined = operation.type;
  switch (type) {
    case 'LAUNCH':
      return launch(ctx, acceptance, operation);
    case 'LAUNCH_GROUP':
      return launchGroup(ctx, acceptance, operation);
    case 'RESERVE':
    case 'UNRESERVE':
    case 'CREATE':
    case 'DESTROY':
    case 'GROW_VOLUME':
    case 'SHRINK_VOLUME':
      return convert(ctx, acceptance, operation);
    case 'CREATE_DISK':
    case 'DESTROY_DISK':
      return refuseDiskOperation(ctx, acceptance, operation);
    default:
      return warn(ctx, `ignoring an operation without a known type of framework ${acceptance.framework.id}`);
  }
}

/** ACCEPT-1. `hasOperations`: false if the framework only declines. */
function returnRemaining(
  ctx: Context,
  acceptance: Acceptance,
  hasOperations: boolean,
  filters: Filters | undefined,
): void {
  const { framework, agent, created } = acceptance;
  const { allocator } = ctx.state;
  const unfiltered: Resources = created.filter((resource) => contains(acceptance.remaining, [resource]));
  const filtered = subtract(acceptance.remaining, unfiltered);
  for (const [, resources] of byRole(filtered)) {
    allocator.recoverResources(framework.id, agent.id, resources, ctx.now.monoMs, {
      filters: filters ?? {},
      leftover: hasOperations,
    });
  }
  for (const [, resources] of byRole(unfiltered)) {
    allocator.recoverResources(framework.id, agent.id, resources, ctx.now.monoMs);
  }
}
