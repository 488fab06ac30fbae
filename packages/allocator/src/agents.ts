// Agents coming, changing and going.

import { type AgentId, assert, cancelDeadline, err, type FrameworkId, ok, present, type Result } from '@meseta/base';
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
import { clientOf, forgetExclusions, HAS_GPUS, HAS_MULTI_ROLE, HAS_REGION, IS_HIERARCHICAL } from './clients.js';
import { freeUnusedDimensions } from './dimensions.js';
import { forgetAgentFilters } from './filters.js';
import { changeFree, hold, isOfferable, refreshFree, release, releaseAll, take } from './holdings.js';
import { forgetInverseOffers } from './inverse-offers.js';
import { chargeAllocated, chargeConsumed, releaseRole, useRole } from './roles.js';
import type { Agent, State } from './state.js';
import type { AgentSpec, AgentUpdate } from './types.js';
import { accumulate, differs } from './vectors.js';

export const agentOf = (state: State, agentId: AgentId): Agent =>
  present(state.agents.get(agentId), `agent ${agentId}`);

export function addAgent(state: State, agentId: AgentId, spec: AgentSpec): void {
  assert(!state.agents.has(agentId), `agent ${agentId} is there already`);
  const empty = state.shapes.of(state.table.empty);
  const agent: Agent = {
    id: agentId,
    index: state.freeAgentSlots.pop() ?? state.agentSlots.length,
    info: spec.info,
    active: spec.active ?? true,
    whitelisted: isWhitelisted(state, spec.info),
    capabilities: [],
    needs: 0,
    forbids: 0,
    total: empty.bundle,
    taken: empty.bundle,
    free: empty,
    holdings: new Map(),
    untracked: new Map(),
    maintenance: undefined,
    heldBackMask: 0,
    pairs: new Set(),
  };
  state.agents.set(agentId, agent);
  state.agentSlots[agent.index] = agent;
  forgetExclusions(state, agent);
  takeAllUsed(state, agent, spec.used);
  setTotal(state, agent, spec.total);
  setCapabilities(agent, spec.capabilities);
  updateUnavailability(state, agent, spec.unavailability);
  wakeAgent(state, agent);
}

/** What is used there by a framework; if that is not known yet, it waits for it. */
export function trackUsed(state: State, agent: Agent, frameworkId: FrameworkId, used: Resources): void {
  takeUsed(state, agent, frameworkId, used, shareOf(state, used));
  refreshFree(state, agent);
}

/** Unallocated, by the role that it is allocated to. */
type Share = readonly (readonly [role: string, Bundle])[];

const shareOf = ({ table }: State, used: Resources): Share =>
  [...allocationsByRole(used)].map(([role, resources]) => [role, table.intern(unallocate(resources))]);

/** Frameworks with tasks of one shape use one list on an agent: it is looked at once. */
function takeAllUsed(state: State, agent: Agent, used: AgentSpec['used']): void {
  const shares = new Map<Resources, Share>();
  for (const [frameworkId, resources] of used) {
    const share = shares.get(resources) ?? shareOf(state, resources);
    shares.set(resources, share);
    takeUsed(state, agent, frameworkId, resources, share);
  }
}

function takeUsed(state: State, agent: Agent, frameworkId: FrameworkId, used: Resources, share: Share): void {
  const framework = state.frameworks.get(frameworkId);
  if (framework !== undefined) {
    for (const [role, bundle] of share) take(state, agent, clientOf(state, framework, role), bundle, true);
    return;
  }
  if (used.length === 0) return;
  const before = agent.untracked.get(frameworkId) ?? state.table.empty;
  const bundle = state.table.intern(used);
  agent.untracked.set(frameworkId, state.table.add(before, bundle));
  agent.taken = state.table.add(agent.taken, state.shapes.of(bundle.unallocated).unshared);
}

