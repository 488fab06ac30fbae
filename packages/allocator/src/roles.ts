// Roles: their place in the order of fair sharing, and their consumption, guarantees and limits (ALLOCATOR-3).
import type { Bundle, RoleNode } from '@meseta/resources';
import { createAgentSet } from './agent-set.js';
import { createEntry, createGroup, insert, remove, reposition } from './sort-group.js';
import type { Client, Role, State } from './state.js';
import type { Quota, SorterKind } from './types.js';
import { accumulate, amount, type Vector } from './vectors.js';

export function createRole(name: string, weight: number, roleSorter: SorterKind, frameworkSorter: SorterKind): Role {
  const fields: Omit<Role, 'subtree' | 'own'> = {
    name,
    parent: undefined,
    group: createGroup<Role>(roleSorter),
    clients: createGroup<Client>(frameworkSorter),
    members: new Set<Client>(),
    activeClients: 0,
    consumedOrOffered: [],
    consumed: [],
    quota: undefined,
    limits: undefined,
    guarantees: undefined,
    withheldByLimit: createAgentSet(),
    withheldMask: 0,
    lastRoom: [],
    lastUnmet: [],
    path: [],
    allocatedBundles: new Map(),
  };
  // The role and its entries refer to each other.
  const role = fields as Role;
  role.subtree = createEntry(name, role, [], weight);
  // Mesos' sorter gives the role's own frameworks a node of this name and of weight 1 beside the child roles.
  role.own = createEntry(`${name}/.`, role, [], 1);
  return role;
}

/** Adds a user of the role: a client, a reservation or a quota. */
export function useRole(state: State, name: string): Role {
  const node = state.roles.add(name);
  return node.value.path.length > 0 ? node.value : linkRole(node);
}

/** Links a new role, and each new role above it, to its parent. */
function linkRole(node: RoleNode<Role>): Role {
  const role = node.value;
  if (role.path.length > 0) return role;
  role.parent = node.parent === undefined ? undefined : linkRole(node.parent);
  role.path = [...(role.parent?.path.slice(0, -1) ?? []), role.subtree, role.own];
  return role;
}

export const releaseRole = (state: State, name: string): void => state.roles.remove(name);

const groupAbove = (state: State, role: Role) => role.parent?.group ?? state.rootGroup;

export function activateClient(state: State, client: Client): void {
  if (client.active) return;
  client.active = true;
  insert(client.role.clients, client.entry);
  if (client.role.clients.entries.length === 1) insert(client.role.group, client.role.own);
  for (let role: Role | undefined = client.role; role !== undefined; role = role.parent) {
    if (role.activeClients++ === 0) insert(groupAbove(state, role), role.subtree);
  }
}

export function deactivateClient(state: State, client: Client): void {
  if (!client.active) return;
  client.active = false;
  remove(client.role.clients, client.entry);
  if (client.role.clients.entries.length === 0) remove(client.role.group, client.role.own);
  for (let role: Role | undefined = client.role; role !== undefined; role = role.parent) {
    if (--role.activeClients === 0) remove(groupAbove(state, role), role.subtree);
  }
}

/** Adds to, or takes from, what is charged to the client: `scalars` for shares, `countable` ones for quota. */
export function chargeClient(state: State, client: Client, scalars: Vector, countable: Vector, sign: 1 | -1): void {
  const { cluster } = state;
  const { role } = client;
  accumulate(state.allocation, scalars, sign);
  accumulate(client.entry.allocation, scalars, sign);
  reposition(role.clients, client.entry, cluster);
  accumulate(role.own.allocation, scalars, sign);
  reposition(role.group, role.own, cluster);
  for (let at: Role | undefined = role; at !== undefined; at = at.parent) {
    accumulate(at.subtree.allocation, scalars, sign);
    reposition(groupAbove(state, at), at.subtree, cluster);
  }
  chargeConsumedOrOffered(state, role, countable, sign);
}

