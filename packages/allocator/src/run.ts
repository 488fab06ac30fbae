// A run: looks at what woke since the last one, and at nothing else (ALLOCATOR-1).
//
// Agents are taken in random order, anew for each stage. On an agent, clients come in the order of fair sharing, and
// the first that may have something takes all that it may have. Stage one serves roles that lack something to their
// guarantee; stage two everybody; then come those whom a limit or others' headroom held back.

import { earliestDeadline, shuffle, takeDueDeadline, uniform } from '@meseta/base';
import type { Bundle } from '@meseta/resources';
import { removeAgentFrom, visitAgents } from './agent-set.js';
import { bringsGuaranteed, evaluate, isWorthALook, needsHeadroom, surplusOf } from './evaluate.js';
import { expireFilters } from './filters.js';
import { hold, isOfferable } from './holdings.js';
import { makeInverseOffers } from './inverse-offers.js';
import { allocatedForm, countOffer, releaseIfUnused, roomOf, unmetOf } from './roles.js';
import { isBefore, refresh, type SortEntry, type SortGroup } from './sort-group.js';
import type { Agent, Client, Role, State } from './state.js';
import type { Decisions } from './types.js';
import { amount, bitOf, type Vector } from './vectors.js';

/** Who is looked at on an agent. */
type Wanted = (client: Client) => boolean;

const everybody: Wanted = () => true;

export function run(state: State, now: number): Decisions {
  drainExpired(state, now);
  if (isPaused(state, now)) return { offers: [], inverseOffers: [] };
  state.runs++;
  state.offers = [];
  if (hasOfferWork(state)) allocate(state);
  const { offers } = state;
  state.offers = [];
  return {
    offers,
    inverseOffers: state.inverseDirty.size > 0 || isInverseDue(state, now) ? makeInverseOffers(state, now) : [],
  };
}

const isInverseDue = (state: State, now: number): boolean =>
  (earliestDeadline(state.inverseFilters) ?? Infinity) <= now;

export const hasOfferWork = (state: State): boolean =>
  state.dirtyAgents.size > 0 || state.dirtyClients.size > 0 || state.pairedAgents.size > 0 || state.quotaDirty;

/** Ends the recovery after a failover when enough agents are known or its time is over. */
export function isPaused(state: State, now: number): boolean {
  const { recovery } = state;
  if (recovery !== undefined && (state.agents.size >= recovery.expectedAgents || now >= recovery.untilMs)) {
    state.recovery = undefined;
  }
  return state.paused || state.recovery !== undefined;
}

function drainExpired(state: State, now: number): void {
  expireFilters(state.filters, now, (agentIndex, clientIndex) => {
    const agent = state.agentSlots[agentIndex];
    const client = state.clientSlots[clientIndex];
    if (agent === undefined || client === undefined || !client.active) return;
    agent.pairs.add(client);
    state.pairedAgents.add(agent);
  });
  for (let agent = takeDueDeadline(state.rests, now); agent !== undefined; agent = takeDueDeadline(state.rests, now)) {
    state.restUntil.delete(agent);
    state.dirtyAgents.add(agent);
  }
}

function allocate(state: State): void {
  const hasQuota = state.quotaRoles.size > 0;
  const work: Agent[] = [];
  for (const agent of state.dirtyClients.size > 0 ? state.agents.values() : workedAgents(state)) {
    if (canOffer(state, agent)) work.push(agent);
  }
  state.merged = hasQuota && needsHeadroom(state) ? new Map() : undefined;
  if (state.merged !== undefined) {
    serveGuarantees(state, shuffle(state.random, work));
    serveUnmet(state);
  }
  shuffle(state.random, work);
  const dirty = [...state.dirtyClients];
  for (const agent of work) {
    if (state.dirtyAgents.has(agent)) walk(state, state.rootGroup, agent, everybody);
    else serveSome(state, agent, dirty);
  }
  if (hasQuota) {
    for (const role of state.quotaRoles) serveUnblocked(state, role);
    serveHeldBack(state);
    rememberRooms(state);
  }
  for (const agent of state.pairedAgents) agent.pairs.clear();
  state.pairedAgents.clear();
  state.dirtyAgents.clear();
  state.dirtyClients.clear();
  state.quotaDirty = false;
}

function* workedAgents(state: State): Iterable<Agent> {
  yield* state.dirtyAgents;
  for (const agent of state.pairedAgents) if (!state.dirtyAgents.has(agent)) yield agent;
}

