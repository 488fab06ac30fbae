// A record of an allocator's calls in the simplest form: plain lists without derived data, shared with no other module.
// The oracle (scan.ts, audit.ts) is computed only from it.
//
// Owns: agents, frameworks, allocations, filters, cooldowns, quotas and recovery, as the calls say them.
// Boundary: one function for each call of the allocator, with the same arguments, and `recordOffers` for the decisions of
// `run`. It reads nothing from the allocator and checks nothing.
// RECORD-1: a filter is recorded with the requested time; the scan decides how much later it may end.
import { type AgentId, type FrameworkId, isDeepEqual, present } from '@meseta/base';
import {
  add,
  allocationsByRole,
  applyConversions,
  applyOperation,
  contains,
  nonShared,
  parseQuantities,
  type Quantities,
  type ResourceConversion,
  type Resources,
  subtract,
  unallocate,
} from '@meseta/resources';
import type { AgentInfo, AgentInfoCapability, Filters, FrameworkInfo, OfferOperation } from '@meseta/wire';
import type { OfferConstraints } from '../constraints.js';
import type {
  AgentSpec,
  AgentUpdate,
  AllocatorOptions,
  FrameworkOptions,
  OfferDecision,
  Quota,
  ReturnOptions,
} from '../types.js';

/** Unallocated form. */
export interface RecordedAllocation {
  offeredOrAllocated: Resources;
  /** The part that is only offered. */
  offered: Resources;
}

export interface RecordedFilter {
  readonly role: string;
  readonly refused: Resources;
  readonly madeMs: number;
  readonly untilMs: number;
}

export interface RecordedAgent {
  readonly id: AgentId;
  info: AgentInfo;
  capabilities: readonly AgentInfoCapability[];
  active: boolean;
  total: Resources;
  /** The result of `freeOf`, until the total or an allocation changes. */
  free: Resources | undefined;
  /** By framework, also one that was not added yet, then by role. */
  readonly allocations: Map<FrameworkId, Map<string, RecordedAllocation>>;
  readonly filters: Map<FrameworkId, RecordedFilter[]>;
  /** The agent is offered to no client until then. */
  cooldownUntilMs: number;
}

export interface RecordedFramework {
  readonly id: FrameworkId;
  info: FrameworkInfo;
  active: boolean;
  readonly suppressed: Set<string>;
  constraints: OfferConstraints | undefined;
}

export interface AllocatorRecord {
  readonly minimum: readonly Quantities[];
  readonly intervalMs: number;
  readonly filterGpuResources: boolean;
  readonly region: string | undefined;
  readonly agents: Map<AgentId, RecordedAgent>;
  readonly frameworks: Map<FrameworkId, RecordedFramework>;
  readonly quotas: Map<string, Quota>;
  whitelist: ReadonlySet<string> | undefined;
  paused: boolean;
  recovery: { readonly expectedAgents: number; readonly untilMs: number } | undefined;
}

const DEFAULT_MINIMUM = ['cpus:0.01', 'mem:32'];

export function createRecord(options: AllocatorOptions): AllocatorRecord {
  return {
    minimum: options.minAllocatableResources ?? DEFAULT_MINIMUM.map(quantitiesFromText),
    intervalMs: options.allocationIntervalMs ?? 1_000,
    filterGpuResources: options.filterGpuResources ?? true,
    region: options.domain?.fault_domain?.region.name,
    agents: new Map(),
    frameworks: new Map(),
    quotas: new Map(),
    whitelist: undefined,
    paused: false,
    recovery: undefined,
  };
}

function quantitiesFromText(text: string): Quantities {
  const parsed = parseQuantities(text);
  if (!parsed.ok) throw new Error(parsed.error);
  return parsed.value;
}

/** Subscribed roles: `roles` with MULTI_ROLE, else `role`. */
export const rolesOf = ({ capabilities = [], roles = [], role = '*' }: FrameworkInfo): readonly string[] =>
  capabilities.some(({ type }) => type === 'MULTI_ROLE') ? roles : [role];

