// What kind of resource a record is. All of it reads the post-refinement format: `reservations`
// is the stack, its last entry the innermost reservation; `role` and `reservation` are not set.
import type { Resource, ResourceDiskInfoSource } from '@meseta/wire';
import { toThousandths } from '@meseta/wire/scalars';
import { isInSubtree } from './roles.js';

export const scalarOf = (resource: Resource): number => toThousandths(resource.scalar?.value ?? 0);

/** Whether nothing is in it: merged lists hold no such entry. */
export function isEmpty(resource: Resource): boolean {
  if (resource.type === 'SCALAR') return scalarOf(resource) === 0;
  if (resource.type === 'RANGES') return !resource.ranges?.range?.length;
  return !resource.set?.item?.length;
}

/** Role of the innermost reservation; undefined when unreserved. */
export const reservationRole = (resource: Resource): string | undefined => resource.reservations?.at(-1)?.role;

export const isUnreserved = (resource: Resource): boolean => !resource.reservations?.length;

/** Reserved at all, or to exactly this role. */
export const isReserved = (resource: Resource, role?: string): boolean =>
  !isUnreserved(resource) && (role === undefined || reservationRole(resource) === role);

export const isDynamicallyReserved = (resource: Resource): boolean => resource.reservations?.at(-1)?.type === 'DYNAMIC';

/** Reserved to a role and then again to one below: only for frameworks with RESERVATION_REFINEMENT. */
export const hasRefinedReservations = (resource: Resource): boolean => (resource.reservations?.length ?? 0) > 1;

/** Whether the role may be offered it: unreserved, or reserved to the role or one above it (docs/reservation.md). */
export function isAllocatableTo(resource: Resource, role: string): boolean {
  const holder = reservationRole(resource);
  return holder === undefined || isInSubtree(role, holder);
}

export const isScalar = (resource: Resource): boolean => resource.type === 'SCALAR';
export const isRevocable = (resource: Resource): boolean => resource.revocable !== undefined;
export const isShared = (resource: Resource): boolean => resource.shared !== undefined;
export const isPersistentVolume = (resource: Resource): boolean => resource.disk?.persistence !== undefined;

/** Dynamic reservations and volumes that are no provider's: what an agent must remember over a restart. */
export const needsCheckpoint = (resource: Resource): boolean =>
  resource.provider_id === undefined && (isDynamicallyReserved(resource) || isPersistentVolume(resource));

/** A disk that is used whole: MOUNT, BLOCK, and RAW once it has an identity (docs/multiple-disk.md). */
export function isExclusiveSource(source: ResourceDiskInfoSource | undefined): boolean {
  if (source === undefined) return false;
  return source.type === 'MOUNT' || source.type === 'BLOCK' || (source.type === 'RAW' && source.id !== undefined);
}

/** What can be had only as it is: exclusive disks, persistent volumes, shared resources. */
export const isIndivisible = (resource: Resource): boolean =>
  resource.shared !== undefined ||
  (resource.disk !== undefined && (isPersistentVolume(resource) || isExclusiveSource(resource.disk.source)));
