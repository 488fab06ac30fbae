// Sums, differences and containment of the values of resources with equal metadata.
import type { Resource } from '@meseta/wire';
import { hasSameValue, isSubtractable } from './identity.js';
import { thousandthsOf } from './kinds.js';
import {
  addItems,
  addRanges,
  coalesce,
  containsItems,
  containsRanges,
  subtractItems,
  subtractRanges,
} from './ranges.js';
import { withAmount } from './records.js';

/** The sum of both values with the metadata of `a`. */
export function addValue(a: Resource, b: Resource): Resource {
  if (a.type === 'SCALAR') return withAmount(a, thousandthsOf(a) + thousandthsOf(b));
  if (a.type === 'RANGES') {
    return { ...a, ranges: { range: addRanges(a.ranges?.range ?? [], b.ranges?.range ?? []) } };
  }
  return { ...a, set: { item: addItems(a.set?.item ?? [], b.set?.item ?? []) } };
}

/** The sum of ranges or sets with the metadata of `a`, merged at once. */
export function addValues(a: Resource, others: readonly Resource[]): Resource {
  const all = [a, ...others];
  if (a.type === 'RANGES') return { ...a, ranges: { range: coalesce(all.flatMap((it) => it.ranges?.range ?? [])) } };
  return { ...a, set: { item: [...new Set(all.flatMap((it) => it.set?.item ?? []))] } };
}

/** The value of `a` without that of `b`; a scalar may become negative. */
export function subtractValue(a: Resource, b: Resource): Resource {
  if (a.type === 'SCALAR') return withAmount(a, thousandthsOf(a) - thousandthsOf(b));
  if (a.type === 'RANGES') {
    return { ...a, ranges: { range: subtractRanges(a.ranges?.range ?? [], b.ranges?.range ?? []) } };
  }
  return { ...a, set: { item: subtractItems(a.set?.item ?? [], b.set?.item ?? []) } };
}

/** Rounds scalars and sorts ranges; returns the record itself if its value is in normal form. */
export function normalize(resource: Resource): Resource {
  if (resource.type === 'SCALAR') {
    const amount = thousandthsOf(resource);
    return resource.scalar?.value === amount / 1000 ? resource : withAmount(resource, amount);
  }
  if (resource.type === 'RANGES') {
    const ranges = resource.ranges?.range ?? [];
    const merged = coalesce(ranges);
    return merged === ranges ? resource : { ...resource, ranges: { range: merged } };
  }
  return resource;
}

/** Whether `entry` has the metadata and all of the value of `resource`. */
export function containsValue(entry: Resource, resource: Resource): boolean {
  if (!isSubtractable(entry, resource)) return false;
  if (entry.shared !== undefined) return hasSameValue(entry, resource);
  if (entry.type === 'SCALAR') return thousandthsOf(resource) <= thousandthsOf(entry);
  if (entry.type === 'RANGES') return containsRanges(entry.ranges?.range ?? [], resource.ranges?.range ?? []);
  return containsItems(entry.set?.item ?? [], resource.set?.item ?? []);
}
