// Adding, updating and removing agents, and operations on their resources.

import {
  type AgentId,
  assert,
  cancelDeadline,
  err,
  type FrameworkId,
  isDeepEqual,
  ok,
  present,
  type Result,
} from '@meseta/base';
import {
  allocationsByRole,
  applyConversions,
  applyOperation,
  type Bundle,
  quantity,
  type ResourceConversion,
  type Resources,
  unallocate,
} from '@meseta/resources';
import type { AgentInfo, AgentInfoCapability, OfferOperation, Unavailability } from '@meseta/wire';
import { removeAgentFrom } from './agent-set.js';
import {
  addAllocation,
  allocateToClient,
  changeFree,
  isOfferable,
  refreshFree,
  releaseAllAllocations,
  releaseAllocation,
} from './allocations.js';
import {
  clientOf,
  HAS_GPUS,
  HAS_MULTI_ROLE,
  HAS_REGION,
  IS_HIERARCHICAL,
  invalidateExclusions,
  removeIfUnused,
} from './clients.js';
import { freeUnusedDimensions } from './dimensions.js';
import { removeAgentFilters } from './filters.js';
import { endMaintenance, startMaintenance } from './inverse-offers.js';
import { chargeConsumed, chargeConsumedOrOffered, releaseRole, useRole } from './roles.js';
import type { Agent, State } from './state.js';
import type { AgentSpec, AgentUpdate } from './types.js';
import { accumulate, differs } from './vectors.js';

export const agentOf = (state: State, agentId: AgentId): Agent =>
  present(state.agents.get(agentId), `agent ${agentId}`);

export function addAgent(state: State, agentId: AgentId, spec: AgentSpec): void {
  assert(!state.agents.has(agentId), `agent ${agentId} was added before`);
  const empty = state.shapes.of(state.table.empty);
  const agent: Agent = {
    id: agentId,
    index: state.freeAgentSlots.pop() ?? state.agentSlots.length,
    info: spec.info,
    active: spec.active ?? true,
    whitelisted: isWhitelisted(state, spec.info),
    capabilities: [],
    requiredTraits: 0,
    forbiddenTraits: 0,
    total: empty.bundle,
    unavailable: empty.bundle,
    free: empty,
    allocations: new Map(),
    usedByUnknown: new Map(),
    maintenance: undefined,
    withheldMask: 0,
    wokenClients: new Set(),
  };
  state.agents.set(agentId, agent);
  state.agentSlots[agent.index] = agent;
  invalidateExclusions(state, agent);
  addAllUsed(state, agent, spec.used);
  setTotal(state, agent, spec.total);
  setCapabilities(agent, spec.capabilities);
  updateUnavailability(state, agent, spec.unavailability);
  wakeAgent(state, agent);
}

/** Adds what a framework uses on the agent; it is kept as `usedByUnknown` until the framework is added. */
export function addUsed(state: State, agent: Agent, frameworkId: FrameworkId, used: Resources): void {
  addUsedOf(state, agent, frameworkId, used, bundlesByRole(state, used));
  refreshFree(state, agent);
}

/** Unallocated bundles, by the role that they are allocated to. */
type BundlesByRole = readonly (readonly [role: string, Bundle])[];

const bundlesByRole = ({ table }: State, used: Resources): BundlesByRole =>
  [...allocationsByRole(used)].map(([role, resources]) => [role, table.intern(unallocate(resources))]);

/** Frameworks with equal tasks share one list on an agent, which is converted once. */
function addAllUsed(state: State, agent: Agent, used: AgentSpec['used']): void {
  const converted = new Map<Resources, BundlesByRole>();
  for (const [frameworkId, resources] of used) {
    const bundles = converted.get(resources) ?? bundlesByRole(state, resources);
    converted.set(resources, bundles);
    addUsedOf(state, agent, frameworkId, resources, bundles);
  }
}

function addUsedOf(
  state: State,
  agent: Agent,
  frameworkId: FrameworkId,
  used: Resources,
  bundles: BundlesByRole,
): void {
  const framework = state.frameworks.get(frameworkId);
  if (framework !== undefined) {
    for (const [role, bundle] of bundles) addAllocation(state, agent, clientOf(state, framework, role), bundle, true);
    return;
  }
  if (used.length === 0) return;
  const before = agent.usedByUnknown.get(frameworkId) ?? state.table.empty;
  const bundle = state.table.intern(used);
  agent.usedByUnknown.set(frameworkId, state.table.add(before, bundle));
  agent.unavailable = state.table.add(agent.unavailable, state.shapes.of(bundle.unallocated).unshared);
}

