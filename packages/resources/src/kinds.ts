// Predicates and properties of a resource in the post-refinement format: `reservations` is the stack, its last entry the
// innermost reservation; `role` and `reservation` are unset.
import type { Resource, ResourceDiskInfoSource } from '@meseta/wire';
import { toThousandths } from '@meseta/wire/scalars';
import { isInSubtree } from './roles.js';

/** The value of a scalar in thousandths; 0 for other types. Sums and comparisons of thousandths are exact, as in Mesos. */
export const thousandthsOf = (resource: Resource): number => toThousandths(resource.scalar?.value ?? 0);

/** Whether the value is empty; merged lists have no such entry. */
export function isEmpty(resource: Resource): boolean {
  if (resource.type === 'SCALAR') return thousandthsOf(resource) === 0;
  if (resource.type === 'RANGES') return !resource.ranges?.range?.length;
  return !resource.set?.item?.length;
}

/** Role of the innermost reservation; undefined when unreserved. */
export const reservationRole = (resource: Resource): string | undefined => resource.reservations?.at(-1)?.role;

export const isUnreserved = (resource: Resource): boolean => !resource.reservations?.length;

export const isReserved = (resource: Resource): boolean => !isUnreserved(resource);

export const isDynamicallyReserved = (resource: Resource): boolean => resource.reservations?.at(-1)?.type === 'DYNAMIC';

/** Reserved to a role and again to one of its descendants, which needs the capability RESERVATION_REFINEMENT. */
export const hasRefinedReservations = (resource: Resource): boolean => (resource.reservations?.length ?? 0) > 1;

/** Unreserved, or reserved to the role or one of its ancestors (Mesos' docs/reservation.md). */
export function isAllocatableTo(resource: Resource, role: string): boolean {
  const reservedTo = reservationRole(resource);
  return reservedTo === undefined || isInSubtree(role, reservedTo);
}

export const isScalar = (resource: Resource): boolean => resource.type === 'SCALAR';
export const isRevocable = (resource: Resource): boolean => resource.revocable !== undefined;
export const isShared = (resource: Resource): boolean => resource.shared !== undefined;
export const isPersistentVolume = (resource: Resource): boolean => resource.disk?.persistence !== undefined;

/** Whether the agent must checkpoint it: dynamic reservations and volumes, except those of resource providers. */
export const needsCheckpoint = (resource: Resource): boolean =>
  resource.provider_id === undefined && (isDynamicallyReserved(resource) || isPersistentVolume(resource));

/** Whether the disk is only used whole: MOUNT, BLOCK, and RAW with an id (Mesos' docs/multiple-disk.md). */
export function isExclusiveSource(source: ResourceDiskInfoSource | undefined): boolean {
  if (source === undefined) return false;
  return source.type === 'MOUNT' || source.type === 'BLOCK' || (source.type === 'RAW' && source.id !== undefined);
}

/** Exclusive disks, persistent volumes and shared resources cannot be split. */
export const isIndivisible = (resource: Resource): boolean =>
  resource.shared !== undefined ||
  (resource.disk !== undefined && (isPersistentVolume(resource) || isExclusiveSource(resource.disk.source)));
