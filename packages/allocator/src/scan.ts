// The plain way to the same end: every agent with every client, object by object, nothing remembered, no list of who
// is to be woken. After a run it finds nothing (I1). It is the oracle of the property tests and of the simulator, and
// the yardstick of bench/allocator. It shares with the fast way the records of what is held and refused, no more.

import {
  addQuantities,
  allocatableTo,
  allocate,
  contains,
  containsQuantities,
  hasRefinedReservations,
  isInSubtree,
  isRevocable,
  isShared,
  limit,
  nonShared,
  noQuantities,
  type Quantities,
  quantitiesFromAmounts,
  quantitiesOf,
  quantity,
  type Resources,
  reservationsByRole,
  shrinkToLimits,
  subtract,
  subtractQuantities,
  unallocate,
} from '@meseta/resources';
import type { FrameworkInfoCapabilityType } from '@meseta/wire';
import { filtersOf } from './filters.js';
import { isCountable } from './shapes.js';
import type { Agent, Client, State } from './state.js';
import type { OfferDecision } from './types.js';

/** What would be offered now. `most`: stops at that many. */
export function scan(state: State, most = Number.POSITIVE_INFINITY): OfferDecision[] {
  const found: OfferDecision[] = [];
  if (state.paused || state.recovery !== undefined) return found;
  const quota = quotaNow(state);
  for (const agent of state.agents.values()) {
    if (!isOffered(state, agent)) continue;
    const free = freeOf(agent);
    for (const framework of state.frameworks.values()) {
      for (const client of framework.clients.values()) {
        const list = free.length === 0 ? [] : offerable(state, quota, agent, free, client);
        if (list.length === 0) continue;
        const role = client.role.name;
        const resources = state.table.intern(allocate(list, role));
        found.push({ frameworkId: framework.id, role, agentId: agent.id, resources });
        if (found.length >= most) return found;
      }
    }
  }
  return found;
}

const isOffered = (state: State, agent: Agent): boolean =>
  agent.active &&
  (state.whitelist === undefined || state.whitelist.has(agent.info.hostname)) &&
  !state.restUntil.has(agent);

/** The total without what is held; shared resources stay. */
function freeOf(agent: Agent): Resources {
  let free = agent.total.resources;
  for (const { held } of agent.holdings.values()) free = subtract(free, nonShared(held.resources));
  for (const held of agent.untracked.values()) free = subtract(free, nonShared(unallocate(held.resources)));
  return free;
}

interface QuotaNow {
  readonly consumed: (role: string) => Quantities;
  readonly surplus: Quantities;
  readonly isAnyRequired: boolean;
}

function quotaNow(state: State): QuotaNow {
  const reserved: [string, Quantities][] = [];
  const held: [string, Quantities][] = [];
  let available = noQuantities;
  for (const agent of state.agents.values()) {
    for (const [role, list] of reservationsByRole(agent.total.resources)) reserved.push([role, quantitiesOf(list)]);
    for (const [client, holding] of agent.holdings) {
      held.push([client.role.name, quantitiesOf(holding.held.resources.filter(isCountable))]);
    }
    const whitelisted = state.whitelist === undefined || state.whitelist.has(agent.info.hostname);
    if (!agent.active || !whitelisted) continue;
    available = addQuantities(available, quantitiesOf(freeOf(agent).filter(isCountable)));
  }
  const memo = new Map<string, Quantities>();
  const consumed = (role: string): Quantities => {
    let sum = memo.get(role);
    if (sum !== undefined) return sum;
    sum = noQuantities;
    for (const [at, amounts] of [...reserved, ...held]) if (isInSubtree(at, role)) sum = addQuantities(sum, amounts);
    memo.set(role, sum);
    return sum;
  };
  let required = noQuantities;
  for (const { name, quota } of state.quotaRoles) {
    if (quota !== undefined) required = addQuantities(required, subtractQuantities(quota.guarantees, consumed(name)));
  }
  return { consumed, surplus: subtractQuantities(available, required), isAnyRequired: required.names.length > 0 };
}

