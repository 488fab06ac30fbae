// Frameworks as clients of roles: made when a framework subscribes to a role or holds something in it, gone when neither.

import { present } from '@meseta/base';
import { type Quantities, quantitiesFrom } from '@meseta/resources';
import type { FrameworkInfo, FrameworkInfoCapabilityType } from '@meseta/wire';
import { forgetClientFilters } from './filters.js';
import { activateClient, deactivateClient, releaseRole, useRole } from './roles.js';
import { CAN_REFINE, CAN_REVOKE, CAN_SHARE } from './shapes.js';
import { createEntry } from './sort-group.js';
import type { Agent, Client, Framework, State } from './state.js';

export const HAS_GPUS = 8;
export const HAS_REGION = 16;
export const HAS_MULTI_ROLE = 32;
/** The client's role is below another. */
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

/** The roles it subscribes to: `roles` with MULTI_ROLE, else `role`. */
export const rolesOf = (info: FrameworkInfo): ReadonlySet<string> =>
  new Set(traitsOf(info) & HAS_MULTI_ROLE ? (info.roles ?? []) : [info.role ?? '*']);

/** FrameworkInfo.offer_filters: what an offer must contain at least, by role. */
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
  const client = {
    index,
    framework,
    role,
    traits: 0,
    active: false,
    minimum: undefined,
    exclusions: undefined,
    holdings: 0,
    pass: 0,
  } as unknown as Client & { entry: Client['entry'] };
  client.entry = createEntry<Client>(framework.id, client, [], 1);
  state.clientSlots[index] = client;
  role.members.add(client);
  framework.clients.set(roleName, client);
  applyInfo(client);
  return client;
}

/** Takes over what the framework's info and options say. */
function applyInfo(client: Client): void {
  const { framework, role } = client;
  client.traits = traitsOf(framework.info) | (role.parent === undefined ? 0 : IS_HIERARCHICAL);
  client.minimum = framework.minimums.get(role.name);
  client.exclusions = framework.constraints === undefined ? undefined : new Uint8Array(0);
}

/** Brings the framework's clients in line with its roles, suppression and activity; wakes those that became active. */
export function settleClients(state: State, framework: Framework): void {
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
    dropIfUnused(state, client);
  }
}

export function wakeClient(state: State, client: Client): void {
  state.dirtyClients.add(client);
}

export function dropIfUnused(state: State, client: Client): void {
  const { framework, role, index } = client;
  if (client.holdings > 0 || framework.roles.has(role.name)) return;
  deactivateClient(state, client);
  state.dirtyClients.delete(client);
  forgetClientFilters(state.filters, index);
  for (const agent of state.pairedAgents) agent.pairs.delete(client);
  state.clientSlots[index] = undefined;
  state.freeClientSlots.push(index);
  role.members.delete(client);
  framework.clients.delete(role.name);
  releaseRole(state, role.name);
}

/** Whether the framework's offer constraints keep the agent away from it in this role. */
export function isExcluded(client: Client, agent: Agent): boolean {
  let { exclusions } = client;
  if (exclusions === undefined) return false;
  if (agent.index >= exclusions.length) {
    const longer = new Uint8Array(Math.max(64, (agent.index + 1) * 2));
    longer.set(exclusions);
    exclusions = longer;
    client.exclusions = longer;
  }
  let answer = exclusions[agent.index] as number;
  if (answer === 0) {
    const constraints = present(client.framework.constraints, 'offer constraints');
    answer = constraints.excludes(client.role.name, agent.info) ? 1 : 2;
    exclusions[agent.index] = answer;
  }
  return answer === 1;
}

/** The agent's info changed, or another agent has its index now: constraints are asked again. */
export function forgetExclusions(state: State, agent: Agent): void {
  for (const client of state.clientSlots) {
    if (client?.exclusions !== undefined && agent.index < client.exclusions.length) client.exclusions[agent.index] = 0;
  }
}
