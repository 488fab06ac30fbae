// A run: evaluates the pairs that woke since the last run, and no others (ALLOCATOR-1).
//
// Agents are taken in random order, shuffled again for each stage. On an agent, clients come in the order of fair
// sharing, and the first client that may be offered resources is offered all that it may have. The first stage serves
// roles with unmet guarantees, the second every client; then come the agents that a limit or headroom withheld.
import { present, shuffle, takeDueDeadline, uniform } from '@meseta/base';
import type { Bundle } from '@meseta/resources';
import { removeAgentFrom, visitAgents } from './agent-set.js';
import { allocateToClient, isOfferable } from './allocations.js';
import { canServeGuarantee, evaluate, mayYieldOffer, needsHeadroom, surplusOf } from './evaluate.js';
import { expireFilters } from './filters.js';
import { makeInverseOffers } from './inverse-offers.js';
import { allocatedBundleOf, countOffer, removeQuotaRoleIfUnset, roomUnderLimit, unmetGuarantee } from './roles.js';
import { isBefore, type SortEntry, type SortGroup, updateOrder } from './sort-group.js';
import type { Agent, Client, Role, State } from './state.js';
import type { Decisions } from './types.js';
import { amount, bitOf, type Vector } from './vectors.js';

/** Which clients a walk evaluates. */
type ClientFilter = (client: Client) => boolean;

const everyClient: ClientFilter = () => true;

export function run(state: State, now: number): Decisions {
  drainExpired(state, now);
  if (isPaused(state, now)) return { offers: [], inverseOffers: [] };
  state.runs++;
  state.offers = [];
  if (hasOfferWork(state)) allocate(state);
  return { offers: state.offers, inverseOffers: makeInverseOffers(state, now) };
}

export const hasOfferWork = (state: State): boolean =>
  state.dirtyAgents.size > 0 ||
  state.dirtyClients.size > 0 ||
  state.agentsWithWokenClients.size > 0 ||
  state.quotaDirty;

/** Whether runs are paused. Ends the recovery after a failover when enough agents were added or its timeout ended. */
export function isPaused(state: State, now: number): boolean {
  const { recovery } = state;
  if (recovery !== undefined && (state.agents.size >= recovery.expectedAgents || now >= recovery.untilMs)) {
    state.recovery = undefined;
  }
  return state.paused || state.recovery !== undefined;
}

function drainExpired(state: State, now: number): void {
  expireFilters(state.filters, now, (agentIndex, clientIndex) => {
    const agent = present(state.agentSlots[agentIndex], 'the agent of a filter');
    const client = present(state.clientSlots[clientIndex], 'the client of a filter');
    agent.wokenClients.add(client);
    state.agentsWithWokenClients.add(agent);
  });
  for (
    let agent = takeDueDeadline(state.cooldowns, now);
    agent !== undefined;
    agent = takeDueDeadline(state.cooldowns, now)
  ) {
    state.cooldownUntilMs.delete(agent);
    state.dirtyAgents.add(agent);
  }
}

function allocate(state: State): void {
  const work: Agent[] = [];
  for (const agent of state.dirtyClients.size > 0 ? state.agents.values() : workedAgents(state)) {
    if (canOffer(state, agent)) work.push(agent);
  }
  if (needsHeadroom(state)) {
    serveGuarantees(state, shuffle(state.random, work));
    serveGrownGuarantees(state);
  }
  shuffle(state.random, work);
  const dirty = [...state.dirtyClients];
  for (const agent of work) {
    if (state.dirtyAgents.has(agent)) walk(state, state.rootGroup, agent, everyClient);
    else serveWokenClients(state, agent, dirty);
  }
  for (const role of state.quotaRoles) serveWithheldByLimit(state, role);
  serveWithheldByHeadroom(state);
  recordRooms(state);
  for (const agent of state.agentsWithWokenClients) agent.wokenClients.clear();
  state.agentsWithWokenClients.clear();
  state.dirtyAgents.clear();
  state.dirtyClients.clear();
  state.quotaDirty = false;
}

function* workedAgents(state: State): Iterable<Agent> {
  yield* state.dirtyAgents;
  for (const agent of state.agentsWithWokenClients) if (!state.dirtyAgents.has(agent)) yield agent;
}

/** So many clients are compared with each other at less cost than a walk over all clients. */
const MAX_COMPARED_CLIENTS = 8;