export const isWhitelisted = ({ whitelist }: AllocatorRecord, { info }: RecordedAgent): boolean =>
  whitelist === undefined || whitelist.has(info.hostname);

/** The total without what is offered or allocated; shared resources stay. */
export function freeOf(agent: RecordedAgent): Resources {
  if (agent.free !== undefined) return agent.free;
  let free = agent.total;
  for (const roles of agent.allocations.values()) {
    for (const { offeredOrAllocated } of roles.values()) free = subtract(free, nonShared(offeredOrAllocated));
  }
  agent.free = free;
  return free;
}

function setTotal(agent: RecordedAgent, total: Resources): void {
  agent.total = total;
  agent.free = undefined;
}

// --- agents

export function recordAgent(record: AllocatorRecord, id: AgentId, spec: AgentSpec): void {
  const agent: RecordedAgent = {
    id,
    info: spec.info,
    capabilities: spec.capabilities,
    active: spec.active ?? true,
    total: spec.total,
    free: undefined,
    allocations: new Map(),
    filters: new Map(),
    cooldownUntilMs: 0,
  };
  record.agents.set(id, agent);
  for (const [frameworkId, used] of spec.used) recordUse(agent, frameworkId, used);
}

function recordUse(agent: RecordedAgent, frameworkId: FrameworkId, used: Resources): void {
  for (const [role, resources] of allocationsByRole(used))
    addAllocation(agent, frameworkId, role, unallocate(resources), false);
}

export function recordAgentUpdate(record: AllocatorRecord, agent: RecordedAgent, update: AgentUpdate): void {
  const { info = agent.info, capabilities = agent.capabilities, total = agent.total } = update;
  if (!isDeepEqual(info.attributes ?? [], agent.info.attributes ?? [])) agent.filters.clear();
  const sameTotal = contains(total, agent.total) && contains(agent.total, total);
  const changed = !sameTotal || !isDeepEqual([info, capabilities], [agent.info, agent.capabilities]);
  Object.assign(agent, { info, capabilities });
  setTotal(agent, total);
  if (changed) endCooldown(agent);
  removeUnusedFilters(record);
}

const endCooldown = (agent: RecordedAgent): void => {
  agent.cooldownUntilMs = 0;
};

export function recordAgentRemoval(record: AllocatorRecord, id: AgentId): void {
  record.agents.delete(id);
  removeUnusedFilters(record);
}

export function recordAgentActivity(agent: RecordedAgent, active: boolean): void {
  if (active && !agent.active) endCooldown(agent);
  agent.active = active;
}

export function recordUnavailability(agent: RecordedAgent): void {
  endCooldown(agent);
}

export function recordWhitelist(record: AllocatorRecord, hostnames: ReadonlySet<string> | undefined): void {
  const before = new Map([...record.agents.values()].map((agent) => [agent, isWhitelisted(record, agent)]));
  record.whitelist = hostnames;
  for (const [agent, was] of before) if (!was && agent.active && isWhitelisted(record, agent)) endCooldown(agent);
}

export function recordProvider(agent: RecordedAgent, total: Resources, used: AgentSpec['used']): void {
  setTotal(agent, add(agent.total, total));
  for (const [frameworkId, resources] of used) recordUse(agent, frameworkId, resources);
  endCooldown(agent);
}

/** Returns whether the operations apply to the free resources, and applies them to the total if so. */
export function recordAvailable(agent: RecordedAgent, operations: readonly OfferOperation[]): boolean {
  let free = freeOf(agent);
  let { total } = agent;
  for (const operation of operations) {
    const freed = applyOperation(free, operation);
    const applied = applyOperation(total, operation);
    if (!freed.ok || !applied.ok) return false;
    free = freed.value.resources;
    total = applied.value.resources;
  }
  setTotal(agent, total);
  return true;
}

// --- frameworks