/** The framework was added: allocates what it uses on the agent to it. False if the agent reported no use. */
export function adoptUsedByUnknown(state: State, agent: Agent, frameworkId: FrameworkId): boolean {
  const bundle = agent.usedByUnknown.get(frameworkId);
  if (bundle === undefined) return false;
  agent.usedByUnknown.delete(frameworkId);
  agent.unavailable = state.table.subtract(agent.unavailable, state.shapes.of(bundle.unallocated).unshared);
  addUsed(state, agent, frameworkId, bundle.resources);
  return true;
}

/** Frees resources that a framework that was not added used. */
export function releaseUsedByUnknown(state: State, agent: Agent, frameworkId: FrameworkId, resources: Resources): void {
  const before = agent.usedByUnknown.get(frameworkId);
  if (before === undefined) return;
  const bundle = state.table.intern(resources);
  const rest = state.table.subtract(before, bundle);
  if (rest.isEmpty) agent.usedByUnknown.delete(frameworkId);
  else agent.usedByUnknown.set(frameworkId, rest);
  agent.unavailable = state.table.subtract(agent.unavailable, state.shapes.of(bundle.unallocated).unshared);
  refreshFree(state, agent);
  state.dirtyAgents.add(agent);
}

/** Makes the next run evaluate the agent with every client, even if it is in its cooldown. */
function wakeAgent(state: State, agent: Agent): void {
  cancelDeadline(state.cooldowns, agent);
  state.cooldownUntilMs.delete(agent);
  state.dirtyAgents.add(agent);
}

function isWhitelisted(state: State, info: AgentInfo): boolean {
  return state.whitelist === undefined || state.whitelist.has(info.hostname);
}

function setCapabilities(agent: Agent, capabilities: readonly AgentInfoCapability[]): boolean {
  const has = (type: AgentInfoCapability['type']) => capabilities.some((capability) => capability.type === type);
  const forbiddenTraits = (has('MULTI_ROLE') ? 0 : HAS_MULTI_ROLE) | (has('HIERARCHICAL_ROLE') ? 0 : IS_HIERARCHICAL);
  const changed = forbiddenTraits !== agent.forbiddenTraits || !isDeepEqual(capabilities, agent.capabilities);
  agent.capabilities = capabilities;
  agent.forbiddenTraits = forbiddenTraits;
  return changed;
}

function setRequiredTraits(state: State, agent: Agent): void {
  const { filterGpuResources, region } = state.settings;
  const agentRegion = agent.info.domain?.fault_domain?.region.name;
  const isRemote = agentRegion !== undefined && region !== undefined && agentRegion !== region;
  const hasGpus = filterGpuResources && quantity(agent.total.quantities, 'gpus') > 0;
  agent.requiredTraits = (hasGpus ? HAS_GPUS : 0) | (isRemote ? HAS_REGION : 0);
}

/** Returns whether the total changed. */
function setTotal(state: State, agent: Agent, total: Resources): boolean {
  const bundle = state.table.intern(total);
  if (bundle.key === agent.total.key) {
    setRequiredTraits(state, agent);
    return false;
  }
  const before = state.shapes.of(agent.total);
  const after = state.shapes.of(bundle);
  for (const [role, vector] of after.reserved ?? []) {
    const node = useRole(state, role);
    chargeConsumedOrOffered(state, node, vector, 1);
    chargeConsumed(node, vector, 1);
  }
  for (const [role, vector] of before.reserved ?? []) {
    const node = present(state.roles.get(role), `role ${role}`).value;
    chargeConsumedOrOffered(state, node, vector, -1);
    chargeConsumed(node, vector, -1);
    releaseRole(state, role);
  }
  agent.total = bundle;
  if (differs(before.scalars, after.scalars)) {
    accumulate(state.cluster.total, before.scalars, -1);
    accumulate(state.cluster.total, after.scalars, 1);
    state.cluster.version++;
  }
  refreshFree(state, agent);
  setRequiredTraits(state, agent);
  freeUnusedDimensions(state);
  return true;
}

export function updateAgent(state: State, agent: Agent, update: AgentUpdate): boolean {
  let changed = false;
  const { info } = update;
  if (info !== undefined && !isDeepEqual(info, agent.info)) {
    changed = true;
    if (!isDeepEqual(info.attributes ?? [], agent.info.attributes ?? []))
      removeAgentFilters(state.filters, agent.index);
    changeFree(state, agent, () => {
      agent.info = info;
      agent.whitelisted = isWhitelisted(state, info);
    });
    invalidateExclusions(state, agent);
    setRequiredTraits(state, agent);
  }
  if (update.capabilities !== undefined && setCapabilities(agent, update.capabilities)) changed = true;
  if (update.total !== undefined && setTotal(state, agent, update.total)) changed = true;
  if (changed) wakeAgent(state, agent);
  return changed;
}

