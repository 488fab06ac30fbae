// The algebra of lists of resources: merge, add, subtract, contain, equal.
//
// RESOURCES-1: a `Resources` list is merged: no two entries can merge, and no entry is empty.
// RESOURCES-2: a list has one entry for each copy of a shared resource; the copies are equal entries.
// RESOURCES-3: the order of entries is Mesos': an added entry merges in place or is appended; an entry that becomes empty is
//     replaced by the last one.
// Entries are kept by reference; a merged entry is a new record.
import type { Resource } from '@meseta/wire';
import { hasLabels, isMergeable, isSubtractable, metadataKey } from './identity.js';
import { isEmpty, isIndivisible, thousandthsOf } from './kinds.js';
import { createPool, needsPool } from './pool.js';
import { withAmount } from './records.js';
import { addValue, addValues, containsValue, normalize, subtractValue } from './values.js';

/** A merged list (RESOURCES-1) in the post-refinement format. */
export type Resources = readonly Resource[];

/** Merges any list: scalars are rounded to the thousandth, ranges sorted, empty entries removed. */
export function merge(list: readonly Resource[]): Resources {
  const sum = createSum();
  sum.add(list);
  return sum.result();
}

/** Merges lists that are added one after the other, so that a long merge can be done in slices. */
export interface Sum {
  add(list: readonly Resource[]): void;
  result(): Resources;
}

/** Longer sums, and sums with labels, find entries by metadata key instead of comparing with each entry. */
const MAX_LINEAR_ENTRIES = 16;

export function createSum(): Sum {
  const entries: Resource[] = [];
  /** The amounts of scalars in thousandths; records are made only for the result. */
  const amounts: number[] = [];
  /** Ranges and sets to add to the entry, merged at once for the result. */
  const parts = new Map<number, Resource[]>();
  /** The positions of divisible entries by metadata key; undefined while every resource was compared with each entry. */
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
    if (entries.length <= MAX_LINEAR_ENTRIES && !hasLabels(resource)) {
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
      entries.push(normalize(resource));
      amounts.push(isScalar ? thousandthsOf(resource) : 0);
    } else if (isScalar) amounts[at] = (amounts[at] as number) + thousandthsOf(resource);
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
        if (more !== undefined) return addValues(entry, more);
        const amount = amounts[i] as number;
        return entry.type !== 'SCALAR' || thousandthsOf(entry) === amount ? entry : withAmount(entry, amount);
      }),
  };
}

export function add(a: Resources, b: Resources): Resources {
  if (b.length === 0) return a;
  if (a.length === 0) return b;
  if (needsPool(a, b.length)) {
    const pool = createPool(a);
    for (const resource of b) pool.add(resource);
    return pool.resources;
  }
  const sum = [...a];
  for (const resource of b) addInto(sum, resource);
  return sum;
}

/** `a` without `b`. Amounts of `b` beyond those of `a` are ignored, as in Mesos. */
export function subtract(a: Resources, b: Resources): Resources {
  if (a.length === 0 || b.length === 0) return a;
  if (a === b) return [];
  if (needsPool(a, b.length)) {
    const pool = createPool(a);
    for (const resource of b) pool.subtract(resource);
    return pool.resources;
  }
  const rest = [...a];
  for (const resource of b) subtractFrom(rest, resource);
  return rest;
}

/** Whether `a` has all of `b` together; equal exclusive disks and copies are counted. */
export function contains(a: Resources, b: Resources): boolean {
  if (a === b || b.length === 0) return true;
  if (needsPool(a, b.length)) {
    const pool = createPool(a);
    return b.every((resource) => {
      if (isEmpty(resource)) return true;
      const has = pool.contains(resource);
      pool.subtract(resource);
      return has;
    });
  }
  let rest: Resource[] | undefined;
  for (const resource of b) {
    const remaining = rest ?? a;
    if (isEmpty(resource)) continue;
    if (!remaining.some((entry) => containsValue(entry, resource))) return false;
    if (b.length === 1) return true;
    rest ??= [...a];
    subtractFrom(rest, resource);
  }
  return true;
}

/** Whether the lists are equal, whatever the order of the entries. */
export const equals = (a: Resources, b: Resources): boolean =>
  a === b || (a.length === b.length && contains(a, b) && contains(b, a));

/** Changes `list`, which the caller must have created. */
function addInto(list: Resource[], resource: Resource): void {
  if (isEmpty(resource)) return;
  if (!isIndivisible(resource)) {
    for (let i = 0; i < list.length; i++) {
      const entry = list[i] as Resource;
      if (!isMergeable(entry, resource)) continue;
      list[i] = addValue(entry, resource);
      return;
    }
  }
  list.push(normalize(resource));
}

/** Changes `list`, which the caller must have created. */
function subtractFrom(list: Resource[], resource: Resource): void {
  if (isEmpty(resource)) return;
  for (let i = 0; i < list.length; i++) {
    const entry = list[i] as Resource;
    if (!isSubtractable(entry, resource)) continue;
    const rest = isIndivisible(entry) ? undefined : subtractValue(entry, resource);
    if (rest !== undefined && !isEmpty(rest) && !(rest.type === 'SCALAR' && thousandthsOf(rest) < 0)) {
      list[i] = rest;
      return;
    }
    const last = list.pop() as Resource;
    if (i < list.length) list[i] = last;
    return;
  }
}