export function recordFramework(
  record: AllocatorRecord,
  id: FrameworkId,
  info: FrameworkInfo,
  used: ReadonlyMap<AgentId, Resources>,
  active: boolean,
  options: FrameworkOptions,
): void {
  const suppressed = new Set(options.suppressedRoles ?? []);
  record.frameworks.set(id, { id, info, active, suppressed, constraints: options.offerConstraints });
  for (const agent of record.agents.values()) {
    // The use that the agent reported before the framework was added takes precedence.
    if (!agent.allocations.has(id)) recordUse(agent, id, used.get(agent.id) ?? []);
  }
  if (active) endCooldowns(record);
}

export function recordFrameworkUpdate(
  record: AllocatorRecord,
  framework: RecordedFramework,
  info: FrameworkInfo,
  options: FrameworkOptions,
): void {
  const suppressed = new Set(options.suppressedRoles ?? []);
  for (const role of framework.suppressed) if (!suppressed.has(role)) removeFilters(record, framework.id, role);
  framework.info = info;
  framework.constraints = options.offerConstraints;
  framework.suppressed.clear();
  for (const role of suppressed) framework.suppressed.add(role);
  removeUnusedFilters(record);
}

export function recordActivity(record: AllocatorRecord, framework: RecordedFramework, active: boolean): void {
  framework.active = active;
  if (active) endCooldowns(record);
  else removeFilters(record, framework.id, undefined);
}

export function recordFrameworkRemoval(record: AllocatorRecord, id: FrameworkId): void {
  record.frameworks.delete(id);
  removeFilters(record, id, undefined);
  for (const agent of record.agents.values()) {
    agent.allocations.delete(id);
    agent.free = undefined;
  }
}

export function recordSuppression(framework: RecordedFramework, roles: readonly string[] | undefined): void {
  for (const role of roles ?? rolesOf(framework.info)) framework.suppressed.add(role);
}

export function recordRevival(
  record: AllocatorRecord,
  framework: RecordedFramework,
  roles: readonly string[] | undefined,
): void {
  for (const role of roles ?? rolesOf(framework.info)) {
    framework.suppressed.delete(role);
    removeFilters(record, framework.id, role);
  }
  endCooldowns(record);
}

function endCooldowns(record: AllocatorRecord): void {
  for (const agent of record.agents.values()) endCooldown(agent);
}

/** Role undefined: in every role. */
function removeFilters(record: AllocatorRecord, id: FrameworkId, role: string | undefined): void {
  for (const { filters } of record.agents.values()) {
    const kept = role === undefined ? [] : (filters.get(id) ?? []).filter((filter) => filter.role !== role);
    if (kept.length === 0) filters.delete(id);
    else filters.set(id, kept);
  }
}

/** Removes filters of frameworks in roles to which they neither subscribe nor have allocations in. */
function removeUnusedFilters(record: AllocatorRecord): void {
  for (const framework of record.frameworks.values()) removeUnusedFiltersOf(record, framework);
}

function removeUnusedFiltersOf(record: AllocatorRecord, { id, info }: RecordedFramework): void {
  const subscribed = rolesOf(info);
  const others = new Set<string>();
  for (const { filters } of record.agents.values()) {
    for (const { role } of filters.get(id) ?? []) if (!subscribed.includes(role)) others.add(role);
  }
  for (const role of others) {
    const hasAllocation = [...record.agents.values()].some(
      ({ allocations }) => allocations.get(id)?.has(role) === true,
    );
    if (!hasAllocation) removeFilters(record, id, role);
  }
}

// --- allocations

function addAllocation(
  agent: RecordedAgent,
  id: FrameworkId,
  role: string,
  resources: Resources,
  isOffer: boolean,
): void {
  agent.free = undefined;
  const roles = agent.allocations.get(id) ?? new Map<string, RecordedAllocation>();
  agent.allocations.set(id, roles);
  const { offeredOrAllocated, offered } = roles.get(role) ?? { offeredOrAllocated: [], offered: [] };
  roles.set(role, {
    offeredOrAllocated: add(offeredOrAllocated, resources),
    offered: isOffer ? add(offered, resources) : offered,
  });
}

