// Evaluates a pair of agent and client: the offer that the client may have now, or the wake lists for the pair.
// The cheap tests come first. explain.ts gives the same reasons as data; testing/scan.ts has the rules without shortcuts.

import { type Bundle, containsQuantities, type Quantities } from '@meseta/resources';
import { addAgentTo } from './agent-set.js';
import { isExcluded } from './clients.js';
import { isRefused } from './filters.js';
import { roomUnderLimit, unmetGuarantee } from './roles.js';
import type { Shape } from './shapes.js';
import type { Agent, Client, Role, State } from './state.js';
import { amount, bitOf, type Vector } from './vectors.js';

export const topLevelOf = (role: Role): Role => {
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

/** Whether the shape contains at least one of the client's minimums; without minimums, anything. */
export function meetsMinimum(state: State, client: Client, shape: Shape): boolean {
  if (shape.bundle.isEmpty) return false;
  return client.minimum === undefined ? meetsMasterMinimum(state, shape) : meetsAny(client.minimum, shape);
}

function meetsMasterMinimum(state: State, shape: Shape): boolean {
  shape.meetsMinimum ??= meetsAny(state.settings.minimum, shape);
  return shape.meetsMinimum;
}

/**
 * False if no client can be offered the agent: nothing is free, or less than the master's minimum is free and no
 * framework has minimums of its own. Agents full of tasks often have free ports and disk only.
 */
export const mayYieldOffer = (state: State, { free }: Agent): boolean =>
  !free.bundle.isEmpty && (state.frameworksWithMinimums.size > 0 || meetsMasterMinimum(state, free));

const meetsAny = (sets: readonly Quantities[], { bundle }: Shape): boolean =>
  sets.length === 0 || sets.some((set) => containsQuantities(bundle.quantities, set));

/** The free resources that the client may be offered as far as limits, headroom and filters allow. */
export function visibleTo(state: State, agent: Agent, client: Client): Shape {
  const { free } = agent;
  if (free.isUnrestricted) return free;
  const view = state.shapes.viewOf(free, client.role.name, client.traits);
  if (!view.hasShared) return view;
  // A shared resource is not offered again to a client while it is offered to it.
  const allocation = agent.allocations.get(client);
  if (allocation === undefined) return view;
  return state.shapes.withoutShared(view, state.table.subtract(allocation.offeredOrAllocated, allocation.allocated));
}

/** Used again by each call of `cutToQuota`, which is called for most pairs. */
const allowed: Vector = [];

/**
 * The largest amount of a dimension that the client may be offered: within the room under the limits of its role and its
 * ancestors, and within the surplus plus the unmet guarantee of its own top-level role. Puts the agent `wake`, if given,
 * on the wake lists of what withholds the rest.
 */
function allowedAmount(state: State, client: Client, at: number, wanted: number, wake: Agent | undefined): number {
  let most = wanted;
  for (let role: Role | undefined = client.role; role !== undefined; role = role.parent) {
    const room = roomUnderLimit(role, at);
    if (room >= wanted) continue;
    most = Math.min(most, Math.max(0, room));
    if (wake === undefined) continue;
    addAgentTo(role.withheldByLimit, wake.index);
    role.withheldMask |= bitOf(at);
  }
  const headroom = Math.max(0, surplusOf(state, at)) + unmetGuarantee(topLevelOf(client.role), at);
  if (headroom < wanted) {
    most = Math.min(most, headroom);
    if (wake !== undefined) {
      addAgentTo(state.withheldByHeadroom, wake.index);
      wake.withheldMask |= bitOf(at);
    }
  }
  return most;
}

/** The view without what quota withholds. */
export function cutToQuota(state: State, agent: Agent, client: Client, view: Shape, wake: boolean): Shape {
  const { countable } = view;
  let isCut = false;
  allowed.length = countable.length;
  for (let d = 0; d < countable.length; d++) {
    const wanted = countable[d] as number;
    const most = wanted === 0 ? 0 : allowedAmount(state, client, d, wanted, wake ? agent : undefined);
    allowed[d] = most;
    if (most < wanted) isCut = true;
  }
  return isCut ? state.shapes.cut(view, allowed) : view;
}

/** Whether capabilities, region and offer constraints allow the client to be offered the agent. */
export const isAgentVisible = (agent: Agent, client: Client): boolean =>
  ((agent.requiredTraits & ~client.traits) | (agent.forbiddenTraits & client.traits)) === 0 &&
  !isExcluded(client, agent);

/** The resources to offer to the client (unallocated form); undefined: none, and the pair is on the reason's wake list. */
export function evaluate(state: State, agent: Agent, client: Client): Bundle | undefined {
  state.pairsExamined++;
  if (!isAgentVisible(agent, client)) return undefined;
  let shape = visibleTo(state, agent, client);
  if (!meetsMinimum(state, client, shape)) return undefined;
  if (state.quotaRoles.size > 0) {
    shape = cutToQuota(state, agent, client, shape, true);
    if (!meetsMinimum(state, client, shape)) return undefined;
  }
  if (isRefused(state.filters, agent.index, client.index, shape.bundle)) return undefined;
  return shape.bundle;
}

/** Whether the agent has resources that serve the unmet guarantee of the client's top-level role. */
export function canServeGuarantee(state: State, agent: Agent, client: Client): boolean {
  const top = topLevelOf(client.role);
  if (top.guarantees === undefined || !isAgentVisible(agent, client)) return false;
  const { countable } = visibleTo(state, agent, client);
  for (let d = 0; d < countable.length; d++) {
    if ((countable[d] as number) > 0 && unmetGuarantee(top, d) > 0 && hasRoom(client, d)) return true;
  }
  return false;
}

function hasRoom(client: Client, at: number): boolean {
  for (let role: Role | undefined = client.role; role !== undefined; role = role.parent) {
    if (roomUnderLimit(role, at) <= 0) return false;
  }
  return true;
}
