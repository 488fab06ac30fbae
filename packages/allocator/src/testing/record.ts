// What an allocator was told, in the plainest form: lists that are searched from the front, nothing derived, nothing
// shared with the allocator. The oracle (scan.ts, audit.ts) is computed from it alone.
//
// Owns: agents, frameworks, what is held where, filters, rests, quota, recovery, as the calls say them.
// Boundary: functions that correspond to the allocator's calls; each is given what the allocator is given, and for
// `run` also what it decided. It checks nothing.
// RECORD-1: nothing is read from the allocator but the decisions of its runs.
// RECORD-2: a filter is recorded with the time asked for; how much later it may end is the reader's matter.
import { type AgentId, type FrameworkId, present } from '@meseta/base';
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
  Returned,
} from '../types.js';

/** Unallocated form. */
export interface RecordedHolding {
  held: Resources;
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
  /** By framework, also one that is not known yet, then by role. */
  readonly held: Map<FrameworkId, Map<string, RecordedHolding>>;
  readonly filters: Map<FrameworkId, RecordedFilter[]>;
  /** Nobody is offered it until then. */
  restUntilMs: number;
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

/** The total without what is held; shared resources stay. */
export function freeOf(agent: RecordedAgent): Resources {
  let free = agent.total;
  for (const roles of agent.held.values()) {
    for (const { held } of roles.values()) free = subtract(free, nonShared(held));
  }
  return free;
}

// --- agents

export function recordAgent(record: AllocatorRecord, id: AgentId, spec: AgentSpec): void {
  const agent: RecordedAgent = {
    id,
    info: spec.info,
    capabilities: spec.capabilities,
    active: spec.active ?? true,
    total: spec.total,
    held: new Map(),
    filters: new Map(),
    restUntilMs: 0,
  };
  record.agents.set(id, agent);
  for (const [frameworkId, used] of spec.used) recordUse(agent, frameworkId, used);
}

function recordUse(agent: RecordedAgent, frameworkId: FrameworkId, used: Resources): void {
  for (const [role, resources] of allocationsByRole(used)) hold(agent, frameworkId, role, unallocate(resources), false);
}

const textOf = (value: unknown): string =>
  JSON.stringify(value, (_, it) => (typeof it === 'bigint' ? `${it}n` : it)) ?? '';

export function recordAgentUpdate(record: AllocatorRecord, agent: RecordedAgent, update: AgentUpdate): void {
  const { info = agent.info, capabilities = agent.capabilities, total = agent.total } = update;
  if (textOf(info.attributes ?? []) !== textOf(agent.info.attributes ?? [])) agent.filters.clear();
  const sameTotal = contains(total, agent.total) && contains(agent.total, total);
  const changed = !sameTotal || textOf([info, capabilities]) !== textOf([agent.info, agent.capabilities]);
  Object.assign(agent, { info, capabilities, total });
  if (changed) endRest(agent);
  forgetUnused(record);
}

const endRest = (agent: RecordedAgent): void => {
  agent.restUntilMs = 0;
};

export function recordAgentRemoval(record: AllocatorRecord, id: AgentId): void {
  record.agents.delete(id);
}

export function recordAgentActivity(agent: RecordedAgent, active: boolean): void {
  if (active && !agent.active) endRest(agent);
  agent.active = active;
}

export function recordUnavailability(agent: RecordedAgent): void {
  endRest(agent);
}

export function recordWhitelist(record: AllocatorRecord, hostnames: ReadonlySet<string> | undefined): void {
  const before = new Map([...record.agents.values()].map((agent) => [agent, isWhitelisted(record, agent)]));
  record.whitelist = hostnames;
  for (const [agent, was] of before) if (!was && agent.active && isWhitelisted(record, agent)) endRest(agent);
}

export function recordProvider(agent: RecordedAgent, total: Resources, used: AgentSpec['used']): void {
  agent.total = add(agent.total, total);
  for (const [frameworkId, resources] of used) recordUse(agent, frameworkId, resources);
  endRest(agent);
}

/** Whether the operations apply to what is free; the total follows. */
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
  agent.total = total;
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
    // What the agent reported before the framework was known goes first.
    if (!agent.held.has(id)) recordUse(agent, id, used.get(agent.id) ?? []);
  }
  if (active) endRests(record);
}

export function recordFrameworkUpdate(
  record: AllocatorRecord,
  framework: RecordedFramework,
  info: FrameworkInfo,
  options: FrameworkOptions,
): void {
  const suppressed = new Set(options.suppressedRoles ?? []);
  for (const role of framework.suppressed) if (!suppressed.has(role)) forgetFilters(record, framework.id, role);
  framework.info = info;
  framework.constraints = options.offerConstraints;
  framework.suppressed.clear();
  for (const role of suppressed) framework.suppressed.add(role);
  forgetUnused(record);
}

