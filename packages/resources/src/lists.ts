// Parts of a list, and a list with its reservations or its allocation changed.
import type { Resource } from '@meseta/wire';
import { add, merge, type Resources } from './algebra.js';
import { metadataKey, resourceEquals } from './identity.js';
import { isReserved, isRevocable, isScalar, isShared, isUnreserved, reservationRole } from './kinds.js';
import { withFields } from './records.js';

/** Reserved to anybody, or to exactly this role. */
export const reserved = (list: Resources, role?: string): Resources => list.filter((r) => isReserved(r, role));
export const unreserved = (list: Resources): Resources => list.filter(isUnreserved);
export const revocable = (list: Resources): Resources => list.filter(isRevocable);
export const nonRevocable = (list: Resources): Resources => list.filter((r) => !isRevocable(r));
export const shared = (list: Resources): Resources => list.filter(isShared);
export const nonShared = (list: Resources): Resources => list.filter((r) => !isShared(r));
export const scalars = (list: Resources): Resources => list.filter(isScalar);

/** Each shared resource once, whatever its copies: as messages and totals count it. */
export function distinctShared(list: Resources): Resources {
  if (!list.some(isShared)) return list;
  const once: Resource[] = [];
  const seen = new Map<string, Resource[]>();
  for (const resource of list) {
    if (isShared(resource)) {
      const key = metadataKey(resource);
      const alike = seen.get(key);
      if (alike?.some((other) => resourceEquals(other, resource))) continue;
      if (alike === undefined) seen.set(key, [resource]);
      else alike.push(resource);
    }
    once.push(resource);
  }
  return once;
}

/** The reserved ones by the role of their innermost reservation. */
export function reservationsByRole(list: Resources): Map<string, Resources> {
  return groupBy(list, reservationRole);
}

/** By the role they are allocated to; those without allocation are left out. */
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

/** Without any reservations, merged. */
export const toUnreserved = (list: Resources): Resources =>
  list.some((r) => !isUnreserved(r)) ? merge(list.map((r) => withFields(r, { reservations: undefined }))) : list;

/** Without the innermost reservation of each; what has none stays. */
export const popReservation = (list: Resources): Resources =>
  merge(list.map((r) => withFields(r, { reservations: r.reservations?.slice(0, -1) })));

/** Each allocated to the role, whatever it was before. */
export const allocate = (list: Resources, role: string): Resources => {
  const allocation = { role };
  const allocated = list.map((r) => withFields(r, { allocation_info: allocation }));
  return list.some((r) => r.allocation_info !== undefined) ? merge(allocated) : allocated;
};

/** None allocated; what differed in its allocation only is merged. */
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