export function removeAgent(state: State, agent: Agent): void {
  for (const client of [...agent.allocations.keys()]) releaseAllAllocations(state, agent, client);
  state.quotaDirty = true;
  agent.usedByUnknown.clear();
  agent.unavailable = state.table.empty;
  setTotal(state, agent, []);
  endMaintenance(state, agent);
  removeAgentFilters(state.filters, agent.index);
  cancelDeadline(state.cooldowns, agent);
  state.cooldownUntilMs.delete(agent);
  state.dirtyAgents.delete(agent);
  state.agentsWithWokenClients.delete(agent);
  for (const role of state.quotaRoles) removeAgentFrom(role.withheldByLimit, agent.index);
  removeAgentFrom(state.withheldByHeadroom, agent.index);
  state.agents.delete(agent.id);
  state.agentSlots[agent.index] = undefined;
  state.freeAgentSlots.push(agent.index);
}

export function setActive(state: State, agent: Agent, active: boolean): void {
  if (agent.active === active) return;
  changeFree(state, agent, () => {
    agent.active = active;
  });
  if (!active) return;
  wakeAgent(state, agent);
  state.inverseOfferDirtyAgents.add(agent);
}

export function updateWhitelist(state: State, hostnames: Iterable<string> | undefined): void {
  state.whitelist = hostnames === undefined ? undefined : new Set(hostnames);
  for (const agent of state.agents.values()) {
    const whitelisted = isWhitelisted(state, agent.info);
    if (whitelisted === agent.whitelisted) continue;
    changeFree(state, agent, () => {
      agent.whitelisted = whitelisted;
    });
    if (isOfferable(agent)) wakeAgent(state, agent);
  }
}

export function updateUnavailability(state: State, agent: Agent, unavailability: Unavailability | undefined): void {
  endMaintenance(state, agent);
  if (unavailability !== undefined) startMaintenance(state, agent, unavailability);
  wakeAgent(state, agent);
}

/** Adds the resources of a resource provider, and what frameworks use of them. */
export function addResourceProvider(
  state: State,
  agent: Agent,
  total: Resources,
  used: ReadonlyMap<FrameworkId, Resources>,
): void {
  setTotal(state, agent, [...agent.total.resources, ...total]);
  for (const [frameworkId, resources] of used) addUsed(state, agent, frameworkId, resources);
  wakeAgent(state, agent);
}

/** Applies operations of operators to the free resources and to the total. */
export function updateAvailable(
  state: State,
  agent: Agent,
  operations: readonly OfferOperation[],
): Result<undefined, string> {
  let free: Resources = agent.free.bundle.resources;
  let total: Resources = agent.total.resources;
  for (const operation of operations) {
    const freed = applyOperation(free, operation);
    if (!freed.ok) return err(freed.error);
    free = freed.value.resources;
    const applied = applyOperation(total, operation);
    assert(applied.ok, `an operation applies to free resources of ${agent.id}, but not to its total`);
    total = applied.value.resources;
  }
  if (setTotal(state, agent, total)) state.dirtyAgents.add(agent);
  return ok(undefined);
}

/** See `updateAllocation` in types.ts. */
export function updateAllocation(
  state: State,
  agent: Agent,
  frameworkId: FrameworkId,
  offered: Resources,
  conversions: readonly ResourceConversion[],
): Resources {
  const framework = present(state.frameworks.get(frameworkId), `framework ${frameworkId}`);
  const roles = allocationsByRole(offered);
  assert(roles.size === 1, 'offered resources must be allocated to one role');
  const [role] = roles.keys();
  const client = clientOf(state, framework, role as string);
  const converted = applyConversions(offered, conversions);
  assert(converted.ok, `the conversions do not apply to the resources offered to ${frameworkId}`);
  const changesTotal = conversions
    .filter(({ consumed }) => consumed.length > 0)
    .map(({ consumed, converted: into }) => ({ consumed: unallocate(consumed), converted: unallocate(into) }));
  const total = applyConversions(agent.total.resources, changesTotal);
  assert(total.ok, `the conversions do not apply to the total of ${agent.id}`);
  // Counted as one allocation more, so that the client is not removed while it has none.
  client.allocationCount++;
  releaseAllocation(state, agent, client, state.table.intern(unallocate(offered)), false);
  setTotal(state, agent, total.value);
  if (converted.value.length > 0) {
    allocateToClient(state, agent, client, state.table.intern(unallocate(converted.value)), false);
  }
  client.allocationCount--;
  removeIfUnused(state, client);
  state.dirtyAgents.add(agent);
  return converted.value;
}
