// ACCEPT: the offers as a set (one bad offer fails all), then what no operation may look like (operations/screen.ts), then
// operation by operation, a file each in operations/: authorize, validate, apply, send. One that fails does not stop the
// next.
//
// ACCEPT-1: what the offers held is at the end either allocated (tasks, executors), turned into something else that is free
//     again, or returned with the call's filters.
import type { Resources } from '@meseta/resources';
import { contains, subtract } from '@meseta/resources';
import type { Filters, OfferID, OfferOperation, OfferOperationType, SchedulerCallAccept, TaskInfo } from '@meseta/wire';
import { taskStateFor } from '@meseta/wire/task-states';
import { type Context, count, countFor, warn } from './context.js';
import { countTaskEnd } from './counters.js';
import { sendUpdate } from './events.js';
import { offerIdOf, returnOffer, takeOffer } from './offers.js';
import { operationError } from './operation-records.js';
import { convert } from './operations/convert.js';
import { disk } from './operations/disk.js';
import { launch } from './operations/launch.js';
import { launchGroup } from './operations/launch-group.js';
import { normalize } from './operations/normalize.js';
import { passesScreen } from './operations/screen.js';
import { ownUpdate } from './own-updates.js';
import { type Agent, type Framework, isPartitionAware, type OfferRecord } from './state.js';
import { byRole } from './tasks.js';

/** What the operations of one ACCEPT share. */
export interface Acceptance {
  readonly framework: Framework;
  readonly agent: Agent;
  readonly role: string;
  /** What is left of the offers; changes as operations use and convert it. */
  left: Resources;
  /** What this call's operations have made: free for later ones, and returned without a filter. */
  made: Resources;
  /** Volumes that were resized: of no use for later operations of the same call. */
  readonly resized: Set<string>;
}

export function accept(ctx: Context, framework: Framework, call: SchedulerCallAccept): void {
  const operations = call.operations ?? [];
  countLaunches(ctx, operations);
  const taken = takeOffers(ctx, framework, call.offer_ids ?? []);
  if (taken.problem !== undefined) return refuse(ctx, framework, operations, taken.problem);
  const { offers, agent, role } = taken;
  countFor(framework, 'offers/accepted', offers.length);
  const acceptance: Acceptance = { framework, agent, role, left: sumOf(offers), made: [], resized: new Set() };
  const screened = operations.filter((operation) => passesScreen(ctx, acceptance, operation));
  for (const operation of screened) perform(ctx, acceptance, normalize(framework, role, operation));
  giveBack(ctx, acceptance, operations.length > 0, call.filters);
}

/** Only LAUNCH counts as the message that it was once; one without tasks declined the offers. */
function countLaunches(ctx: Context, operations: readonly OfferOperation[]): void {
  for (const { type, launch: launched } of operations) {
    if (type !== 'LAUNCH') continue;
    const some = (launched?.task_infos ?? []).length > 0;
    count(ctx, some ? 'master/messages_launch_tasks' : 'master/messages_decline_offers');
  }
}

type Taken =
  | { readonly problem: string }
  | {
      readonly problem?: undefined;
      readonly offers: readonly OfferRecord[];
      readonly agent: Agent;
      readonly role: string;
    };

/** The offers, off the books; or why they can't be used together, and then the valid ones have gone back. */
function takeOffers(ctx: Context, framework: Framework, ids: readonly OfferID[]): Taken {
  const offers = new Map<string, OfferRecord>();
  let problem: string | undefined = ids.length === 0 ? 'no offers are given' : undefined;
  for (const wrapped of ids) {
    const id = offerIdOf(wrapped);
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
    for (const offer of offers.values()) takeOffer(ctx, offer);
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
    else for (const task of tasks) dropTask(ctx, framework, task, problem);
  }
}

function dropTask(ctx: Context, framework: Framework, task: TaskInfo, problem: string): void {
  const update = ownUpdate(ctx, framework, task, {
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
      return disk(ctx, acceptance, operation);
    default:
      return warn(ctx, `ignoring an operation without a known type of framework ${acceptance.framework.id}`);
  }
}

/** ACCEPT-1. */
function giveBack(ctx: Context, acceptance: Acceptance, used: boolean, filters: Filters | undefined): void {
  const { framework, agent, made } = acceptance;
  const { allocator } = ctx.state;
  const fresh: Resources = made.filter((resource) => contains(acceptance.left, [resource]));
  const rest = subtract(acceptance.left, fresh);
  for (const [, resources] of byRole(rest)) {
    allocator.recoverResources(framework.id, agent.id, resources, ctx.now.monoMs, {
      filters: filters ?? {},
      leftover: used,
    });
  }
  for (const [, resources] of byRole(fresh)) {
    allocator.recoverResources(framework.id, agent.id, resources, ctx.now.monoMs);
  }
}
