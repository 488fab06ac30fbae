// Frameworks coming, changing and going; suppress and revive; resources that come back from them.

import { type AgentId, assert, cancelDeadline, type FrameworkId, present, setDeadline } from '@meseta/base';
import { type Bundle, type Resources, unallocate } from '@meseta/resources';
import type { FrameworkInfo } from '@meseta/wire';
import { adoptUntracked, releaseUntracked, trackUsed } from './agents.js';
import { dropIfUnused, minimumsOf, rolesOf, settleClients, wakeClient } from './clients.js';
import { addFilter, forgetClientFilters } from './filters.js';
import { confirm, release, releaseAll } from './holdings.js';
import { forgetInverseFilters } from './inverse-offers.js';
import { refusalMs } from './refusal.js';
import type { Agent, Client, Framework, State } from './state.js';
import type { FrameworkOptions, Returned } from './types.js';

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
  assert(!state.frameworks.has(frameworkId), `framework ${frameworkId} is there already`);
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
  noteMinimums(state, framework);
  for (const agent of state.agents.values()) {
    if (adoptUntracked(state, agent, frameworkId)) continue;
    const resources = used.get(agent.id);
    if (resources !== undefined) trackUsed(state, agent, frameworkId, resources);
  }
  settleClients(state, framework);
  if (active) endRests(state);
}

/** What is unchanged keeps its filters; what was suppressed and is no more is revived. */
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
  noteMinimums(state, framework);
  framework.suppressed.clear();
  for (const role of suppressed) framework.suppressed.add(role);
  for (const role of revived) forgetFilters(state, framework.clients.get(role));
  settleClients(state, framework);
  for (const client of framework.clients.values()) if (client.active) wakeClient(state, client);
}

function noteMinimums(state: State, framework: Framework): void {
  if (framework.minimums.size > 0) state.withMinimums.add(framework);
  else state.withMinimums.delete(framework);
}

function forgetFilters(state: State, client: Client | undefined): void {
  if (client !== undefined) forgetClientFilters(state.filters, client.index);
}

export function activateFramework(state: State, framework: Framework): void {
  framework.active = true;
  settleClients(state, framework);
  forgetInverseFilters(state, framework.id);
  for (const agent of state.agents.values()) if (agent.maintenance !== undefined) state.inverseDirty.add(agent);
  endRests(state);
}

export function deactivateFramework(state: State, framework: Framework): void {
  framework.active = false;
  settleClients(state, framework);
  for (const client of framework.clients.values()) forgetFilters(state, client);
  forgetInverseFilters(state, framework.id);
}

export function removeFramework(state: State, framework: Framework): void {
  deactivateFramework(state, framework);
  for (const agent of state.agents.values()) {
    agent.maintenance?.outstanding.delete(framework.id);
    agent.maintenance?.statuses.delete(framework.id);
    for (const client of [...framework.clients.values()]) {
      if (!agent.holdings.has(client)) continue;
      releaseAll(state, agent, client);
      state.dirtyAgents.add(agent);
    }
  }
  framework.roles = new Set();
  for (const client of [...framework.clients.values()]) dropIfUnused(state, client);
  state.frameworks.delete(framework.id);
  state.withMinimums.delete(framework);
}

export function suppress(state: State, framework: Framework, roles: Iterable<string> | undefined): void {
  for (const role of roles ?? framework.roles) framework.suppressed.add(role);
  settleClients(state, framework);
}

export function revive(state: State, framework: Framework, roles: Iterable<string> | undefined): void {
  forgetInverseFilters(state, framework.id);
  for (const role of roles ?? framework.roles) {
    framework.suppressed.delete(role);
    const client = framework.clients.get(role);
    forgetFilters(state, client);
    if (client?.active) wakeClient(state, client);
  }
  settleClients(state, framework);
  endRests(state);
}

/** Somebody new wants offers: nobody's agent rests any longer. */
function endRests(state: State): void {
  for (const agent of state.restUntil.keys()) {
    cancelDeadline(state.rests, agent);
    state.dirtyAgents.add(agent);
  }
  state.restUntil.clear();
}

const roleIn = (resources: Resources): string => {
  const role = resources[0]?.allocation_info?.role;
  return present(role, 'allocation_info.role of resources');
};

/** See `recoverResources` in types.ts. */
export function recover(
  state: State,
  frameworkId: FrameworkId,
  agentId: AgentId,
  given: Resources | Bundle,
  now: number,
  how: Returned,
): void {
  const agent = state.agents.get(agentId);
  const list = 'resources' in given ? given.resources : given;
  if (agent === undefined || list.length === 0) return;
  const framework = state.frameworks.get(frameworkId);
  if (framework === undefined) {
    releaseUntracked(state, agent, frameworkId, list);
    return;
  }
  const role = roleIn(list);
  const bundle = 'resources' in given ? given.unallocated : state.table.intern(unallocate(given));
  const client = present(framework.clients.get(role), `${frameworkId} in role ${role}`);
  release(state, agent, client, bundle, how.allocated);
  state.dirtyAgents.add(agent);
  if (how.filters === undefined || !framework.clients.has(role)) return;
  const waitMs = refusalMs(how.filters);
  const { intervalMs } = state.settings;
  if (how.leftover && waitMs === 0) rest(state, agent, now + intervalMs);
  else addFilter(state.filters, agent.index, client.index, bundle, now, Math.max(intervalMs, waitMs));
}

function rest(state: State, agent: Agent, untilMs: number): void {
  state.dirtyAgents.delete(agent);
  // It rests, but what came free may let others have more elsewhere.
  state.quotaDirty = true;
  state.restUntil.set(agent, untilMs);
  setDeadline(state.rests, agent, untilMs);
}

export function transitionToAllocated(
  state: State,
  frameworkId: FrameworkId,
  agent: Agent,
  resources: Resources,
): void {
  if (resources.length === 0) return;
  const client = frameworkOf(state, frameworkId).clients.get(roleIn(resources));
  assert(client !== undefined, `${frameworkId} holds nothing in that role`);
  confirm(state, agent, client, state.table.intern(unallocate(resources)));
}
