// Lists of resources as values: merged, added, subtracted, searched.
//
// RESOURCES-1: a `Resources` list is merged: no two entries could be one, no entry is empty.
// RESOURCES-2: a shared resource stands in the list once a copy; copies are equal entries.
// RESOURCES-3: orders are Mesos': adding merges in place or appends; an entry that is used up is
//     replaced by the last one.
// Entries are taken over by reference; a merged one is a new record.
import type { Resource } from '@meseta/wire';
import { isMergeable, isSubtractable, metadataKey } from './identity.js';
import {
  isAllocatableTo,
  isEmpty,
  isIndivisible,
  isReserved,
  isUnreserved,
  reservationRole,
  scalarOf,
} from './kinds.js';
import { createPool, needsPool } from './pool.js';
import { withAmount, withFields } from './records.js';
import { holds, minus, normal, plus, plusAll } from './values.js';

/** A list in which what can merge is merged and nothing is empty, in the post-refinement format. */
export type Resources = readonly Resource[];

/** Any list as `Resources`: scalars to the thousandth, ranges sorted, empty entries gone. */
export function merge(list: readonly Resource[]): Resources {
  const sum = createSum();
  sum.add(list);
  return sum.result();
}

/** What `merge` makes of lists behind each other, given one after the other: a sum of many can be taken in slices. */
export interface Sum {
  add(list: readonly Resource[]): void;
  result(): Resources;
}

/** Longer sums look entries up by their metadata instead of comparing with each. */
const MAX_LINEAR_ENTRIES = 16;

export function createSum(): Sum {
  const entries: Resource[] = [];
  /** Of those that are scalars, in thousandths: they become records only in the result. */
  const amounts: number[] = [];
  /** Of ranges and sets, what is to be added to the entry: they are merged in the result, all at once. */
  const parts = new Map<number, Resource[]>();
  /** Where the entries that can be split are, once there are many. */
  let places: Map<string, number> | undefined;

  const indexed = (): Map<string, number> => {
    const made = new Map<string, number>();
    entries.forEach((entry, i) => {
      if (!isIndivisible(entry)) made.set(metadataKey(entry), i);
    });
    return made;
  };
  const placeOf = (resource: Resource): number => {
    if (isIndivisible(resource)) return -1;
    if (entries.length <= MAX_LINEAR_ENTRIES) {
      for (let i = 0; i < entries.length; i++) if (isMergeable(entries[i] as Resource, resource)) return i;
      return -1;
    }
    places ??= indexed();
    return places.get(metadataKey(resource)) ?? -1;
  };
  const addOne = (resource: Resource): void => {
    if (isEmpty(resource)) return;
    const isScalar = resource.type === 'SCALAR';
    const at = placeOf(resource);
    if (at < 0) {
      if (!isIndivisible(resource)) places?.set(metadataKey(resource), entries.length);
      entries.push(normal(resource));
      amounts.push(isScalar ? scalarOf(resource) : 0);
    } else if (isScalar) amounts[at] = (amounts[at] as number) + scalarOf(resource);
    else {
      const known = parts.get(at);
      if (known === undefined) parts.set(at, [resource]);
      else known.push(resource);
    }
  };
  return {
    add(list) {
      for (const resource of list) addOne(resource);
    },
    result: () =>
      entries.map((entry, i) => {
        const more = parts.get(i);
        if (more !== undefined) return plusAll(entry, more);
        const amount = amounts[i] as number;
        return entry.type !== 'SCALAR' || scalarOf(entry) === amount ? entry : withAmount(entry, amount);
      }),
  };
}

export function add(a: Resources, b: Resources): Resources {
  if (b.length === 0) return a;
  if (a.length === 0) return b;
  if (needsPool(a.length, b.length)) {
    const pool = createPool(a);
    for (const resource of b) pool.put(resource);
    return pool.resources;
  }
  const sum = [...a];
  for (const resource of b) addInto(sum, resource);
  return sum;
}