/** The clients that woke, in order: a few are compared, many are met on a walk over all. */
function serveSome(state: State, agent: Agent, dirty: readonly Client[]): void {
  const clients = agent.pairs.size === 0 ? dirty : [...new Set([...dirty, ...agent.pairs])];
  if (clients.length > 8 || (clients.length > 1 && isRandom(state))) {
    walk(state, state.rootGroup, agent, wokenOf(state, agent));
    return;
  }
  const left = clients.filter((client) => client.active);
  while (left.length > 0 && isWorthALook(state, agent)) {
    let first = 0;
    for (let i = 1; i < left.length; i++) {
      if (comesBefore(state, left[i] as Client, left[first] as Client)) first = i;
    }
    offerTo(state, agent, left.splice(first, 1)[0] as Client);
  }
}

const isRandom = (state: State): boolean =>
  state.rootGroup.kind === 'random' || state.settings.frameworkSorter === 'random';

function wokenOf(state: State, agent: Agent): Wanted {
  if (state.dirtyAgents.has(agent)) return everybody;
  return (client) => state.dirtyClients.has(client) || agent.pairs.has(client);
}

// --- the order of fair sharing

/**
 * Looks at the wanted clients below the group in the order of fair sharing. An offer changes the order: then, if
 * something is left, the walk begins again without those that were looked at.
 */
function walk(state: State, group: SortGroup<Role>, agent: Agent, wanted: Wanted): void {
  state.pass++;
  let goesOn = true;
  while (goesOn && isWorthALook(state, agent)) goesOn = walkRoles(state, group, agent, wanted);
}

/** Whether an offer was made. */
function walkRoles(state: State, group: SortGroup<Role>, agent: Agent, wanted: Wanted): boolean {
  refresh(group, state.cluster, state.random);
  const { entries, order } = group;
  for (let i = 0; i < entries.length; i++) {
    const entry = entries[order[i] as number] as SortEntry<Role>;
    const role = entry.owner;
    const made =
      entry === role.own
        ? walkClients(state, role.clients, agent, wanted)
        : walkRoles(state, role.group, agent, wanted);
    if (made) return true;
  }
  return false;
}

function walkClients(state: State, group: SortGroup<Client>, agent: Agent, wanted: Wanted): boolean {
  refresh(group, state.cluster, state.random);
  const { entries, order } = group;
  for (let i = 0; i < entries.length; i++) {
    const client = (entries[order[i] as number] as SortEntry<Client>).owner;
    if (client.pass === state.pass) continue;
    client.pass = state.pass;
    if (wanted(client) && offerTo(state, agent, client)) return true;
  }
  return false;
}

/** Any two active clients, where neither sorter is random. */
function comesBefore(state: State, a: Client, b: Client): boolean {
  if (a.role === b.role) {
    refresh(a.role.clients, state.cluster, state.random);
    return isBefore(a.role.clients, a.entry, b.entry);
  }
  let at = 0;
  while (a.role.path[at] === b.role.path[at]) at++;
  const left = a.role.path[at] as SortEntry<Role>;
  const { owner } = left;
  const group = left === owner.own ? owner.group : (owner.parent?.group ?? state.rootGroup);
  refresh(group, state.cluster, state.random);
  return isBefore(group, left, b.role.path[at] as SortEntry<Role>);
}

function offerTo(state: State, agent: Agent, client: Client): boolean {
  const bundle = evaluate(state, agent, client);
  if (bundle === undefined) return false;
  const guaranteed = guaranteedIn(state, client.role, bundle);
  hold(state, agent, client, bundle, false);
  countOffer(state, client);
  const resources = allocatedForm(client.role, bundle);
  // Two stages may give one client two parts of an agent: they are one offer.
  const key = client.index * state.agentSlots.length + agent.index;
  const at = state.merged?.get(key);
  const earlier = at === undefined ? undefined : state.offers[at];
  if (at !== undefined && earlier !== undefined) {
    state.offers[at] = { ...earlier, resources: state.table.add(earlier.resources, resources) };
    return true;
  }
  state.merged?.set(key, state.offers.length);
  state.offersMade++;
  state.offers.push({
    frameworkId: client.framework.id,
    role: client.role.name,
    agentId: agent.id,
    resources,
    guaranteed,
  });
  return true;
}

// --- quota

/** The names of the bundle's unreserved scalars that bring the role closer to its guarantee. */
function guaranteedIn(state: State, role: Role, bundle: Bundle): readonly string[] {
  if (role.guarantees === undefined) return [];
  const { countable } = state.shapes.of(bundle);
  const names: string[] = [];
  for (let d = 0; d < countable.length; d++) {
    if ((countable[d] as number) > 0 && unmetOf(role, d) > 0) names.push(state.dimensions.names[d] as string);
  }
  return names;
}