function releaseAllocation(
  agent: RecordedAgent,
  id: FrameworkId,
  role: string,
  resources: Resources,
  wasInUse: boolean | undefined,
): void {
  const allocation = agent.allocations.get(id)?.get(role);
  if (allocation === undefined) return;
  agent.free = undefined;
  const isInUse = wasInUse ?? !contains(allocation.offered, resources);
  allocation.offeredOrAllocated = subtract(allocation.offeredOrAllocated, resources);
  if (!isInUse) allocation.offered = subtract(allocation.offered, resources);
  if (allocation.offeredOrAllocated.length > 0) return;
  agent.allocations.get(id)?.delete(role);
  if (agent.allocations.get(id)?.size === 0) agent.allocations.delete(id);
}

export function recordOffers(record: AllocatorRecord, offers: readonly OfferDecision[]): void {
  for (const { frameworkId, role, agentId, resources } of offers) {
    const agent = record.agents.get(agentId);
    if (agent !== undefined) addAllocation(agent, frameworkId, role, unallocate(resources.resources), true);
  }
}

const roleIn = (resources: Resources): string => present(resources[0]?.allocation_info?.role, 'allocation_info.role');

/** Mesos: 5 s where the time is left out or negative, a year at most. */
function refusedMsOf({ refuse_seconds: seconds = 5 }: Filters): number {
  return 1_000 * Math.min(seconds >= 0 ? seconds : 5, 365 * 86_400);
}

export function recordReturn(
  record: AllocatorRecord,
  id: FrameworkId,
  agentId: AgentId,
  resources: Resources,
  nowMs: number,
  options: ReturnOptions,
): void {
  const agent = record.agents.get(agentId);
  if (agent === undefined || resources.length === 0) return;
  const framework = record.frameworks.get(id);
  if (framework === undefined) {
    for (const [role, list] of allocationsByRole(resources)) releaseAllocation(agent, id, role, unallocate(list), true);
    return;
  }
  const role = roleIn(resources);
  const plain = unallocate(resources);
  releaseAllocation(agent, id, role, plain, options.allocated);
  if (options.filters !== undefined) {
    const refusedMs = refusedMsOf(options.filters);
    if (options.leftover === true && refusedMs === 0) agent.cooldownUntilMs = nowMs + record.intervalMs;
    else {
      const untilMs = nowMs + Math.max(record.intervalMs, refusedMs);
      const filter: RecordedFilter = { role, refused: plain, madeMs: nowMs, untilMs };
      agent.filters.set(id, [...(agent.filters.get(id) ?? []), filter]);
    }
  }
  removeUnusedFiltersOf(record, framework);
}

export function recordTransition(agent: RecordedAgent, id: FrameworkId, resources: Resources): void {
  if (resources.length === 0) return;
  const allocation = present(agent.allocations.get(id)?.get(roleIn(resources)), 'the allocation in that role');
  allocation.offered = subtract(allocation.offered, unallocate(resources));
}

export function recordConversion(
  agent: RecordedAgent,
  id: FrameworkId,
  offered: Resources,
  conversions: readonly ResourceConversion[],
): void {
  const role = roleIn(offered);
  const converted = applyConversions(offered, conversions);
  const forTotal = conversions
    .filter(({ consumed }) => consumed.length > 0)
    .map((it) => ({ consumed: unallocate(it.consumed), converted: unallocate(it.converted) }));
  const total = applyConversions(agent.total, forTotal);
  if (!converted.ok || !total.ok) throw new Error(`conversions that do not apply were accepted for ${agent.id}`);
  setTotal(agent, total.value);
  releaseAllocation(agent, id, role, unallocate(offered), false);
  if (converted.value.length > 0) addAllocation(agent, id, role, unallocate(converted.value), true);
}
