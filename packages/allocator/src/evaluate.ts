// One pair of agent and client: what it may be offered now, or nothing, and which lists will wake it.
// The order of the tests is from cheap to dear; explain.ts says the same in words, testing/scan.ts without any shortcut.

import { type Bundle, containsQuantities, type Quantities } from '@meseta/resources';
import { addAgentTo } from './agent-set.js';
import { isExcluded } from './clients.js';
import { isRefused } from './filters.js';
import { roomOf, unmetOf } from './roles.js';
import type { Shape } from './shapes.js';
import type { Agent, Client, Role, State } from './state.js';
import { amount, bitOf, type Vector } from './vectors.js';

export const topOf = (role: Role): Role => {
  let top = role;
  while (top.parent !== undefined) top = top.parent;
  return top;
};

/** available - required; negative where guarantees can't all be met. */
export const surplusOf = (state: State, at: number): number => amount(state.available, at) - amount(state.required, at);

export const needsHeadroom = (state: State): boolean => {
  const { required } = state;
  for (let d = 0; d < required.length; d++) if ((required[d] as number) > 0) return true;
  return false;
};

/** An offer must contain at least one of the sets, if there are any. */
export function meetsMinimum(state: State, client: Client, shape: Shape): boolean {
  if (shape.bundle.isEmpty) return false;
  return client.minimum === undefined ? meetsMasters(state, shape) : meetsOne(client.minimum, shape);
}

function meetsMasters(state: State, shape: Shape): boolean {
  shape.meetsMinimum ??= meetsOne(state.settings.minimum, shape);
  return shape.meetsMinimum;
}

/**
 * False: whoever looked at the agent would find nothing free, or (nobody having a minimum of his own) too little, since
 * everybody sees all of it or less. Ports and disk that nobody has cpus for are the rule where tasks run.
 */
export const isWorthALook = (state: State, { free }: Agent): boolean =>
  !free.bundle.isEmpty && (state.withMinimums.size > 0 || meetsMasters(state, free));

const meetsOne = (sets: readonly Quantities[], { bundle }: Shape): boolean =>
  sets.length === 0 || sets.some((set) => containsQuantities(bundle.quantities, set));

/** What of the agent's free resources the client could be shown, limits, headroom and filters apart. */
export function visibleTo(state: State, agent: Agent, client: Client): Shape {
  const { free } = agent;
  if (free.plain) return free;
  const view = state.shapes.viewOf(free, client.role.name, client.traits);
  if (!view.hasShared) return view;
  // A shared resource isn't offered again to who is already being offered it.
  const holding = agent.holdings.get(client);
  if (holding === undefined) return view;
  return state.shapes.withoutShared(view, state.table.subtract(holding.held, holding.allocated));
}

const allowed: Vector = [];

/**
 * The most of a dimension that the client may get: what the limits of its role and of all roles above leave, and what
 * others' guarantees leave (its own subtree's unmet guarantee on top). `wake`: notes on their lists what withheld.
 */
function allowedOf(state: State, client: Client, at: number, wanted: number, wake: Agent | undefined): number {
  let most = wanted;
  for (let role: Role | undefined = client.role; role !== undefined; role = role.parent) {
    const room = roomOf(role, at);
    if (room >= wanted) continue;
    most = Math.min(most, Math.max(0, room));
    if (wake === undefined) continue;
    addAgentTo(role.blocked, wake.index);
    role.blockedMask |= bitOf(at);
  }
  const headroom = Math.max(0, surplusOf(state, at)) + unmetOf(topOf(client.role), at);
  if (headroom < wanted) {
    most = Math.min(most, headroom);
    if (wake !== undefined) {
      addAgentTo(state.heldBack, wake.index);
      wake.heldBackMask |= bitOf(at);
    }
  }
  return most;
}

/** `view`, cut to what quota allows. */
export function cutToQuota(state: State, agent: Agent, client: Client, view: Shape, wake: boolean): Shape {
  const { countable } = view;
  let isCut = false;
  allowed.length = countable.length;
  for (let d = 0; d < countable.length; d++) {
    const wanted = countable[d] as number;
    const most = wanted === 0 ? 0 : allowedOf(state, client, d, wanted, wake ? agent : undefined);
    allowed[d] = most;
    if (most < wanted) isCut = true;
  }
  return isCut ? state.shapes.cut(view, allowed) : view;
}

/** Whether capabilities and constraints let the client see the agent at all. */
export const isVisible = (agent: Agent, client: Client): boolean =>
  ((agent.needs & ~client.traits) | (agent.forbids & client.traits)) === 0 && !isExcluded(client, agent);

/** What the client is to be offered (unallocated form); undefined: nothing, for a reason that is on its list. */
export function evaluate(state: State, agent: Agent, client: Client): Bundle | undefined {
  state.pairsExamined++;
  if (!isVisible(agent, client)) return undefined;
  let shape = visibleTo(state, agent, client);
  if (!meetsMinimum(state, client, shape)) return undefined;
  if (state.quotaRoles.size > 0) {
    shape = cutToQuota(state, agent, client, shape, true);
    if (!meetsMinimum(state, client, shape)) return undefined;
  }
  if (isRefused(state.filters, agent.index, client.index, shape.bundle)) return undefined;
  return shape.bundle;
}

/** Whether the agent brings something that the client's roles lack to their guarantee. */
export function bringsGuaranteed(state: State, agent: Agent, client: Client): boolean {
  const top = topOf(client.role);
  if (top.guarantees === undefined || !isVisible(agent, client)) return false;
  const { countable } = visibleTo(state, agent, client);
  for (let d = 0; d < countable.length; d++) {
    if ((countable[d] as number) > 0 && unmetOf(top, d) > 0 && isOpen(client, d)) return true;
  }
  return false;
}

function isOpen(client: Client, at: number): boolean {
  for (let role: Role | undefined = client.role; role !== undefined; role = role.parent) {
    if (roomOf(role, at) <= 0) return false;
  }
  return true;
}