const hasUnmet = (role: Role, mask = -1): boolean => {
  const guarantees = role.guarantees ?? [];
  for (let d = 0; d < guarantees.length; d++) if (unmetOf(role, d) > 0 && mask & bitOf(d)) return true;
  return false;
};

/** Stage one: on each agent the roles that lack something of what it has, in order. */
function serveGuarantees(state: State, work: readonly Agent[]): void {
  let roles = [...state.quotaRoles].filter((role) => role.parent === undefined && role.active > 0 && hasUnmet(role));
  let made = -1;
  for (const agent of work) {
    if (made !== state.offersMade) {
      roles = roles.filter((role) => hasUnmet(role));
      if (roles.length === 0) return;
      refresh(state.rootGroup, state.cluster, state.random);
      roles.sort((a, b) => (isBefore(state.rootGroup, a.subtree, b.subtree) ? -1 : 1));
      made = state.offersMade;
    }
    const woken = wokenOf(state, agent);
    for (const role of roles) {
      walk(state, role.group, agent, (client) => woken(client) && bringsGuaranteed(state, agent, client));
    }
  }
}

/** Roles that lack more than they did: what is held back is for them. */
function serveUnmet(state: State): void {
  for (const role of state.quotaRoles) {
    if (role.active === 0) continue;
    const grown = grownMask(role.guarantees?.length ?? 0, (d) => unmetOf(role, d), role.lastUnmet);
    if (grown === 0) continue;
    visitAgents(state.heldBack, uniform(state.random), (index) => {
      if (!hasUnmet(role, grown)) return false;
      const agent = state.agentSlots[index];
      if (agent !== undefined && agent.heldBackMask & grown && canOffer(state, agent)) {
        walk(state, role.group, agent, everybody);
      }
      return true;
    });
  }
}

/** Agents of which the role's limit withheld something, while there is new room under it. */
function serveUnblocked(state: State, role: Role): void {
  if (role.blocked.size === 0) return;
  const mask = role.blockedMask;
  const room = (d: number): number => roomOf(role, d);
  const size = Math.max(role.limits?.length ?? 0, role.lastRoom.length);
  const grown = mask & grownMask(size, room, role.lastRoom);
  if (grown === 0) return;
  role.blockedMask = 0;
  visitAgents(role.blocked, uniform(state.random), (index) => {
    if (!isAnyLeft(size, room, grown)) {
      role.blockedMask |= mask;
      return false;
    }
    removeAgentFrom(role.blocked, index);
    const agent = state.agentSlots[index];
    if (agent !== undefined && canOffer(state, agent)) walk(state, role.group, agent, everybody);
    return true;
  });
}

/** Agents that were held back for others' guarantees, while there is more surplus than there was. */
function serveHeldBack(state: State): void {
  const surplus = (d: number): number => surplusOf(state, d);
  const size = Math.max(state.available.length, state.required.length);
  const grown = grownMask(size, surplus, state.lastSurplus);
  if (grown === 0) return;
  visitAgents(state.heldBack, uniform(state.random), (index) => {
    if (!isAnyLeft(size, surplus, grown)) return false;
    const agent = state.agentSlots[index];
    if (agent !== undefined && !(agent.heldBackMask & grown)) return true;
    removeAgentFrom(state.heldBack, index);
    if (agent === undefined) return true;
    agent.heldBackMask = 0;
    if (canOffer(state, agent)) walk(state, state.rootGroup, agent, everybody);
    return true;
  });
}

const canOffer = (state: State, agent: Agent): boolean =>
  !agent.free.bundle.isEmpty && isOfferable(agent) && !state.restUntil.has(agent);

/** The dimensions that are more than they were, and above zero. */
function grownMask(size: number, of: (d: number) => number, before: Vector): number {
  let mask = 0;
  for (let d = 0; d < size; d++) if (of(d) > 0 && of(d) > amount(before, d)) mask |= bitOf(d);
  return mask;
}

function isAnyLeft(size: number, of: (d: number) => number, mask: number): boolean {
  for (let d = 0; d < size; d++) if (mask & bitOf(d) && of(d) > 0) return true;
  return false;
}

function rememberRooms(state: State): void {
  const size = Math.max(state.available.length, state.required.length);
  state.lastSurplus = Array.from({ length: size }, (_, d) => surplusOf(state, d));
  for (const role of [...state.quotaRoles]) {
    role.lastRoom = Array.from({ length: role.limits?.length ?? 0 }, (_, d) => roomOf(role, d));
    role.lastUnmet = Array.from({ length: role.guarantees?.length ?? 0 }, (_, d) => unmetOf(role, d));
    releaseIfUnused(state, role);
  }
}
