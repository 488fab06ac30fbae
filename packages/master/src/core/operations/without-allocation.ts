// An operation without allocations, which agents do not know.
import { unallocate } from '@meseta/resources';
import type { OfferOperation, Resource } from '@meseta/wire';

export function withoutAllocation(operation: OfferOperation): OfferOperation {
  const one = (resource: Resource): Resource => unallocate([resource])[0] ?? resource;
  const { reserve, unreserve, create, destroy, grow_volume, shrink_volume } = operation;
  return {
    ...operation,
    ...(reserve && {
      reserve: {
        resources: (reserve.resources ?? []).map(one),
        ...(reserve.source && { source: reserve.source.map(one) }),
      },
    }),
    ...(unreserve && { unreserve: { resources: (unreserve.resources ?? []).map(one) } }),
    ...(create && { create: { volumes: (create.volumes ?? []).map(one) } }),
    ...(destroy && { destroy: { volumes: (destroy.volumes ?? []).map(one) } }),
    ...(grow_volume && { grow_volume: { volume: one(grow_volume.volume), addition: one(grow_volume.addition) } }),
    ...(shrink_volume && { shrink_volume: { ...shrink_volume, volume: one(shrink_volume.volume) } }),
  };
}
