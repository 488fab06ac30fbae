// A scan for further offers: every agent with every framework in every role, resource by resource, computed only from the
// record of the allocator's calls (record.ts). After a run it finds none (ALLOCATOR-1). It is the oracle of the property
// tests and of the simulator, and the baseline of bench/allocator.

import {
  addQuantities,
  allocate,
  contains,
  containsQuantities,
  hasRefinedReservations,
  isAllocatableTo,
  isInSubtree,
  isReserved,
  isRevocable,
  isScalar,
  isShared,
  limit,
  noQuantities,
  type Quantities,
  quantitiesFrom,
  quantitiesOf,
  quantity,
  type Resources,
  reservationsByRole,
  shrinkToLimits,
  subtract,
  subtractQuantities,
} from '@meseta/resources';
import type { AgentID, FrameworkInfoCapabilityType, Resource } from '@meseta/wire';
import type { Quota } from '../types.js';
import {
  type AllocatorRecord,
  freeOf,
  isWhitelisted,
  type RecordedAgent,
  type RecordedFilter,
  type RecordedFramework,
  rolesOf,
} from './record.js';

/** An offer that the scan would make. */
export interface Candidate {
  readonly frameworkId: RecordedFramework['id'];
  readonly role: string;
  readonly agentId: RecordedAgent['id'] & AgentID['value'];
  /** Allocated to `role`. */
  readonly resources: Resources;
}

/** The offers that the scan would make at `nowMs`. */
export function scan(record: AllocatorRecord, nowMs: number): Candidate[] {
  const found: Candidate[] = [];
  if (record.paused || isRecovering(record, nowMs)) return found;
  const quota = quotaStateOf(record);
  for (const agent of record.agents.values()) {
    if (whyNotOffered(record, agent, nowMs) !== undefined) continue;
    const free = freeOf(agent);
    if (free.length === 0) continue;
    for (const framework of record.frameworks.values()) {
      for (const role of rolesOf(framework.info)) {
        const list = offerable(record, quota, agent, free, framework, role);
        if (list.length === 0 || isRefused(record, filtersOf(agent, framework, role), list, nowMs)) continue;
        found.push({ frameworkId: framework.id, role, agentId: agent.id, resources: allocate(list, role) });
      }
    }
  }
  return found;
}

const isRecovering = ({ recovery, agents }: AllocatorRecord, nowMs: number): boolean =>
  recovery !== undefined && agents.size < recovery.expectedAgents && nowMs < recovery.untilMs;

/** Why the agent is offered to no client; undefined if it may be offered. */
export function whyNotOffered(record: AllocatorRecord, agent: RecordedAgent, nowMs: number): string | undefined {
  if (!agent.active) return 'is not active';
  if (!isWhitelisted(record, agent)) return 'is not whitelisted';
  return nowMs < agent.cooldownUntilMs ? `is in its cooldown until ${agent.cooldownUntilMs}` : undefined;
}

/** Why the framework is offered nothing in the role; undefined if it may be offered resources. */
export function whyNotServed(framework: RecordedFramework | undefined, role: string): string | undefined {
  if (framework === undefined) return 'was not added';
  if (!framework.active) return 'is not active';
  if (!rolesOf(framework.info).includes(role)) return `is not subscribed to ${role}`;
  return framework.suppressed.has(role) ? `has suppressed ${role}` : undefined;
}

export const filtersOf = (agent: RecordedAgent, { id }: RecordedFramework, role: string): readonly RecordedFilter[] =>
  (agent.filters.get(id) ?? []).filter((filter) => filter.role === role);

export const isRefusedBy = ({ refused, untilMs }: RecordedFilter, resources: Resources, nowMs: number): boolean =>
  nowMs < untilMs && contains(refused, resources);

const isRefused = (
  record: AllocatorRecord,
  filters: readonly RecordedFilter[],
  list: Resources,
  nowMs: number,
): boolean => filters.some((filter) => !hasEnded(record, filter, nowMs) && contains(filter.refused, list));

/** Whether the filter must have ended: it may end 1/256 of its duration and a tick late (FILTERS-2). */
export const hasEnded = (
  { intervalMs }: AllocatorRecord,
  { madeMs, untilMs }: RecordedFilter,
  nowMs: number,
): boolean => nowMs >= untilMs + Math.max(20, intervalMs / 10) + (untilMs - madeMs) / 256;

const isCountable = (resource: Resource): boolean =>
  isScalar(resource) && !isReserved(resource) && !isRevocable(resource);

export interface QuotaState {
  /** Reservations to the role's subtree, and unreserved, non-revocable scalars offered or allocated in it. */
  readonly consumed: (role: string) => Quantities;
  readonly available: Quantities;
  readonly required: Quantities;
}