/** `a` without `b`. What `b` has more of than `a` is ignored, as Mesos does. */
export function subtract(a: Resources, b: Resources): Resources {
  if (a.length === 0 || b.length === 0) return a;
  if (a === b) return [];
  if (needsPool(a.length, b.length)) {
    const pool = createPool(a);
    for (const resource of b) pool.take(resource);
    return pool.resources;
  }
  const rest = [...a];
  for (const resource of b) subtractFrom(rest, resource);
  return rest;
}

/** Whether `a` has all of `b` at once: of equal exclusive disks or copies, as many. */
export function contains(a: Resources, b: Resources): boolean {
  if (a === b || b.length === 0) return true;
  if (needsPool(a.length, b.length)) {
    const pool = createPool(a);
    return b.every((resource) => {
      if (isEmpty(resource)) return true;
      const has = pool.has(resource);
      pool.take(resource);
      return has;
    });
  }
  let rest: Resource[] | undefined;
  for (const resource of b) {
    const held = rest ?? a;
    if (isEmpty(resource)) continue;
    if (!held.some((entry) => holds(entry, resource))) return false;
    if (b.length === 1) return true;
    rest ??= [...a];
    subtractFrom(rest, resource);
  }
  return true;
}

/** Equal as sums, whatever the order of the entries. */
export const equals = (a: Resources, b: Resources): boolean =>
  a === b || (a.length === b.length && contains(a, b) && contains(b, a));

/**
 * Which of `pool` to take for `targets`, whose reservations say only where to look first: resources
 * reserved to a target's role, then unreserved ones, then any. Undefined if there isn't enough.
 */
export function find(pool: Resources, targets: Resources): Resources | undefined {
  const found: Resource[] = [];
  const left = [...pool];
  for (const target of targets) {
    if (!findOne(left, target, found)) return undefined;
  }
  return found;
}

/** Moves what serves the target from `left` to `found`; false if there isn't enough. */
function findOne(left: Resource[], target: Resource, found: Resource[]): boolean {
  const role = reservationRole(target);
  const preferences = [
    ...(role === undefined ? [] : [(r: Resource) => isReserved(r, role)]),
    isUnreserved,
    (): boolean => true,
  ];
  let wanted = withFields(target, { reservations: undefined });
  if (isEmpty(wanted)) return true;
  for (const preferred of preferences) {
    for (const entry of left.filter(preferred)) {
      const bare = withFields(entry, { reservations: undefined });
      if (holds(bare, wanted)) {
        const part = withFields(wanted, { reservations: entry.reservations });
        addInto(found, part);
        subtractFrom(left, part);
        return true;
      }
      if (!holds(wanted, bare)) continue;
      addInto(found, entry);
      subtractFrom(left, entry);
      wanted = minus(wanted, bare);
    }
  }
  return false;
}

/** Changes `list`, which the caller made. */
function addInto(list: Resource[], resource: Resource): void {
  if (isEmpty(resource)) return;
  if (!isIndivisible(resource)) {
    for (let i = 0; i < list.length; i++) {
      const entry = list[i] as Resource;
      if (!isMergeable(entry, resource)) continue;
      list[i] = plus(entry, resource);
      return;
    }
  }
  list.push(normal(resource));
}

/** Changes `list`, which the caller made. */
function subtractFrom(list: Resource[], resource: Resource): void {
  if (isEmpty(resource)) return;
  for (let i = 0; i < list.length; i++) {
    const entry = list[i] as Resource;
    if (!isSubtractable(entry, resource)) continue;
    const rest = isIndivisible(entry) ? undefined : minus(entry, resource);
    if (rest !== undefined && !isEmpty(rest) && !(rest.type === 'SCALAR' && scalarOf(rest) < 0)) {
      list[i] = rest;
      return;
    }
    const last = list.pop() as Resource;
    if (i < list.length) list[i] = last;
    return;
  }
}

/** Unreserved ones, and those reserved to the role or to one above it. */
export const allocatableTo = (list: Resources, role: string): Resources =>
  list.filter((resource) => isAllocatableTo(resource, role));
