// Making resource records: present fields only, in the order of their numbers.
import type { Resource } from '@meseta/wire';

type Changes = { readonly [Field in keyof Resource]?: Resource[Field] | undefined };

/** A copy with some fields changed; a change to undefined takes the field away. */
export function withFields(resource: Resource, changes: Changes): Resource {
  const r: Resource = { ...resource, ...changes } as Resource;
  return {
    name: r.name,
    type: r.type,
    ...(r.scalar !== undefined && { scalar: r.scalar }),
    ...(r.ranges !== undefined && { ranges: r.ranges }),
    ...(r.set !== undefined && { set: r.set }),
    ...(r.role !== undefined && { role: r.role }),
    ...(r.disk !== undefined && { disk: r.disk }),
    ...(r.reservation !== undefined && { reservation: r.reservation }),
    ...(r.revocable !== undefined && { revocable: r.revocable }),
    ...(r.shared !== undefined && { shared: r.shared }),
    ...(r.allocation_info !== undefined && { allocation_info: r.allocation_info }),
    ...(r.provider_id !== undefined && { provider_id: r.provider_id }),
    ...(r.reservations?.length && { reservations: r.reservations }),
  };
}

/** The same resource with another amount, in thousandths. */
export const withAmount = (resource: Resource, amount: number): Resource => ({
  ...resource,
  scalar: { value: amount / 1000 },
});
