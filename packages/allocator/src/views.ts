// What views and metrics read from the allocator's state.
import { type AgentId, present, pushAll } from '@meseta/base';
import { noQuantities, type Quantities } from '@meseta/resources';
import { agentOf } from './agents.js';
import { isExcluded } from './clients.js';
import { hasOfferWork } from './run.js';
import { shareOf } from './sort-group.js';
import type { Maintenance, Role, State } from './state.js';
import type { Allocator, AllocatorTotals, Quota, RoleConsumption, RoleUsage } from './types.js';

const noQuota: Quota = { guarantees: noQuantities, limits: noQuantities };

type AllocatorViews = Pick<
  Allocator,
  | 'runs'
  | 'totals'
  | 'roles'
  | 'roleUsage'
  | 'consumptionOf'
  | 'quotaOf'
  | 'weights'
  | 'shareOf'
  | 'available'
  | 'inverseOfferStatuses'
  | 'excludedAgents'
>;

export function createViews(state: State): AllocatorViews {
  const quantities = (vector: readonly number[]): Quantities => state.dimensions.quantitiesOf(vector);
  const consumptionOf = (name: string): RoleConsumption => {
    const role = state.roles.get(name)?.value;
    return role === undefined
      ? { consumed: noQuantities, consumedOrOffered: noQuantities }
      : { consumed: quantities(role.consumed), consumedOrOffered: quantities(role.consumedOrOffered) };
  };
  const roleUsage = (name: string): RoleUsage => {
    const role = state.roles.get(name)?.value;
    const weight = state.weights.get(name) ?? 1;
    if (role === undefined) {
      return {
        role: name,
        weight,
        share: 0,
        quota: noQuota,
        ...consumptionOf(name),
        offeredOrAllocated: noQuantities,
        filters: 0,
        frameworks: [],
      };
    }
    return {
      role: name,
      weight,
      share: shareOf(role.subtree, state.cluster),
      quota: role.quota ?? noQuota,
      ...consumptionOf(name),
      offeredOrAllocated: quantities(role.own.allocation),
      filters: filterCountOf(state, role),
      frameworks: [...role.members].map((client) => client.framework.id),
    };
  };
  return {
    runs: () => state.runs,
    totals: () => totalsOf(state, quantities),
    roles: () => {
      const names = new Set(state.weights.keys());
      const pending = [...state.roles.topLevel];
      for (let node = pending.pop(); node !== undefined; node = pending.pop()) {
        names.add(node.role);
        pushAll(pending, node.children);
      }
      return [...names].sort().map(roleUsage);
    },
    roleUsage,
    consumptionOf,
    quotaOf: (role) => state.roles.get(role)?.value.quota ?? noQuota,
    weights: () => state.weights,
    shareOf: (frameworkId, role) => {
      const client = state.frameworks.get(frameworkId)?.clients.get(role);
      return client === undefined ? 0 : shareOf(client.entry, state.cluster);
    },
    available: (agentId) => agentOf(state, agentId).free.bundle,
    inverseOfferStatuses: () => {
      const statuses = new Map<AgentId, Maintenance['statuses']>();
      for (const { id, maintenance } of state.agents.values()) {
        if (maintenance !== undefined) statuses.set(id, maintenance.statuses);
      }
      return statuses;
    },
    excludedAgents: (frameworkId, role) => {
      const client = present(state.frameworks.get(frameworkId), `framework ${frameworkId}`).clients.get(role);
      if (client === undefined) return [];
      return [...state.agents.values()].filter((agent) => isExcluded(client, agent)).map((agent) => agent.id);
    },
  };
}

function filterCountOf(state: State, role: Role): number {
  let filters = 0;
  for (const client of role.members) filters += state.filters.counts[client.index] ?? 0;
  return filters;
}

function totalsOf(state: State, quantities: (vector: readonly number[]) => Quantities): AllocatorTotals {
  return {
    agents: state.agents.size,
    frameworks: state.frameworks.size,
    clients: state.clientSlots.length - state.freeClientSlots.length,
    filters: state.filters.count,
    inverseFilters: state.inverseFilters.live.size,
    total: quantities(state.cluster.total),
    offeredOrAllocatedTotal: quantities(state.allocation),
    requiredHeadroom: quantities(state.required),
    availableHeadroom: quantities(state.available),
    runs: state.runs,
    offers: state.offersMade,
    pairsExamined: state.pairsExamined,
    eventsPending: hasOfferWork(state)
      ? state.dirtyAgents.size +
        state.dirtyClients.size +
        state.agentsWithWokenClients.size +
        (state.quotaDirty ? 1 : 0)
      : 0,
  };
}
