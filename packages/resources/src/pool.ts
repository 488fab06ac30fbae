// A list of resources that is changed step by step, with an index: what the algebra does by looking at every entry, in
// time that doesn't grow with the list. For lists that come from outside and may be long.
//
// Owns: its entries and where each kind of them stands.
// POOL-1: what comes out is what the algebra's linear functions make of the same steps, but that of several equal
//         entries any may be the one that is taken.
import type { Resource } from '@meseta/wire';
import { isSubtractable, metadataKey } from './identity.js';
import { isEmpty, isIndivisible, scalarOf } from './kinds.js';
import { holds, minus, normal, plus } from './values.js';

export interface Pool {
  /** Adds to the entry of the same metadata, or appends. */
  put(resource: Resource): void;
  /** Takes what is there of it; of what can't be split only all of it. */
  take(resource: Resource): void;
  /** Whether one entry has all of it. */
  has(resource: Resource): boolean;
  readonly resources: readonly Resource[];
}

/** Entries of one key are told apart by their values only. */
const keyOf = (resource: Resource): string =>
  isIndivisible(resource) ? `${metadataKey(resource)}\u0001${scalarOf(resource)}` : metadataKey(resource);

/** Above this many comparisons an index costs less. */
const MAX_LINEAR_STEPS = 256;

/** Whether so many steps on a list of this length are for a pool. */
export const needsPool = (length: number, steps: number): boolean => length * steps > MAX_LINEAR_STEPS;

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
  /** The last entry comes in its place. */
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
    put(resource) {
      if (isEmpty(resource)) return;
      const key = keyOf(resource);
      const [at] = isIndivisible(resource) ? [] : (places.get(key) ?? []);
      if (at === undefined) append(normal(resource), key);
      else entries[at] = plus(entries[at] as Resource, resource);
    },
    take(resource) {
      if (isEmpty(resource)) return;
      for (const at of places.get(keyOf(resource)) ?? []) {
        const entry = entries[at] as Resource;
        if (!isSubtractable(entry, resource)) continue;
        const rest = isIndivisible(entry) ? undefined : minus(entry, resource);
        if (rest === undefined || isEmpty(rest) || (rest.type === 'SCALAR' && scalarOf(rest) < 0)) remove(at);
        else entries[at] = rest;
        return;
      }
    },
    has(resource) {
      for (const at of places.get(keyOf(resource)) ?? []) if (holds(entries[at] as Resource, resource)) return true;
      return false;
    },
    resources: entries,
  };
}
