// The order of the resources in an offer, as Mesos has it (hierarchical.cpp: __allocate; resources.cpp: subtract).
import type { Resource } from '@meseta/wire';
import type { Resources } from './algebra.js';
import { metadataKey } from './identity.js';
import { isAllocatableTo, isRevocable, isScalar, isShared, isUnreserved } from './kinds.js';
import { withFields } from './records.js';

/**
 * The positions of `offered` in the order of the offer. The free resources of an agent keep the order of the agent's total,
 * but the last entry replaces each entry that is used up. Of the unreserved scalars, which quota may cut, those of the
 * names in `guaranteed` come first of all, the others last.
 */
export function offerOrder(offered: Resources, total: Resources, guaranteed: readonly string[]): readonly number[] {
  const positions = new Map<string, number[]>();
  offered.forEach((resource, at) => {
    const key = metadataKey(withFields(resource, { allocation_info: undefined }));
    const known = positions.get(key);
    if (known === undefined) positions.set(key, [at]);
    else known.push(at);
  });
  const role = offered[0]?.allocation_info?.role ?? '*';
  const free = total.map((resource) => ({ resource, key: metadataKey(resource) }));
  const isUsedUp = ({ resource, key }: (typeof free)[number]): boolean =>
    !positions.has(key) && !isHidden(resource, role);
  for (let at = 0; at < free.length; ) {
    if (!isUsedUp(free[at] as (typeof free)[number])) at++;
    else {
      const replacement = free.pop() as (typeof free)[number];
      if (at < free.length) free[at] = replacement;
    }
  }
  const keys = new Set(free.map(({ key }) => key));
  const order = new Set([...keys].flatMap((key) => positions.get(key) ?? []));
  for (const at of offered.keys()) order.add(at);
  const rankOf = (at: number): number => {
    const resource = offered[at] as Resource;
    if (!isScalar(resource) || !isUnreserved(resource) || isRevocable(resource)) return 1;
    return guaranteed.includes(resource.name) ? 0 : 2;
  };
  return [...order].sort((a, b) => rankOf(a) - rankOf(b));
}

/** Whether it may be free although it is not in the offer. */
const isHidden = (resource: Resource, role: string): boolean =>
  isRevocable(resource) || isShared(resource) || !isAllocatableTo(resource, role);