/** Serves the clients that woke. A few are compared with each other; many are found by a walk over all clients. */
function serveWokenClients(state: State, agent: Agent, dirty: readonly Client[]): void {
  const clients = agent.wokenClients.size === 0 ? dirty : [...new Set([...dirty, ...agent.wokenClients])];
  if (clients.length > MAX_COMPARED_CLIENTS || (clients.length > 1 && isRandom(state))) {
    walk(state, state.rootGroup, agent, isDirtyOn(state, agent));
    return;
  }
  const remaining = clients.filter((client) => client.active);
  while (remaining.length > 0 && mayYieldOffer(state, agent)) {
    let first = 0;
    for (let i = 1; i < remaining.length; i++) {
      if (comesBefore(state, remaining[i] as Client, remaining[first] as Client)) first = i;
    }
    offerTo(state, agent, remaining.splice(first, 1)[0] as Client);
  }
}

const isRandom = (state: State): boolean =>
  state.rootGroup.kind === 'random' || state.settings.frameworkSorter === 'random';

function isDirtyOn(state: State, agent: Agent): ClientFilter {
  if (state.dirtyAgents.has(agent)) return everyClient;
  return (client) => state.dirtyClients.has(client) || agent.wokenClients.has(client);
}

// --- the order of fair sharing

/**
 * Evaluates the wanted clients below the group in the order of fair sharing. An offer changes the order: then the walk
 * starts again without the clients that were evaluated, while the agent has free resources.
 */
function walk(state: State, group: SortGroup<Role>, agent: Agent, isWanted: ClientFilter): void {
  state.walks++;
  let hasOffered = true;
  while (hasOffered && mayYieldOffer(state, agent)) hasOffered = walkRoles(state, group, agent, isWanted);
}

/** Returns whether an offer was made. */
function walkRoles(state: State, group: SortGroup<Role>, agent: Agent, isWanted: ClientFilter): boolean {
  updateOrder(group, state.cluster, state.random);
  const { entries, order } = group;
  for (let i = 0; i < entries.length; i++) {
    const entry = entries[order[i] as number] as SortEntry<Role>;
    const role = entry.owner;
    const hasOffered =
      entry === role.own
        ? walkClients(state, role.clients, agent, isWanted)
        : walkRoles(state, role.group, agent, isWanted);
    if (hasOffered) return true;
  }
  return false;
}

function walkClients(state: State, group: SortGroup<Client>, agent: Agent, isWanted: ClientFilter): boolean {
  updateOrder(group, state.cluster, state.random);
  const { entries, order } = group;
  for (let i = 0; i < entries.length; i++) {
    const client = (entries[order[i] as number] as SortEntry<Client>).owner;
    if (client.lastWalk === state.walks) continue;
    client.lastWalk = state.walks;
    if (isWanted(client) && offerTo(state, agent, client)) return true;
  }
  return false;
}

/** Compares two active clients; for sorters that are not random. */
function comesBefore(state: State, a: Client, b: Client): boolean {
  if (a.role === b.role) {
    updateOrder(a.role.clients, state.cluster, state.random);
    return isBefore(a.role.clients, a.entry, b.entry);
  }
  let at = 0;
  while (a.role.path[at] === b.role.path[at]) at++;
  const left = a.role.path[at] as SortEntry<Role>;
  const { owner } = left;
  const group = left === owner.own ? owner.group : (owner.parent?.group ?? state.rootGroup);
  updateOrder(group, state.cluster, state.random);
  return isBefore(group, left, b.role.path[at] as SortEntry<Role>);
}

function offerTo(state: State, agent: Agent, client: Client): boolean {
  const bundle = evaluate(state, agent, client);
  if (bundle === undefined) return false;
  const guaranteed = guaranteedIn(state, client.role, bundle);
  allocateToClient(state, agent, client, bundle, false);
  countOffer(state, client);
  state.offersMade++;
  state.offers.push({
    frameworkId: client.framework.id,
    role: client.role.name,
    agentId: agent.id,
    resources: allocatedBundleOf(client.role, bundle),
    guaranteed,
  });
  return true;
}

// --- quota

/** The names of the bundle's unreserved scalars that bring the role closer to its guarantee. */
function guaranteedIn(state: State, role: Role, bundle: Bundle): readonly string[] {
  const { countable } = state.shapes.of(bundle);
  const names: string[] = [];
  for (let d = 0; d < countable.length; d++) {
    if ((countable[d] as number) > 0 && unmetGuarantee(role, d) > 0) names.push(state.dimensions.names[d] as string);
  }
  return names;
}

const ALL_DIMENSIONS = -1;

const hasUnmet = (role: Role, mask: number): boolean =>
  hasAnyLeft(role.guarantees?.length ?? 0, (d) => unmetGuarantee(role, d), mask);

