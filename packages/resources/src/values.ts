// The values of resources that have the same metadata: sums and differences.
import type { Resource } from '@meseta/wire';
import { isSubtractable, sameValue } from './identity.js';
import { scalarOf } from './kinds.js';
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

/** Both amounts in one record with the metadata of `a`. */
export function plus(a: Resource, b: Resource): Resource {
  if (a.type === 'SCALAR') return withAmount(a, scalarOf(a) + scalarOf(b));
  if (a.type === 'RANGES') {
    return { ...a, ranges: { range: addRanges(a.ranges?.range ?? [], b.ranges?.range ?? []) } };
  }
  return { ...a, set: { item: addItems(a.set?.item ?? [], b.set?.item ?? []) } };
}

/** The ranges or sets of all in one record with the metadata of `a`; as `plus` of one after the other, at once. */
export function plusAll(a: Resource, others: readonly Resource[]): Resource {
  const all = [a, ...others];
  if (a.type === 'RANGES') return { ...a, ranges: { range: coalesce(all.flatMap((it) => it.ranges?.range ?? [])) } };
  return { ...a, set: { item: [...new Set(all.flatMap((it) => it.set?.item ?? []))] } };
}

/** What of `a` is left without `b`; a scalar may become negative. */
export function minus(a: Resource, b: Resource): Resource {
  if (a.type === 'SCALAR') return withAmount(a, scalarOf(a) - scalarOf(b));
  if (a.type === 'RANGES') {
    return { ...a, ranges: { range: subtractRanges(a.ranges?.range ?? [], b.ranges?.range ?? []) } };
  }
  return { ...a, set: { item: subtractItems(a.set?.item ?? [], b.set?.item ?? []) } };
}

/** The record itself if its value is in normal form already. */
export function normal(resource: Resource): Resource {
  if (resource.type === 'SCALAR') {
    const amount = scalarOf(resource);
    return resource.scalar?.value === amount / 1000 ? resource : withAmount(resource, amount);
  }
  if (resource.type === 'RANGES') {
    const ranges = resource.ranges?.range ?? [];
    const merged = coalesce(ranges);
    return merged === ranges ? resource : { ...resource, ranges: { range: merged } };
  }
  return resource;
}

/** Whether one entry has all of another of the same metadata. */
export function holds(entry: Resource, resource: Resource): boolean {
  if (!isSubtractable(entry, resource)) return false;
  if (entry.shared !== undefined) return sameValue(entry, resource);
  if (entry.type === 'SCALAR') return scalarOf(resource) <= scalarOf(entry);
  if (entry.type === 'RANGES') return containsRanges(entry.ranges?.range ?? [], resource.ranges?.range ?? []);
  return containsItems(entry.set?.item ?? [], resource.set?.item ?? []);
}
