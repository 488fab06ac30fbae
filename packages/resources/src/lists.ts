// Filters and groups of lists, and lists with other reservations or allocations.
import type { Resource } from '@meseta/wire';
import { add, merge, type Resources } from './algebra.js';
import { hasSameValue, metadataKey } from './identity.js';
import { isRevocable, isShared, isUnreserved, reservationRole } from './kinds.js';
import { withFields } from './records.js';

export const unreserved = (list: Resources): Resources => list.filter(isUnreserved);
export const revocable = (list: Resources): Resources => list.filter(isRevocable);
export const nonRevocable = (list: Resources): Resources => list.filter((r) => !isRevocable(r));
export const nonShared = (list: Resources): Resources => list.filter((r) => !isShared(r));

/** The list with one copy of each shared resource, as messages and totals count it. */
export function distinctShared(list: Resources): Resources {
  if (!list.some(isShared)) return list;
  const once: Resource[] = [];
  const seen = new Map<string, Resource[]>();
  for (const resource of list) {
    if (isShared(resource)) {
      const key = metadataKey(resource);
      const alike = seen.get(key);
      if (alike?.some((other) => hasSameValue(other, resource))) continue;
      if (alike === undefined) seen.set(key, [resource]);
      else alike.push(resource);
    }
    once.push(resource);
  }
  return once;
}

/** The reserved resources by the role of their innermost reservation. */
export function reservationsByRole(list: Resources): Map<string, Resources> {
  return groupBy(list, reservationRole);
}

/** The allocated resources by the role that they are allocated to. */
export function allocationsByRole(list: Resources): Map<string, Resources> {
  return groupBy(list, (resource) => resource.allocation_info?.role);
}

function groupBy(list: Resources, roleOf: (resource: Resource) => string | undefined): Map<string, Resources> {
  const groups = new Map<string, Resource[]>();
  for (const resource of list) {
    const role = roleOf(resource);
    if (role === undefined) continue;
    const group = groups.get(role);
    if (group === undefined) groups.set(role, [resource]);
    else group.push(resource);
  }
  return groups;
}

/** The list without reservations, merged. */
export const toUnreserved = (list: Resources): Resources =>
  list.some((r) => !isUnreserved(r)) ? merge(list.map((r) => withFields(r, { reservations: undefined }))) : list;

/** The list without the innermost reservation of each resource, merged. */
export const popReservation = (list: Resources): Resources =>
  merge(list.map((r) => withFields(r, { reservations: r.reservations?.slice(0, -1) })));

/** The list allocated to the role, whatever it was allocated to before. */
export const allocate = (list: Resources, role: string): Resources => {
  const allocation = { role };
  const allocated = list.map((r) => withFields(r, { allocation_info: allocation }));
  return list.some((r) => r.allocation_info !== undefined) ? merge(allocated) : allocated;
};

/** The list without allocations; entries that differed only in these are merged. */
export const unallocate = (list: Resources): Resources =>
  list.some((r) => r.allocation_info !== undefined)
    ? merge(list.map((r) => withFields(r, { allocation_info: undefined })))
    : list;

/** The sum of many lists. */
export const sum = (lists: Iterable<Resources>): Resources => {
  let total: Resources = [];
  for (const list of lists) total = add(total, list);
  return total;
};