/** Counts an offer; of equal shares, the fewer offers come first (SORT-GROUP-1). */
export function countOffer(state: State, client: Client): void {
  const { role } = client;
  client.entry.offers++;
  reposition(role.clients, client.entry, state.cluster);
  role.own.offers++;
  reposition(role.group, role.own, state.cluster);
  for (let at: Role | undefined = role; at !== undefined; at = at.parent) {
    at.subtree.offers++;
    reposition(groupAbove(state, at), at.subtree, state.cluster);
  }
}

/** Keeps ALLOCATOR-3 for `consumedOrOffered` and `required`. */
export function chargeConsumedOrOffered(state: State, role: Role, delta: Vector, sign: 1 | -1): void {
  for (let at: Role | undefined = role; at !== undefined; at = at.parent) {
    if (at.guarantees === undefined) {
      accumulate(at.consumedOrOffered, delta, sign);
      continue;
    }
    chargeRequired(state, at, -1);
    accumulate(at.consumedOrOffered, delta, sign);
    chargeRequired(state, at, 1);
  }
}

export function chargeConsumed(role: Role, delta: Vector, sign: 1 | -1): void {
  for (let at: Role | undefined = role; at !== undefined; at = at.parent) accumulate(at.consumed, delta, sign);
}

/** The unmet part of the role's guarantee, of one dimension. */
export const unmetGuarantee = (role: Role, at: number): number =>
  role.guarantees === undefined ? 0 : Math.max(0, amount(role.guarantees, at) - amount(role.consumedOrOffered, at));

function chargeRequired(state: State, role: Role, sign: 1 | -1): void {
  const guarantees = role.guarantees as Vector;
  const { required } = state;
  while (required.length < guarantees.length) required.push(0);
  for (let d = 0; d < guarantees.length; d++) required[d] = (required[d] as number) + sign * unmetGuarantee(role, d);
}

/** The room under the role's own limit, of one dimension; Infinity without a limit, negative beyond it. */
export const roomUnderLimit = (role: Role, at: number): number =>
  role.limits === undefined || at >= role.limits.length
    ? Number.POSITIVE_INFINITY
    : (role.limits[at] as number) - amount(role.consumedOrOffered, at);

export function setQuota(state: State, name: string, quota: Quota): void {
  const isDefault = quota.guarantees.names.length === 0 && quota.limits.names.length === 0;
  let role = state.roles.get(name)?.value;
  if (role === undefined || !state.quotaRoles.has(role)) {
    if (isDefault) return;
    role = useRole(state, name);
    state.quotaRoles.add(role);
  }
  if (role.guarantees !== undefined) chargeRequired(state, role, -1);
  role.quota = isDefault ? undefined : quota;
  role.guarantees = quota.guarantees.names.length === 0 ? undefined : state.dimensions.vectorOf(quota.guarantees);
  role.limits = quota.limits.names.length === 0 ? undefined : limitVector(state, quota);
  if (role.guarantees !== undefined) chargeRequired(state, role, 1);
  state.quotaDirty = true;
}

/** Called after a run, which woke the agents that the former limit blocked. */
export function removeQuotaRoleIfUnset(state: State, role: Role): void {
  if (role.quota !== undefined || !state.quotaRoles.delete(role)) return;
  releaseRole(state, role.name);
}

function limitVector(state: State, quota: Quota): Vector {
  const vector: Vector = [];
  quota.limits.names.forEach((name, i) => {
    const at = state.dimensions.indexOf(name);
    while (vector.length <= at) vector.push(Number.POSITIVE_INFINITY);
    vector[at] = quota.limits.amounts[i] as number;
  });
  return vector;
}

const MAX_ALLOCATED_BUNDLES = 64;

/** The bundle in the form that is allocated to the role. */
export function allocatedBundleOf(role: Role, bundle: Bundle): Bundle {
  let allocated = role.allocatedBundles.get(bundle);
  if (allocated === undefined) {
    allocated = bundle.allocatedTo(role.name);
    if (role.allocatedBundles.size >= MAX_ALLOCATED_BUNDLES) role.allocatedBundles.clear();
    role.allocatedBundles.set(bundle, allocated);
  }
  return allocated;
}