export function recordActivity(record: AllocatorRecord, framework: RecordedFramework, active: boolean): void {
  framework.active = active;
  if (active) endRests(record);
  else forgetFilters(record, framework.id, undefined);
}

export function recordFrameworkRemoval(record: AllocatorRecord, id: FrameworkId): void {
  record.frameworks.delete(id);
  forgetFilters(record, id, undefined);
  for (const agent of record.agents.values()) agent.held.delete(id);
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
    forgetFilters(record, framework.id, role);
  }
  endRests(record);
}

function endRests(record: AllocatorRecord): void {
  for (const agent of record.agents.values()) endRest(agent);
}

/** Role undefined: in every role. */
function forgetFilters(record: AllocatorRecord, id: FrameworkId, role: string | undefined): void {
  for (const { filters } of record.agents.values()) {
    const kept = role === undefined ? [] : (filters.get(id) ?? []).filter((filter) => filter.role !== role);
    if (kept.length === 0) filters.delete(id);
    else filters.set(id, kept);
  }
}

/** A framework that neither subscribes to a role nor holds anything in it anywhere has no filters in it. */
function forgetUnused(record: AllocatorRecord): void {
  const agents = [...record.agents.values()];
  for (const { id, info } of record.frameworks.values()) {
    const filtered = new Set(agents.flatMap((agent) => (agent.filters.get(id) ?? []).map(({ role }) => role)));
    for (const role of filtered) {
      const holds = agents.some((agent) => agent.held.get(id)?.has(role) === true);
      if (!holds && !rolesOf(info).includes(role)) forgetFilters(record, id, role);
    }
  }
}

// --- resources that come and go

function hold(agent: RecordedAgent, id: FrameworkId, role: string, resources: Resources, isOffer: boolean): void {
  const roles = agent.held.get(id) ?? new Map<string, RecordedHolding>();
  agent.held.set(id, roles);
  const { held, offered } = roles.get(role) ?? { held: [], offered: [] };
  roles.set(role, { held: add(held, resources), offered: isOffer ? add(offered, resources) : offered });
}

function release(
  agent: RecordedAgent,
  id: FrameworkId,
  role: string,
  resources: Resources,
  wasAllocated: boolean | undefined,
): void {
  const holding = agent.held.get(id)?.get(role);
  if (holding === undefined) return;
  const allocated = wasAllocated ?? !contains(holding.offered, resources);
  holding.held = subtract(holding.held, resources);
  if (!allocated) holding.offered = subtract(holding.offered, resources);
  if (holding.held.length > 0) return;
  agent.held.get(id)?.delete(role);
  if (agent.held.get(id)?.size === 0) agent.held.delete(id);
}

export function recordOffers(record: AllocatorRecord, offers: readonly OfferDecision[]): void {
  for (const { frameworkId, role, agentId, resources } of offers) {
    const agent = record.agents.get(agentId);
    if (agent !== undefined) hold(agent, frameworkId, role, unallocate(resources.resources), true);
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
  how: Returned,
): void {
  const agent = record.agents.get(agentId);
  if (agent === undefined || resources.length === 0) return;
  if (!record.frameworks.has(id)) {
    for (const [role, list] of allocationsByRole(resources)) release(agent, id, role, unallocate(list), true);
    return;
  }
  const role = roleIn(resources);
  const plain = unallocate(resources);
  release(agent, id, role, plain, how.allocated);
  if (how.filters !== undefined) {
    const refusedMs = refusedMsOf(how.filters);
    if (how.leftover === true && refusedMs === 0) agent.restUntilMs = nowMs + record.intervalMs;
    else {
      const untilMs = nowMs + Math.max(record.intervalMs, refusedMs);
      const filter: RecordedFilter = { role, refused: plain, madeMs: nowMs, untilMs };
      agent.filters.set(id, [...(agent.filters.get(id) ?? []), filter]);
    }
  }
  forgetUnused(record);
}

export function recordTransition(agent: RecordedAgent, id: FrameworkId, resources: Resources): void {
  if (resources.length === 0) return;
  const holding = present(agent.held.get(id)?.get(roleIn(resources)), 'what is held in that role');
  holding.offered = subtract(holding.offered, unallocate(resources));
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
  agent.total = total.value;
  release(agent, id, role, unallocate(offered), false);
  if (converted.value.length > 0) hold(agent, id, role, unallocate(converted.value), true);
}