function offerable(state: State, quota: QuotaNow, agent: Agent, free: Resources, client: Client): Resources {
  const { framework } = client;
  const role = client.role.name;
  const can = (type: FrameworkInfoCapabilityType): boolean =>
    (framework.info.capabilities ?? []).some((capability) => capability.type === type);
  if (!framework.active || !framework.roles.has(role) || framework.suppressed.has(role)) return [];
  if (!maySee(state, agent, role, can) || framework.constraints?.excludes(role, agent.info)) return [];
  const holding = agent.holdings.get(client);
  const offered = holding === undefined ? [] : subtract(holding.held.resources, holding.allocated.resources);
  const visible = subtract(allocatableTo(free, role), offered.filter(isShared)).filter(
    (r) =>
      (can('SHARED_RESOURCES') || !isShared(r)) &&
      (can('REVOCABLE_RESOURCES') || !isRevocable(r)) &&
      (can('RESERVATION_REFINEMENT') || !hasRefinedReservations(r)),
  );
  const list = [
    ...visible.filter((r) => !isCountable(r)),
    ...withinQuota(state, quota, role, visible.filter(isCountable)),
  ];
  const minimum = client.minimum ?? state.settings.minimum;
  const amounts = quantitiesOf(list);
  const isEnough = minimum.map((set) => state.dimensions.quantitiesOf(set));
  if (list.length === 0 || (isEnough.length > 0 && !isEnough.some((set) => containsQuantities(amounts, set))))
    return [];
  const refused = filtersOf(state.filters, agent.index, client.index);
  return refused.some((filter) => contains(filter.refused.resources, list)) ? [] : list;
}

function maySee(
  state: State,
  agent: Agent,
  role: string,
  can: (type: FrameworkInfoCapabilityType) => boolean,
): boolean {
  const { region, filterGpuResources } = state.settings;
  const theirs = agent.info.domain?.fault_domain?.region.name;
  if (filterGpuResources && !can('GPU_RESOURCES') && quantity(agent.total.quantities, 'gpus') > 0) return false;
  if (region !== undefined && theirs !== undefined && theirs !== region && !can('REGION_AWARE')) return false;
  const agentCan = (type: string) => agent.capabilities.some((capability) => capability.type === type);
  if (can('MULTI_ROLE') && !agentCan('MULTI_ROLE')) return false;
  return agentCan('HIERARCHICAL_ROLE') || !role.includes('/');
}

/** Limits of the role and those above; headroom for others' guarantees. */
function withinQuota(state: State, quota: QuotaNow, role: string, list: Resources): Resources {
  const wanted = quantitiesOf(list);
  const most = new Map<string, number>();
  let above = noQuantities;
  for (const { name, quota: set } of state.quotaRoles) {
    if (set === undefined || !isInSubtree(role, name)) continue;
    const used = quota.consumed(name);
    above = addQuantities(above, subtractQuantities(set.guarantees, used));
    for (const resource of wanted.names) {
      const room = limit(set.limits, resource);
      if (room === undefined) continue;
      const left = Math.max(0, room - quantity(used, resource));
      most.set(resource, Math.min(most.get(resource) ?? left, left));
    }
  }
  if (quota.isAnyRequired) {
    for (const resource of wanted.names) {
      const headroom = quantity(quota.surplus, resource) + quantity(above, resource);
      most.set(resource, Math.min(most.get(resource) ?? headroom, headroom));
    }
  }
  const limits = quantitiesFromAmounts(new Map([...most].filter(([, amount]) => amount > 0)));
  const zeros = [...most].filter(([, amount]) => amount <= 0).map(([name]) => name);
  return shrinkToLimits(
    list.filter((resource) => !zeros.includes(resource.name)),
    limits,
  );
}