export function quotaStateOf(record: AllocatorRecord): QuotaState {
  const amounts: [role: string, Quantities][] = [];
  let available = noQuantities;
  for (const agent of record.agents.values()) {
    for (const [role, list] of reservationsByRole(agent.total)) amounts.push([role, quantitiesOf(list)]);
    for (const [id, roles] of agent.allocations) {
      // The use of an unknown framework is charged when the framework is added.
      if (!record.frameworks.has(id)) continue;
      for (const [role, { offeredOrAllocated }] of roles) {
        amounts.push([role, quantitiesOf(offeredOrAllocated.filter(isCountable))]);
      }
    }
    if (!agent.active || !isWhitelisted(record, agent)) continue;
    available = addQuantities(available, quantitiesOf(freeOf(agent).filter(isCountable)));
  }
  const consumed = (role: string): Quantities =>
    amounts
      .filter(([at]) => isInSubtree(at, role))
      .reduce((sum, [, quantities]) => addQuantities(sum, quantities), noQuantities);
  let required = noQuantities;
  for (const [role, { guarantees }] of record.quotas) {
    required = addQuantities(required, subtractQuantities(guarantees, consumed(role)));
  }
  return { consumed, available, required };
}

/** The part of `free` that the framework may be offered in the role, filters not considered. */
function offerable(
  record: AllocatorRecord,
  quota: QuotaState,
  agent: RecordedAgent,
  free: Resources,
  framework: RecordedFramework,
  role: string,
): Resources {
  const can = (type: FrameworkInfoCapabilityType): boolean =>
    (framework.info.capabilities ?? []).some((capability) => capability.type === type);
  if (whyNotServed(framework, role) !== undefined) return [];
  if (!mayBeOfferedAgent(record, agent, role, can) || framework.constraints?.excludes(role, agent.info)) return [];
  const offered = agent.allocations.get(framework.id)?.get(role)?.offered ?? [];
  const visible = subtract(free, offered.filter(isShared)).filter(
    (r) =>
      isAllocatableTo(r, role) &&
      (can('SHARED_RESOURCES') || !isShared(r)) &&
      (can('REVOCABLE_RESOURCES') || !isRevocable(r)) &&
      (can('RESERVATION_REFINEMENT') || !hasRefinedReservations(r)),
  );
  const list = [
    ...visible.filter((r) => !isCountable(r)),
    ...withinQuota(record, quota, role, visible.filter(isCountable)),
  ];
  return isEnough(record, framework, role, list) ? list : [];
}

function isEnough(record: AllocatorRecord, { info }: RecordedFramework, role: string, list: Resources): boolean {
  const own = info.offer_filters?.[role]?.min_allocatable_resources;
  const sets =
    own === undefined ? record.minimum : (own.quantities ?? []).map((it) => quantitiesFrom(it.quantities ?? {}));
  const amounts = quantitiesOf(list);
  return list.length > 0 && (sets.length === 0 || sets.some((set) => containsQuantities(amounts, set)));
}

export function mayBeOfferedAgent(
  { region, filterGpuResources }: AllocatorRecord,
  agent: RecordedAgent,
  role: string,
  can: (type: FrameworkInfoCapabilityType) => boolean,
): boolean {
  const agentRegion = agent.info.domain?.fault_domain?.region.name;
  if (filterGpuResources && !can('GPU_RESOURCES') && quantity(quantitiesOf(agent.total), 'gpus') > 0) return false;
  if (region !== undefined && agentRegion !== undefined && agentRegion !== region && !can('REGION_AWARE')) return false;
  const agentCan = (type: string) => agent.capabilities.some((capability) => capability.type === type);
  if (can('MULTI_ROLE') && !agentCan('MULTI_ROLE')) return false;
  return agentCan('HIERARCHICAL_ROLE') || !role.includes('/');
}

/** The resources within the limits of the role and its ancestors, and within the surplus and its own unmet guarantee. */
function withinQuota(record: AllocatorRecord, quota: QuotaState, role: string, list: Resources): Resources {
  const wanted = quantitiesOf(list);
  const most = new Map<string, number>();
  const atMost = (name: string, amount: number): void => {
    most.set(name, Math.min(most.get(name) ?? amount, amount));
  };
  let ownUnmet = noQuantities;
  for (const [name, { guarantees, limits }] of quotasAbove(record, role)) {
    const used = quota.consumed(name);
    ownUnmet = addQuantities(ownUnmet, subtractQuantities(guarantees, used));
    for (const resource of wanted.names) {
      const room = limit(limits, resource);
      if (room !== undefined) atMost(resource, Math.max(0, room - quantity(used, resource)));
    }
  }
  if (quota.required.names.length > 0) {
    const surplus = subtractQuantities(quota.available, quota.required);
    for (const resource of wanted.names) atMost(resource, quantity(surplus, resource) + quantity(ownUnmet, resource));
  }
  return shrinkToLimits(list, (name) => most.get(name));
}

const quotasAbove = ({ quotas }: AllocatorRecord, role: string): readonly (readonly [string, Quota])[] =>
  [...quotas].filter(([name]) => isInSubtree(role, name));
