// Shrinking a list to limits, as Mesos' allocator does for quota.
import type { Resource } from '@meseta/wire';
import type { Resources } from './algebra.js';
import { isIndivisible, isScalar, thousandthsOf } from './kinds.js';
import { withAmount } from './records.js';

/**
 * The list with the scalars of each name shrunk to `limitOf(name)` thousandths, undefined for no limit. Indivisible
 * resources (MOUNT and BLOCK disks, volumes) are kept whole or left out. Entries are tried in their order. Non-scalars stay.
 */
export function shrinkToLimits(list: Resources, limitOf: (name: string) => number | undefined): Resources {
  const remaining = new Map<string, number>();
  const kept: Resource[] = [];
  for (const resource of list) {
    const { name } = resource;
    const most = isScalar(resource) ? (remaining.get(name) ?? limitOf(name)) : undefined;
    if (most === undefined) {
      kept.push(resource);
      continue;
    }
    const amount = thousandthsOf(resource);
    const keptAmount = amount <= most ? amount : isIndivisible(resource) ? 0 : most;
    if (keptAmount <= 0) continue;
    remaining.set(name, most - keptAmount);
    kept.push(keptAmount === amount ? resource : withAmount(resource, keptAmount));
  }
  return kept;
}
