// Chopping for quota: which part of a list keeps within given amounts.
import type { Resource } from '@meseta/wire';
import type { Resources } from './algebra.js';
import { isIndivisible, isScalar, scalarOf } from './kinds.js';
import { type Limits, limit, type Quantities, quantity } from './quantities.js';
import { withAmount } from './records.js';

/**
 * The scalars, cut so that no name's total is more than in `target`; a name that isn't in it goes.
 * What can't be split (MOUNT and BLOCK disks, volumes) is kept whole or left out. Entries are
 * tried in their order: for Mesos' fairness among them, shuffle first. Non-scalars are left out.
 */
export const shrinkToQuantities = (list: Resources, target: Quantities): Resources =>
  shrink(list.filter(isScalar), (name) => quantity(target, name));

/** The same, but names without a limit, and non-scalars, stay as they are. */
export const shrinkToLimits = (list: Resources, limits: Limits): Resources =>
  limits.names.length === 0 ? list : shrink(list, (name) => limit(limits, name));

function shrink(list: Resources, mostOf: (name: string) => number | undefined): Resources {
  const left = new Map<string, number>();
  const kept: Resource[] = [];
  for (const resource of list) {
    const most = isScalar(resource) ? (left.get(resource.name) ?? mostOf(resource.name)) : undefined;
    if (most === undefined) {
      kept.push(resource);
      continue;
    }
    const amount = scalarOf(resource);
    const taken = amount <= most ? amount : isIndivisible(resource) ? 0 : most;
    if (taken <= 0) continue;
    left.set(resource.name, most - taken);
    kept.push(taken === amount ? resource : withAmount(resource, taken));
  }
  return kept;
}
