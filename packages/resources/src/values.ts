// The values of resources that have the same metadata: sums and differences.
import type { Resource } from '@meseta/wire';
import { scalarOf } from './kinds.js';
import { addItems, addRanges, coalesce, subtractItems, subtractRanges } from './ranges.js';
import { withAmount } from './records.js';

/** Both amounts in one record with the metadata of `a`. */
export function plus(a: Resource, b: Resource): Resource {
  if (a.type === 'SCALAR') return withAmount(a, scalarOf(a) + scalarOf(b));
  if (a.type === 'RANGES') {
    return { ...a, ranges: { range: addRanges(a.ranges?.range ?? [], b.ranges?.range ?? []) } };
  }
  return { ...a, set: { item: addItems(a.set?.item ?? [], b.set?.item ?? []) } };
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