/** The framework is known now: what waited for it becomes its own. */
export function adoptUntracked(state: State, agent: Agent, frameworkId: FrameworkId): boolean {
  const bundle = agent.untracked.get(frameworkId);
  if (bundle === undefined) return false;
  agent.untracked.delete(frameworkId);
  agent.taken = state.table.subtract(agent.taken, state.shapes.of(bundle.unallocated).unshared);
  trackUsed(state, agent, frameworkId, bundle.resources);
  return true;
}

/** What an unknown framework used comes free. */
export function releaseUntracked(state: State, agent: Agent, frameworkId: FrameworkId, resources: Resources): void {
  const before = agent.untracked.get(frameworkId);
  if (before === undefined) return;
  const bundle = state.table.intern(resources);
  const rest = state.table.subtract(before, bundle);
  if (rest.isEmpty) agent.untracked.delete(frameworkId);
  else agent.untracked.set(frameworkId, rest);
  agent.taken = state.table.subtract(agent.taken, state.shapes.of(bundle.unallocated).unshared);
  refreshFree(state, agent);
  state.dirtyAgents.add(agent);
}

/** Looks at it with everybody at the next run, at rest or not. */
function wakeAgent(state: State, agent: Agent): void {
  cancelDeadline(state.rests, agent);
  state.restUntil.delete(agent);
  state.dirtyAgents.add(agent);
}

function isWhitelisted(state: State, info: AgentInfo): boolean {
  return state.whitelist === undefined || state.whitelist.has(info.hostname);
}

function setCapabilities(agent: Agent, capabilities: readonly AgentInfoCapability[]): boolean {
  const has = (type: AgentInfoCapability['type']) => capabilities.some((capability) => capability.type === type);
  const forbids = (has('MULTI_ROLE') ? 0 : HAS_MULTI_ROLE) | (has('HIERARCHICAL_ROLE') ? 0 : IS_HIERARCHICAL);
  const changed = forbids !== agent.forbids || !isSame(capabilities, agent.capabilities);
  agent.capabilities = capabilities;
  agent.forbids = forbids;
  return changed;
}

function setNeeds(state: State, agent: Agent): void {
  const { filterGpuResources, region } = state.settings;
  const theirs = agent.info.domain?.fault_domain?.region.name;
  const isRemote = theirs !== undefined && region !== undefined && theirs !== region;
  const hasGpus = filterGpuResources && quantity(agent.total.quantities, 'gpus') > 0;
  agent.needs = (hasGpus ? HAS_GPUS : 0) | (isRemote ? HAS_REGION : 0);
}

/** Whether it changed. */
function setTotal(state: State, agent: Agent, total: Resources): boolean {
  const bundle = state.table.intern(total);
  if (bundle.key === agent.total.key) {
    setNeeds(state, agent);
    return false;
  }
  const before = state.shapes.of(agent.total);
  const after = state.shapes.of(bundle);
  for (const [role, vector] of after.reserved ?? []) {
    const node = useRole(state, role);
    chargeConsumed(state, node, vector, 1);
    chargeAllocated(node, vector, 1);
  }
  for (const [role, vector] of before.reserved ?? []) {
    const node = present(state.roles.get(role), `role ${role}`).value;
    chargeConsumed(state, node, vector, -1);
    chargeAllocated(node, vector, -1);
    releaseRole(state, role);
  }
  agent.total = bundle;
  if (differs(before.all, after.all)) {
    accumulate(state.cluster.total, before.all, -1);
    accumulate(state.cluster.total, after.all, 1);
    state.cluster.version++;
  }
  refreshFree(state, agent);
  setNeeds(state, agent);
  freeUnusedDimensions(state);
  return true;
}