/** The first stage: on each agent the roles with an unmet guarantee that the agent can serve, in order. */
function serveGuarantees(state: State, work: readonly Agent[]): void {
  let roles = [...state.quotaRoles].filter((role) => role.activeClients > 0);
  let comparedAtOffer: number | undefined;
  for (const agent of work) {
    if (comparedAtOffer !== state.offersMade) {
      roles = roles.filter((role) => hasUnmet(role, ALL_DIMENSIONS));
      if (roles.length === 0) return;
      updateOrder(state.rootGroup, state.cluster, state.random);
      roles.sort((a, b) => (isBefore(state.rootGroup, a.subtree, b.subtree) ? -1 : 1));
      comparedAtOffer = state.offersMade;
    }
    const isDirty = isDirtyOn(state, agent);
    for (const role of roles) {
      walk(state, role.group, agent, (client) => isDirty(client) && canServeGuarantee(state, agent, client));
    }
  }
}

/** Serves roles whose unmet guarantee grew from the agents that headroom withheld. */
function serveGrownGuarantees(state: State): void {
  for (const role of state.quotaRoles) {
    if (role.activeClients === 0) continue;
    const grown = grownMask(role.guarantees?.length ?? 0, (d) => unmetGuarantee(role, d), role.lastUnmet);
    if (grown === 0) continue;
    visitAgents(state.withheldByHeadroom, uniform(state.random), (index) => {
      if (!hasUnmet(role, grown)) return false;
      const agent = agentAt(state, index);
      if (agent.withheldMask & grown && canOffer(state, agent)) {
        walk(state, role.group, agent, everyClient);
      }
      return true;
    });
  }
}

/** Serves the agents of which the role's limit withheld resources, if the room under the limit grew. */
function serveWithheldByLimit(state: State, role: Role): void {
  if (role.withheldByLimit.size === 0) return;
  const mask = role.withheldMask;
  const room = (d: number): number => roomUnderLimit(role, d);
  const size = Math.max(role.limits?.length ?? 0, role.lastRoom.length);
  const grown = mask & grownMask(size, room, role.lastRoom);
  if (grown === 0) return;
  role.withheldMask = 0;
  visitAgents(role.withheldByLimit, uniform(state.random), (index) => {
    if (!hasAnyLeft(size, room, grown)) {
      role.withheldMask |= mask;
      return false;
    }
    removeAgentFrom(role.withheldByLimit, index);
    const agent = agentAt(state, index);
    if (canOffer(state, agent)) walk(state, role.group, agent, everyClient);
    return true;
  });
}

/** Serves the agents of which headroom withheld resources, if the surplus grew. */
function serveWithheldByHeadroom(state: State): void {
  const surplus = (d: number): number => surplusOf(state, d);
  const size = state.required.length;
  const grown = grownMask(size, surplus, state.lastSurplus);
  if (grown === 0) return;
  visitAgents(state.withheldByHeadroom, uniform(state.random), (index) => {
    if (!hasAnyLeft(size, surplus, grown)) return false;
    const agent = agentAt(state, index);
    if (!(agent.withheldMask & grown)) return true;
    removeAgentFrom(state.withheldByHeadroom, index);
    agent.withheldMask = 0;
    if (canOffer(state, agent)) walk(state, state.rootGroup, agent, everyClient);
    return true;
  });
}

/** An agent of a wake list; removed agents leave these lists. */
const agentAt = (state: State, index: number): Agent => present(state.agentSlots[index], 'the agent of a wake list');

const canOffer = (state: State, agent: Agent): boolean =>
  !agent.free.bundle.isEmpty && isOfferable(agent) && !state.cooldownUntilMs.has(agent);

/** A mask of the dimensions whose value is greater than before. */
function grownMask(size: number, amountAt: (d: number) => number, before: Vector): number {
  let mask = 0;
  for (let d = 0; d < size; d++) if (amountAt(d) > amount(before, d)) mask |= bitOf(d);
  return mask;
}

function hasAnyLeft(size: number, amountAt: (d: number) => number, mask: number): boolean {
  for (let d = 0; d < size; d++) if (mask & bitOf(d) && amountAt(d) > 0) return true;
  return false;
}

function recordRooms(state: State): void {
  // Headroom withholds only resources of which some are required.
  state.lastSurplus = state.required.map((_, d) => surplusOf(state, d));
  for (const role of [...state.quotaRoles]) {
    role.lastRoom = (role.limits ?? []).map((_, d) => roomUnderLimit(role, d));
    role.lastUnmet = (role.guarantees ?? []).map((_, d) => unmetGuarantee(role, d));
    removeQuotaRoleIfUnset(state, role);
  }
}
