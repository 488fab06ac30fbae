// Wraps an allocator: checks every decision against a record of the allocator's calls.
//
// AUDIT-1: an offer has free resources of an agent that may be offered, for a framework that may be offered resources in
//     the role and has no filter that covers them.
// AUDIT-2: after a run the scan would make no further offer (ALLOCATOR-1).
// AUDIT-3: the free, consumed, required and filtered resources in the allocator's views are those of the record.
import { type AgentId, type FrameworkId, present } from '@meseta/base';
import {
  contains,
  equals,
  formatResources,
  isAllocatableTo,
  nonShared,
  type Quantities,
  unallocate,
} from '@meseta/resources';
import type { Allocator, AllocatorOptions, OfferDecision } from '../types.js';
import * as records from './record.js';
import {
  filtersOf,
  hasEnded,
  isRefusedBy,
  mayBeOfferedAgent,
  quotaStateOf,
  scan,
  whyNotOffered,
  whyNotServed,
} from './scan.js';

export interface AuditOptions {
  /** Called when an invariant is broken; must throw. */
  broken(invariant: string, explanation: string): void;
  /** Called after each audited run with the number of its offers. */
  audited?(offers: number): void;
  /** AUDIT-2 and AUDIT-3 are checked after every `every`th run. Default 1. */
  readonly every?: number;
}

/** The allocator, with each call recorded and each run audited. */
export function auditAllocator(allocator: Allocator, given: AllocatorOptions, options: AuditOptions): Allocator {
  const record = records.createRecord(given);
  let runs = 0;
  return {
    ...allocator,
    ...recordAgents(allocator, record),
    ...recordFrameworks(allocator, record),
    ...recordResources(allocator, record, options),
    ...recordSettings(allocator, record),
    run(now) {
      const decisions = allocator.run(now);
      const { recovery } = record;
      if (recovery !== undefined && (record.agents.size >= recovery.expectedAgents || now >= recovery.untilMs))
        record.recovery = undefined;
      auditPairs(decisions.offers, options);
      for (const offer of decisions.offers) auditOffer(record, offer, now, options);
      if (runs++ % (options.every ?? 1) === 0) auditState(record, allocator, now, options);
      options.audited?.(decisions.offers.length);
      return decisions;
    },
  };
}

type Agents =
  | 'addAgent'
  | 'updateAgent'
  | 'removeAgent'
  | 'activateAgent'
  | 'deactivateAgent'
  | 'addResourceProvider'
  | 'updateUnavailability'
  | 'updateWhitelist';

const agentIn = ({ agents }: records.AllocatorRecord, id: AgentId): records.RecordedAgent =>
  present(agents.get(id), `agent ${id} in the record`);

function recordAgents(allocator: Allocator, record: records.AllocatorRecord): Pick<Allocator, Agents> {
  const agent = (id: AgentId) => agentIn(record, id);
  return {
    addAgent(id, spec) {
      allocator.addAgent(id, spec);
      records.recordAgent(record, id, spec);
    },
    updateAgent(id, update) {
      records.recordAgentUpdate(record, agent(id), update);
      return allocator.updateAgent(id, update);
    },
    removeAgent(id) {
      allocator.removeAgent(id);
      records.recordAgentRemoval(record, id);
    },
    activateAgent(id) {
      allocator.activateAgent(id);
      records.recordAgentActivity(agent(id), true);
    },
    deactivateAgent(id) {
      allocator.deactivateAgent(id);
      records.recordAgentActivity(agent(id), false);
    },
    addResourceProvider(id, total, used) {
      allocator.addResourceProvider(id, total, used);
      records.recordProvider(agent(id), total, used);
    },
    updateUnavailability(id, unavailability) {
      allocator.updateUnavailability(id, unavailability);
      records.recordUnavailability(agent(id));
    },
    updateWhitelist(hostnames) {
      const set = hostnames === undefined ? undefined : new Set(hostnames);
      allocator.updateWhitelist(set);
      records.recordWhitelist(record, set);
    },
  };
}

type Frameworks =
  | 'addFramework'
  | 'updateFramework'
  | 'activateFramework'
  | 'deactivateFramework'
  | 'removeFramework'
  | 'suppress'
  | 'revive';

const listOf = (roles: Iterable<string> | undefined) => (roles === undefined ? undefined : [...roles]);

