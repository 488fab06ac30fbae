// The resources that an operation names, whatever field they are in. A LAUNCH or LAUNCH_GROUP names its resources in its
// tasks and executors, which are not looked at here.
import type { OfferOperation, Resource } from '@meseta/wire';
import type { Resources } from './algebra.js';

/** The lists that the operation names, with their fields; a field of one resource is a list of one. */
export function resourcesOfOperation(
  operation: OfferOperation,
): readonly (readonly [field: string, list: Resources])[] {
  const { reserve, unreserve, create, destroy, grow_volume, shrink_volume } = operation;
  const lists: readonly (readonly [field: string, list: Resources | undefined])[] = [
    ['reserve.source', reserve?.source],
    ['reserve.resources', reserve?.resources],
    ['unreserve.resources', unreserve?.resources],
    ['create.volumes', create?.volumes],
    ['destroy.volumes', destroy?.volumes],
    ['grow_volume.volume', grow_volume && [grow_volume.volume]],
    ['grow_volume.addition', grow_volume && [grow_volume.addition]],
    ['shrink_volume.volume', shrink_volume && [shrink_volume.volume]],
  ];
  return lists.flatMap(([field, list]) => (list === undefined ? [] : [[field, list] as const]));
}

/** The operation with each of its lists replaced by what `map` returns for it. */
export function mapOperationResources(operation: OfferOperation, map: (list: Resources) => Resources): OfferOperation {
  const one = (resource: Resource): Resource => map([resource])[0] ?? resource;
  const { reserve, unreserve, create, destroy, grow_volume, shrink_volume } = operation;
  return {
    ...operation,
    ...(reserve && {
      reserve: { resources: map(reserve.resources ?? []), ...(reserve.source && { source: map(reserve.source) }) },
    }),
    ...(unreserve && { unreserve: { resources: map(unreserve.resources ?? []) } }),
    ...(create && { create: { volumes: map(create.volumes ?? []) } }),
    ...(destroy && { destroy: { volumes: map(destroy.volumes ?? []) } }),
    ...(grow_volume && { grow_volume: { volume: one(grow_volume.volume), addition: one(grow_volume.addition) } }),
    ...(shrink_volume && { shrink_volume: { ...shrink_volume, volume: one(shrink_volume.volume) } }),
  };
}
