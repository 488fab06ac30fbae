// Adding, updating and removing frameworks; suppress and revive; resources that are returned.

import { type AgentId, assert, cancelDeadline, type FrameworkId, present, setDeadline } from '@meseta/base';
import { type Bundle, type Resources, unallocate } from '@meseta/resources';
import type { FrameworkInfo } from '@meseta/wire';
import { addUsed, adoptUsedByUnknown, releaseUsedByUnknown } from './agents.js';
import { markAllocated, releaseAllAllocations, releaseAllocation } from './allocations.js';
import { minimumsOf, removeIfUnused, rolesOf, updateClients, wakeClient } from './clients.js';
import { addFilter, removeClientFilters } from './filters.js';
import { removeInverseFilters } from './inverse-offers.js';
import { refusalMs } from './refusal.js';
import type { Agent, Client, Framework, State } from './state.js';
import type { FrameworkOptions, ReturnOptions } from './types.js';

export const frameworkOf = (state: State, frameworkId: FrameworkId): Framework =>
  present(state.frameworks.get(frameworkId), `framework ${frameworkId}`);

export function addFramework(
  state: State,
  frameworkId: FrameworkId,
  info: FrameworkInfo,
  used: ReadonlyMap<AgentId, Resources>,
  active: boolean,
  options: FrameworkOptions,
): void {
  assert(!state.frameworks.has(frameworkId), `framework ${frameworkId} was added before`);
  const framework: Framework = {
    id: frameworkId,
    info,
    active,
    roles: rolesOf(info),
    suppressed: new Set(options.suppressedRoles ?? []),
    constraints: options.offerConstraints,
    minimums: minimumsOf(info),
    clients: new Map(),
  };
  state.frameworks.set(frameworkId, framework);
  indexMinimums(state, framework);
  for (const agent of state.agents.values()) {
    if (adoptUsedByUnknown(state, agent, frameworkId)) continue;
    const resources = used.get(agent.id);
    if (resources !== undefined) addUsed(state, agent, frameworkId, resources);
  }
  updateClients(state, framework);
  if (active) endCooldowns(state);
}

/** Roles keep their filters, but roles that are no longer suppressed are revived. */
export function updateFramework(
  state: State,
  framework: Framework,
  info: FrameworkInfo,
  options: FrameworkOptions,
): void {
  const suppressed = new Set(options.suppressedRoles ?? []);
  const revived = [...framework.suppressed].filter((role) => !suppressed.has(role));
  framework.info = info;
  framework.roles = rolesOf(info);
  framework.constraints = options.offerConstraints;
  framework.minimums = minimumsOf(info);
  indexMinimums(state, framework);
  framework.suppressed.clear();
  for (const role of suppressed) framework.suppressed.add(role);
  for (const role of revived) removeFilters(state, framework.clients.get(role));
  updateClients(state, framework);
  for (const client of framework.clients.values()) if (client.active) wakeClient(state, client);
}

function indexMinimums(state: State, framework: Framework): void {
  if (framework.minimums.size > 0) state.frameworksWithMinimums.add(framework);
  else state.frameworksWithMinimums.delete(framework);
}

function removeFilters(state: State, client: Client | undefined): void {
  if (client !== undefined) removeClientFilters(state.filters, client.index);
}

export function activateFramework(state: State, framework: Framework): void {
  framework.active = true;
  updateClients(state, framework);
  removeInverseFilters(state, framework.id);
  for (const agent of state.agentsInMaintenance) state.inverseOfferDirtyAgents.add(agent);
  endCooldowns(state);
}

export function deactivateFramework(state: State, framework: Framework): void {
  framework.active = false;
  updateClients(state, framework);
  for (const client of framework.clients.values()) removeFilters(state, client);
  removeInverseFilters(state, framework.id);
}

export function removeFramework(state: State, framework: Framework): void {
  deactivateFramework(state, framework);
  const users = [...framework.clients.values()].filter(({ allocationCount }) => allocationCount > 0);
  for (const agent of state.agents.values()) {
    agent.maintenance?.outstanding.delete(framework.id);
    agent.maintenance?.statuses.delete(framework.id);
    for (const client of users) {
      if (!agent.allocations.has(client)) continue;
      releaseAllAllocations(state, agent, client);
      state.dirtyAgents.add(agent);
    }
  }
  framework.roles = new Set();
  for (const client of [...framework.clients.values()]) removeIfUnused(state, client);
  state.frameworks.delete(framework.id);
  state.frameworksWithMinimums.delete(framework);
}

export function suppress(state: State, framework: Framework, roles: Iterable<string> | undefined): void {
  for (const role of roles ?? framework.roles) framework.suppressed.add(role);
  updateClients(state, framework);
}

export function revive(state: State, framework: Framework, roles: Iterable<string> | undefined): void {
  removeInverseFilters(state, framework.id);
  for (const role of roles ?? framework.roles) {
    framework.suppressed.delete(role);
    const client = framework.clients.get(role);
    removeFilters(state, client);
    if (client?.active) wakeClient(state, client);
  }
  updateClients(state, framework);
  endCooldowns(state);
}

/** A framework became active or revived: every agent may be offered again (ALLOCATOR-4). */
function endCooldowns(state: State): void {
  for (const agent of state.cooldownUntilMs.keys()) {
    cancelDeadline(state.cooldowns, agent);
    state.dirtyAgents.add(agent);
  }
  state.cooldownUntilMs.clear();
}

const roleIn = (resources: Resources): string => {
  const role = resources[0]?.allocation_info?.role;
  return present(role, 'allocation_info.role of resources');
};

/** See `recoverResources` in types.ts. */
export function recoverResources(
  state: State,
  frameworkId: FrameworkId,
  agentId: AgentId,
  given: Resources | Bundle,
  now: number,
  options: ReturnOptions,
): void {
  const agent = state.agents.get(agentId);
  const list = 'resources' in given ? given.resources : given;
  if (agent === undefined || list.length === 0) return;
  const framework = state.frameworks.get(frameworkId);
  if (framework === undefined) {
    releaseUsedByUnknown(state, agent, frameworkId, list);
    return;
  }
  const role = roleIn(list);
  const bundle = 'resources' in given ? given.unallocated : state.table.intern(unallocate(given));
  const client = present(framework.clients.get(role), `${frameworkId} in role ${role}`);
  releaseAllocation(state, agent, client, bundle, options.allocated);
  state.dirtyAgents.add(agent);
  if (options.filters === undefined || !framework.clients.has(role)) return;
  const waitMs = refusalMs(options.filters);
  const { intervalMs } = state.settings;
  if (options.leftover && waitMs === 0) startCooldown(state, agent, now + intervalMs);
  else addFilter(state.filters, agent.index, client.index, bundle, now, Math.max(intervalMs, waitMs));
}

function startCooldown(state: State, agent: Agent, untilMs: number): void {
  state.dirtyAgents.delete(agent);
  // The agent is not offered yet, but the freed resources may raise the surplus, of which other agents are offered.
  state.quotaDirty = true;
  state.cooldownUntilMs.set(agent, untilMs);
  setDeadline(state.cooldowns, agent, untilMs);
}

export function transitionOfferedToAllocated(
  state: State,
  frameworkId: FrameworkId,
  agent: Agent,
  resources: Resources,
): void {
  if (resources.length === 0) return;
  const client = frameworkOf(state, frameworkId).clients.get(roleIn(resources));
  assert(client !== undefined, `${frameworkId} has no offer in that role`);
  markAllocated(state, agent, client, state.table.intern(unallocate(resources)));
}