function recordFrameworks(allocator: Allocator, record: records.AllocatorRecord): Pick<Allocator, Frameworks> {
  const framework = (id: FrameworkId) => present(record.frameworks.get(id), `framework ${id} in the record`);
  return {
    addFramework(id, info, used, active, extra = {}) {
      const suppressedRoles = listOf(extra.suppressedRoles);
      allocator.addFramework(id, info, used, active, { ...extra, suppressedRoles });
      records.recordFramework(record, id, info, used, active, { ...extra, suppressedRoles });
    },
    updateFramework(id, info, extra = {}) {
      const suppressedRoles = listOf(extra.suppressedRoles);
      allocator.updateFramework(id, info, { ...extra, suppressedRoles });
      records.recordFrameworkUpdate(record, framework(id), info, { ...extra, suppressedRoles });
    },
    activateFramework(id) {
      allocator.activateFramework(id);
      records.recordActivity(record, framework(id), true);
    },
    deactivateFramework(id) {
      allocator.deactivateFramework(id);
      records.recordActivity(record, framework(id), false);
    },
    removeFramework(id) {
      allocator.removeFramework(id);
      records.recordFrameworkRemoval(record, id);
    },
    suppress(id, roles) {
      const list = listOf(roles);
      allocator.suppress(id, list);
      records.recordSuppression(framework(id), list);
    },
    revive(id, roles) {
      const list = listOf(roles);
      allocator.revive(id, list);
      records.recordRevival(record, framework(id), list);
    },
  };
}

type Amounts = 'recoverResources' | 'transitionOfferedToAllocated' | 'updateAllocation' | 'updateAvailable';

function recordResources(
  allocator: Allocator,
  record: records.AllocatorRecord,
  options: AuditOptions,
): Pick<Allocator, Amounts> {
  const agent = (id: AgentId) => agentIn(record, id);
  return {
    recoverResources(id, agentId, resources, now, options = {}) {
      allocator.recoverResources(id, agentId, resources, now, options);
      const list = 'resources' in resources ? resources.resources : resources;
      records.recordReturn(record, id, agentId, list, now, options);
    },
    transitionOfferedToAllocated(id, agentId, resources) {
      allocator.transitionOfferedToAllocated(id, agentId, resources);
      records.recordTransition(agent(agentId), id, resources);
    },
    updateAllocation(id, agentId, offered, conversions) {
      const result = allocator.updateAllocation(id, agentId, offered, conversions);
      records.recordConversion(agent(agentId), id, offered, conversions);
      return result;
    },
    updateAvailable(id, operations) {
      const result = allocator.updateAvailable(id, operations);
      const applies = records.recordAvailable(agent(id), operations);
      if (applies === result.ok) return result;
      const text = `${id}: ${applies ? 'refused operations that apply' : 'applied operations that do not apply'} to the free resources`;
      options.broken('the allocator keeps its books', text);
      return result;
    },
  };
}

type Settings = 'updateQuota' | 'recover' | 'pause' | 'resume';

function recordSettings(allocator: Allocator, record: records.AllocatorRecord): Pick<Allocator, Settings> {
  return {
    updateQuota(role, quota) {
      allocator.updateQuota(role, quota);
      record.quotas.set(role, quota);
    },
    recover(expected, quotas, now, extra = {}) {
      allocator.recover(expected, quotas, now, extra);
      for (const [role, quota] of quotas) record.quotas.set(role, quota);
      const expectedAgents = Math.floor(expected * (extra.factor ?? 0.8));
      if (quotas.size > 0) record.recovery = { expectedAgents, untilMs: now + (extra.timeoutMs ?? 600_000) };
    },
    pause() {
      allocator.pause();
      record.paused = true;
    },
    resume() {
      allocator.resume();
      record.paused = false;
    },
  };
}

const textOf = ({ frameworkId, role, agentId, resources }: OfferDecision): string =>
  `${formatResources(resources.unallocated.resources)} of ${agentId} to ${frameworkId} in ${role}`;

/** ALLOCATOR-5. */
function auditPairs(offers: readonly OfferDecision[], { broken }: AuditOptions): void {
  const pairs = new Set<string>();
  for (const offer of offers) {
    const pair = JSON.stringify([offer.agentId, offer.frameworkId, offer.role]);
    if (pairs.has(pair)) broken('an offer is what may be offered', `${textOf(offer)}: the second of one run`);
    pairs.add(pair);
  }
}

