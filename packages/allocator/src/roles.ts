// Roles: who uses them, their place in the order of fair sharing, what they consume of their quota.
import type { Bundle, RoleNode } from '@meseta/resources';
import { createAgentSet } from './agent-set.js';
import { createEntry, createGroup, insert, remove, touch } from './sort-group.js';
import type { Client, Role, State } from './state.js';
import type { Quota, SorterKind } from './types.js';
import { accumulate, amount, type Vector } from './vectors.js';

export function createRole(name: string, weight: number, roleSorter: SorterKind, frameworkSorter: SorterKind): Role {
  const role = {
    name,
    parent: undefined,
    group: createGroup<Role>(roleSorter),
    clients: createGroup<Client>(frameworkSorter),
    members: new Set<Client>(),
    active: 0,
    consumed: [],
    allocated: [],
    quota: undefined,
    limits: undefined,
    guarantees: undefined,
    blocked: createAgentSet(),
    blockedMask: 0,
    lastRoom: [],
    lastUnmet: [],
    path: [],
    forms: new Map(),
  } as unknown as Role & { subtree: Role['subtree']; own: Role['own'] };
  role.subtree = createEntry<Role>(name, role, [], weight);
  // Mesos' sorter gives a role's own frameworks, beside its subroles, a node of this name and of weight 1.
  role.own = createEntry<Role>(`${name}/.`, role, [], 1);
  return role;
}

/** One more user of the role. */
export function useRole(state: State, name: string): Role {
  const node = state.roles.add(name);
  return node.value.path.length > 0 ? node.value : placeRole(node);
}

/** A new role, and what is new above it, learns its place. */
function placeRole(node: RoleNode<Role>): Role {
  const role = node.value;
  if (role.path.length > 0) return role;
  role.parent = node.parent === undefined ? undefined : placeRole(node.parent);
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
    if (role.active++ === 0) insert(groupAbove(state, role), role.subtree);
  }
}

export function deactivateClient(state: State, client: Client): void {
  if (!client.active) return;
  client.active = false;
  remove(client.role.clients, client.entry);
  if (client.role.clients.entries.length === 0) remove(client.role.group, client.role.own);
  for (let role: Role | undefined = client.role; role !== undefined; role = role.parent) {
    if (--role.active === 0) remove(groupAbove(state, role), role.subtree);
  }
}

/** What the client holds changed: `all` scalars for its shares, `countable` ones for its roles' quota. */
export function chargeHeld(state: State, client: Client, all: Vector, countable: Vector, sign: 1 | -1): void {
  const { cluster } = state;
  const { role } = client;
  accumulate(state.held, all, sign);
  accumulate(client.entry.held, all, sign);
  touch(role.clients, client.entry, cluster);
  accumulate(role.own.held, all, sign);
  touch(role.group, role.own, cluster);
  for (let at: Role | undefined = role; at !== undefined; at = at.parent) {
    accumulate(at.subtree.held, all, sign);
    touch(groupAbove(state, at), at.subtree, cluster);
  }
  chargeConsumed(state, role, countable, sign);
}

/** One more offer: what comes first among equals. */
export function countOffer(state: State, client: Client): void {
  const { role } = client;
  client.entry.count++;
  touch(role.clients, client.entry, state.cluster);
  role.own.count++;
  touch(role.group, role.own, state.cluster);
  for (let at: Role | undefined = role; at !== undefined; at = at.parent) {
    at.subtree.count++;
    touch(groupAbove(state, at), at.subtree, state.cluster);
  }
}

/** Keeps `consumed` and `required` true (ALLOCATOR-3). */
export function chargeConsumed(state: State, role: Role, delta: Vector, sign: 1 | -1): void {
  for (let at: Role | undefined = role; at !== undefined; at = at.parent) {
    if (at.guarantees === undefined) {
      accumulate(at.consumed, delta, sign);
      continue;
    }
    requireFor(state, at, -1);
    accumulate(at.consumed, delta, sign);
    requireFor(state, at, 1);
  }
}

export function chargeAllocated(role: Role, delta: Vector, sign: 1 | -1): void {
  for (let at: Role | undefined = role; at !== undefined; at = at.parent) accumulate(at.allocated, delta, sign);
}

/** What the role lacks to its guarantee, of one dimension. */
export const unmetOf = (role: Role, at: number): number =>
  role.guarantees === undefined ? 0 : Math.max(0, amount(role.guarantees, at) - amount(role.consumed, at));

function requireFor(state: State, role: Role, sign: 1 | -1): void {
  const guarantees = role.guarantees as Vector;
  const { required } = state;
  while (required.length < guarantees.length) required.push(0);
  for (let d = 0; d < guarantees.length; d++) required[d] = (required[d] as number) + sign * unmetOf(role, d);
}

/** Room under the role's own limit, of one dimension; Infinity without a limit. */
export const roomOf = (role: Role, at: number): number =>
  role.limits === undefined || at >= role.limits.length
    ? Number.POSITIVE_INFINITY
    : (role.limits[at] as number) - amount(role.consumed, at);

export function setQuota(state: State, name: string, quota: Quota): void {
  const isDefault = quota.guarantees.names.length === 0 && quota.limits.names.length === 0;
  let role = state.roles.get(name)?.value;
  if (role === undefined || !state.quotaRoles.has(role)) {
    if (isDefault) return;
    role = useRole(state, name);
    state.quotaRoles.add(role);
  }
  if (role.guarantees !== undefined) requireFor(state, role, -1);
  role.quota = isDefault ? undefined : quota;
  role.guarantees = quota.guarantees.names.length === 0 ? undefined : state.dimensions.vectorOf(quota.guarantees);
  role.limits = quota.limits.names.length === 0 ? undefined : limitVector(state, quota);
  if (role.guarantees !== undefined) requireFor(state, role, 1);
  state.quotaDirty = true;
}

/** After a run, which has woken what its limit blocked: a role that lost its quota is compared no more. */
export function releaseIfUnused(state: State, role: Role): void {
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

const FORMS_KEPT = 64;

/** The bundle as it is offered to the role. */
export function allocatedForm(role: Role, bundle: Bundle): Bundle {
  let form = role.forms.get(bundle);
  if (form === undefined) {
    form = bundle.allocatedTo(role.name);
    if (role.forms.size >= FORMS_KEPT) role.forms.clear();
    role.forms.set(bundle, form);
  }
  return form;
}