export function updateAgent(state: State, agent: Agent, update: AgentUpdate): boolean {
  let changed = false;
  const { info } = update;
  if (info !== undefined && !isSame(info, agent.info)) {
    changed = true;
    if (!isSame(info.attributes ?? [], agent.info.attributes ?? [])) forgetAgentFilters(state.filters, agent.index);
    changeFree(state, agent, () => {
      agent.info = info;
      agent.whitelisted = isWhitelisted(state, info);
    });
    forgetExclusions(state, agent);
    setNeeds(state, agent);
  }
  if (update.capabilities !== undefined && setCapabilities(agent, update.capabilities)) changed = true;
  if (update.total !== undefined && setTotal(state, agent, update.total)) changed = true;
  if (changed) wakeAgent(state, agent);
  return changed;
}

/** Messages are plain data with their fields in a fixed order. */
const isSame = (a: unknown, b: unknown): boolean => a === b || textOf(a) === textOf(b);
const textOf = (value: unknown): string => JSON.stringify(value, (_, v) => (typeof v === 'bigint' ? `${v}n` : v));

export function removeAgent(state: State, agent: Agent): void {
  for (const client of [...agent.holdings.keys()]) releaseAll(state, agent, client);
  state.quotaDirty = true;
  agent.untracked.clear();
  agent.taken = state.table.empty;
  setTotal(state, agent, []);
  forgetInverseOffers(state, agent);
  forgetAgentFilters(state.filters, agent.index);
  cancelDeadline(state.rests, agent);
  state.restUntil.delete(agent);
  state.dirtyAgents.delete(agent);
  state.pairedAgents.delete(agent);
  for (const role of state.quotaRoles) removeAgentFrom(role.blocked, agent.index);
  removeAgentFrom(state.heldBack, agent.index);
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
  state.inverseDirty.add(agent);
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
  forgetInverseOffers(state, agent);
  if (unavailability !== undefined) {
    agent.maintenance = { unavailability, outstanding: new Set(), statuses: new Map() };
    state.inverseDirty.add(agent);
  }
  wakeAgent(state, agent);
}

/** A provider's resources are added, with what is used of them. */
export function addResourceProvider(
  state: State,
  agent: Agent,
  total: Resources,
  used: ReadonlyMap<FrameworkId, Resources>,
): void {
  setTotal(state, agent, [...agent.total.resources, ...total]);
  for (const [frameworkId, resources] of used) trackUsed(state, agent, frameworkId, resources);
  wakeAgent(state, agent);
}

/** Operators' operations: on what is free only; the total follows. */
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
    if (!applied.ok) return err(applied.error);
    total = applied.value.resources;
  }
  if (setTotal(state, agent, total)) state.dirtyAgents.add(agent);
  return ok(undefined);
}

/** See `updateAllocation` in types.ts. */
export function convertHeld(
  state: State,
  agent: Agent,
  frameworkId: FrameworkId,
  offered: Resources,
  conversions: readonly ResourceConversion[],
): Resources {
  const framework = present(state.frameworks.get(frameworkId), `framework ${frameworkId}`);
  const [roles] = [allocationsByRole(offered)];
  assert(roles.size === 1, 'offered resources must be allocated to one role');
  const [role] = roles.keys();
  const client = clientOf(state, framework, role as string);
  const converted = applyConversions(offered, conversions);
  assert(converted.ok, `the conversions don't apply to what ${frameworkId} was offered`);
  const changesTotal = conversions
    .filter(({ consumed }) => consumed.length > 0)
    .map(({ consumed, converted: into }) => ({ consumed: unallocate(consumed), converted: unallocate(into) }));
  const total = applyConversions(agent.total.resources, changesTotal);
  assert(total.ok, `the conversions don't apply to the total of ${agent.id}`);
  // The client stays in use in between: what it holds may be empty for a moment.
  client.holdings++;
  release(state, agent, client, state.table.intern(unallocate(offered)), false);
  setTotal(state, agent, total.value);
  if (converted.value.length > 0) {
    hold(state, agent, client, state.table.intern(unallocate(converted.value)), false);
  }
  client.holdings--;
  state.dirtyAgents.add(agent);
  return converted.value;
}