/** AUDIT-1. */
function auditOffer(
  record: records.AllocatorRecord,
  offer: OfferDecision,
  nowMs: number,
  { broken }: AuditOptions,
): void {
  const { frameworkId, role, agentId, resources } = offer;
  const fail = (why: string): void => broken('an offer is what may be offered', `${textOf(offer)}: ${why}`);
  const agent = record.agents.get(agentId);
  const framework = record.frameworks.get(frameworkId);
  if (record.paused || record.recovery !== undefined) fail('the allocator is paused');
  if (agent === undefined) return fail('the agent is not known');
  const closed = whyNotOffered(record, agent, nowMs);
  if (closed !== undefined) fail(`the agent ${closed}`);
  const unserved = whyNotServed(framework, role);
  if (framework === undefined || unserved !== undefined) return fail(`the framework ${unserved}`);
  const list = unallocate(resources.resources);
  if (resources.resources.some((it) => it.allocation_info?.role !== role))
    fail('a resource is not allocated to the role');
  const free = records.freeOf(agent).filter((it) => isAllocatableTo(it, role));
  if (!contains(free, list)) fail('the resources are not free for that role');
  const capabilities = new Set((framework.info.capabilities ?? []).map(({ type }) => type));
  if (!mayBeOfferedAgent(record, agent, role, (type) => capabilities.has(type)))
    fail('the framework may not be offered the agent');
  if (framework.constraints?.excludes(role, agent.info)) fail("the framework's constraints exclude the agent");
  const filter = filtersOf(agent, framework, role).find((it) => isRefusedBy(it, list, nowMs));
  if (filter !== undefined) fail(`the framework has a filter for it until ${filter.untilMs}, now is ${nowMs}`);
  records.recordOffers(record, [offer]);
}

/** AUDIT-2 and AUDIT-3. */
function auditState(
  record: records.AllocatorRecord,
  allocator: Allocator,
  nowMs: number,
  { broken }: AuditOptions,
): void {
  const [more] = scan(record, nowMs);
  if (more !== undefined) {
    const { frameworkId, role, agentId, resources } = more;
    const text = `${formatResources(unallocate(resources))} of ${agentId} to ${frameworkId} in ${role} at ${nowMs}`;
    broken('allocator has nothing more to offer', text);
  }
  const fail = (text: string): void => broken('the allocator keeps its books', text);
  for (const agent of record.agents.values()) {
    const [free, shown] = [records.freeOf(agent), allocator.available(agent.id).resources];
    if (!equals(free, shown)) fail(`${agent.id} has ${formatResources(free)} free, not ${formatResources(shown)}`);
    if (!contains(agent.total, nonShared(free))) fail(`${agent.id} has more free than it has`);
  }
  const { available, required, consumed } = quotaStateOf(record);
  const totals = allocator.totals();
  compare('available headroom', available, totals.availableHeadroom, fail);
  compare('required headroom', required, totals.requiredHeadroom, fail);
  for (const role of record.quotas.keys()) {
    compare(`consumed by ${role}`, consumed(role), allocator.roleUsage(role).consumedOrOffered, fail);
  }
  auditFilters(record, allocator, nowMs, fail);
}

/** A filter replaces the filters that it covers: the allocator has at least one for each framework, role and agent. */
function auditFilters(
  record: records.AllocatorRecord,
  allocator: Allocator,
  nowMs: number,
  fail: (text: string) => void,
): void {
  let least = 0;
  let most = 0;
  for (const { filters } of record.agents.values()) {
    for (const [id, list] of filters) {
      const kept = list.filter((filter) => !hasEnded(record, filter, nowMs));
      filters.set(id, kept);
      most += kept.length;
      least += new Set(kept.filter(({ untilMs }) => nowMs < untilMs).map(({ role }) => role)).size;
    }
  }
  const { filters } = allocator.totals();
  if (filters < least || filters > most) fail(`${filters} filters, expected ${least} to ${most}`);
}

function compare(what: string, expected: Quantities, actual: Quantities, fail: (text: string) => void): void {
  const text = (it: Quantities): string => JSON.stringify(it);
  if (text(expected) !== text(actual)) fail(`${what}: ${text(actual)}, expected ${text(expected)}`);
}
