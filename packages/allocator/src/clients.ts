// Clients, each a framework in a role. A client exists while the framework subscribes to the role or has an allocation in
// it.

import { present } from '@meseta/base';
import { type Quantities, quantitiesFrom } from '@meseta/resources';
import type { FrameworkInfo, FrameworkInfoCapabilityType } from '@meseta/wire';
import { removeClientFilters } from './filters.js';
import { activateClient, deactivateClient, releaseRole, useRole } from './roles.js';
import { CAN_REFINE, CAN_REVOKE, CAN_SHARE } from './shapes.js';
import { createEntry } from './sort-group.js';
import type { Agent, Client, Framework, State } from './state.js';

// Traits: bits of one mask with the capabilities of shapes.ts, which are the lowest three.
export const HAS_GPUS = 8;
export const HAS_REGION = 16;
export const HAS_MULTI_ROLE = 32;
/** The client's role has a parent. */
export const IS_HIERARCHICAL = 64;

const TRAIT_OF: Partial<Record<FrameworkInfoCapabilityType, number>> = {
  SHARED_RESOURCES: CAN_SHARE,
  REVOCABLE_RESOURCES: CAN_REVOKE,
  RESERVATION_REFINEMENT: CAN_REFINE,
  GPU_RESOURCES: HAS_GPUS,
  REGION_AWARE: HAS_REGION,
  MULTI_ROLE: HAS_MULTI_ROLE,
};

function traitsOf(info: FrameworkInfo): number {
  let traits = 0;
  for (const { type } of info.capabilities ?? []) if (type !== undefined) traits |= TRAIT_OF[type] ?? 0;
  return traits;
}

/** The roles that a framework subscribes to: `roles` with MULTI_ROLE, else `role`. */
export const rolesOf = (info: FrameworkInfo): ReadonlySet<string> =>
  new Set(traitsOf(info) & HAS_MULTI_ROLE ? (info.roles ?? []) : [info.role ?? '*']);

/** FrameworkInfo.offer_filters: the minimums of offers by role. */
export function minimumsOf(info: FrameworkInfo): ReadonlyMap<string, readonly Quantities[]> {
  const minimums = new Map<string, readonly Quantities[]>();
  for (const [role, filter] of Object.entries(info.offer_filters ?? {})) {
    if (filter.min_allocatable_resources === undefined) continue;
    const sets = filter.min_allocatable_resources.quantities ?? [];
    minimums.set(
      role,
      sets.map((set) => quantitiesFrom(set.quantities ?? {})),
    );
  }
  return minimums;
}

export function clientOf(state: State, framework: Framework, roleName: string): Client {
  const known = framework.clients.get(roleName);
  if (known !== undefined) return known;
  const role = useRole(state, roleName);
  const index = state.freeClientSlots.pop() ?? state.clientSlots.length;
  const fields: Omit<Client, 'entry'> = {
    index,
    framework,
    role,
    traits: 0,
    active: false,
    minimum: undefined,
    exclusions: undefined,
    allocationCount: 0,
    lastWalk: 0,
  };
  // The client and its entry refer to each other.
  const client = fields as Client;
  client.entry = createEntry(framework.id, client, [], 1);
  state.clientSlots[index] = client;
  role.members.add(client);
  framework.clients.set(roleName, client);
  applyInfo(client);
  return client;
}

/** Copies what depends on the framework's info and options to the client. */
function applyInfo(client: Client): void {
  const { framework, role } = client;
  client.traits = traitsOf(framework.info) | (role.parent === undefined ? 0 : IS_HIERARCHICAL);
  client.minimum = framework.minimums.get(role.name);
  client.exclusions = framework.constraints === undefined ? undefined : new Uint8Array(0);
}

/** Updates the framework's clients after its roles, suppression or activity changed; wakes clients that became active. */
export function updateClients(state: State, framework: Framework): void {
  for (const role of framework.roles) clientOf(state, framework, role);
  for (const client of [...framework.clients.values()]) {
    applyInfo(client);
    const name = client.role.name;
    if (framework.active && framework.roles.has(name) && !framework.suppressed.has(name)) {
      if (!client.active) wakeClient(state, client);
      activateClient(state, client);
    } else {
      deactivateClient(state, client);
      state.dirtyClients.delete(client);
    }
    removeIfUnused(state, client);
  }
}

export function wakeClient(state: State, client: Client): void {
  state.dirtyClients.add(client);
}

export function removeIfUnused(state: State, client: Client): void {
  const { framework, role, index } = client;
  if (client.allocationCount > 0 || framework.roles.has(role.name)) return;
  deactivateClient(state, client);
  state.dirtyClients.delete(client);
  removeClientFilters(state.filters, index);
  for (const agent of state.agentsWithWokenClients) agent.wokenClients.delete(client);
  state.clientSlots[index] = undefined;
  state.freeClientSlots.push(index);
  role.members.delete(client);
  framework.clients.delete(role.name);
  releaseRole(state, role.name);
}

const NOT_EVALUATED = 0;
const EXCLUDED = 1;
const NOT_EXCLUDED = 2;

/** Whether the framework's offer constraints for the role exclude the agent. */
export function isExcluded(client: Client, agent: Agent): boolean {
  let { exclusions } = client;
  if (exclusions === undefined) return false;
  if (agent.index >= exclusions.length) {
    const longer = new Uint8Array(Math.max(64, (agent.index + 1) * 2));
    longer.set(exclusions);
    exclusions = longer;
    client.exclusions = longer;
  }
  let exclusion = exclusions[agent.index] as number;
  if (exclusion === NOT_EVALUATED) {
    const constraints = present(client.framework.constraints, 'offer constraints');
    exclusion = constraints.excludes(client.role.name, agent.info) ? EXCLUDED : NOT_EXCLUDED;
    exclusions[agent.index] = exclusion;
  }
  return exclusion === EXCLUDED;
}

/** The agent's info changed, or the index belongs to a new agent: constraints have to be evaluated again. */
export function invalidateExclusions(state: State, agent: Agent): void {
  for (const { constraints, clients } of state.frameworks.values()) {
    if (constraints === undefined) continue;
    for (const { exclusions } of clients.values()) {
      if (exclusions !== undefined && agent.index < exclusions.length) exclusions[agent.index] = NOT_EVALUATED;
    }
  }
}
