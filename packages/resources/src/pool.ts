// A mutable list of resources with an index by metadata, on which each step takes constant time. For lists from outside,
// which may be long.
//
// Owns: its entries and their positions by key.
// POOL-1: the result is that of the algebra's linear functions for the same steps, except that of several equal entries any
//     may be removed.
import type { Resource } from '@meseta/wire';
import { hasLabels, isSubtractable, metadataKey } from './identity.js';
import { isEmpty, isIndivisible, thousandthsOf } from './kinds.js';
import { addValue, containsValue, normalize, subtractValue } from './values.js';

export interface Pool {
  /** Adds to the entry with equal metadata, or appends. */
  add(resource: Resource): void;
  /** Subtracts it; an indivisible resource only whole. */
  subtract(resource: Resource): void;
  /** Whether one entry contains it. */
  contains(resource: Resource): boolean;
  readonly resources: readonly Resource[];
}

/** Entries with one key differ only in their values. */
const keyOf = (resource: Resource): string =>
  isIndivisible(resource) ? `${metadataKey(resource)}\u0001${thousandthsOf(resource)}` : metadataKey(resource);

const MAX_LINEAR_STEPS = 256;

/** Whether an index is cheaper for that many steps than comparing with each entry, of which the metadata may be long. */
export const needsPool = (list: readonly Resource[], steps: number): boolean =>
  list.length * steps > MAX_LINEAR_STEPS || (list.length > 1 && steps > 1 && list.some(hasLabels));

export function createPool(list: readonly Resource[]): Pool {
  const entries: Resource[] = [];
  const keys: string[] = [];
  const places = new Map<string, Set<number>>();

  const append = (resource: Resource, key: string): void => {
    const known = places.get(key);
    if (known === undefined) places.set(key, new Set([entries.length]));
    else known.add(entries.length);
    entries.push(resource);
    keys.push(key);
  };
  /** The last entry replaces the removed one. */
  const remove = (at: number): void => {
    places.get(keys[at] as string)?.delete(at);
    const last = entries.pop() as Resource;
    const key = keys.pop() as string;
    if (at === entries.length) return;
    entries[at] = last;
    keys[at] = key;
    const moved = places.get(key);
    moved?.delete(entries.length);
    moved?.add(at);
  };
  for (const resource of list) append(resource, keyOf(resource));

  return {
    add(resource) {
      if (isEmpty(resource)) return;
      const key = keyOf(resource);
      const [at] = isIndivisible(resource) ? [] : (places.get(key) ?? []);
      if (at === undefined) append(normalize(resource), key);
      else entries[at] = addValue(entries[at] as Resource, resource);
    },
    subtract(resource) {
      if (isEmpty(resource)) return;
      for (const at of places.get(keyOf(resource)) ?? []) {
        const entry = entries[at] as Resource;
        if (!isSubtractable(entry, resource)) continue;
        const rest = isIndivisible(entry) ? undefined : subtractValue(entry, resource);
        if (rest === undefined || isEmpty(rest) || (rest.type === 'SCALAR' && thousandthsOf(rest) < 0)) remove(at);
        else entries[at] = rest;
        return;
      }
    },
    contains(resource) {
      for (const at of places.get(keyOf(resource)) ?? [])
        if (containsValue(entries[at] as Resource, resource)) return true;
      return false;
    },
    resources: entries,
  };
}
