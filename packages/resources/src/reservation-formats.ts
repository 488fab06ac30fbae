// The formats of reservations (Mesos' include/mesos/v1/mesos.proto and docs/reservation.md). Pre-refinement has `role` ("*" or
// a role), and `reservation` for a dynamic one; post-refinement has the stack `reservations` without `role`; endpoints have
// both. Internally every list is post-refinement.
import { err, ok, type Result } from '@meseta/base';
import type { Resource, ResourceReservationInfo } from '@meseta/wire';
import { hasRefinedReservations } from './kinds.js';
import { withFields } from './records.js';

/** Converts any format to post-refinement; for lists that passed `validateResources`. */
export const toPostRefinement = (list: readonly Resource[]): readonly Resource[] => mapChanged(list, postRefinementOf);

/** Fails with the first resource that has a refined reservation, which pre-refinement cannot express. */
export function toPreRefinement(list: readonly Resource[]): Result<readonly Resource[], Resource> {
  const refined = list.find(hasRefinedReservations);
  return refined === undefined ? ok(list.map((resource) => preRefinementOf(resource, false))) : err(refined);
}

/** Both formats at once, as endpoints show resources; refined reservations only in post-refinement. */
export const toEndpointFormat = (list: readonly Resource[]): readonly Resource[] =>
  list.map((resource) => (hasRefinedReservations(resource) ? resource : preRefinementOf(resource, true)));

function postRefinementOf(resource: Resource): Resource {
  const { role, reservation, reservations } = resource;
  if (role === undefined && reservation === undefined) return resource;
  const old = { role: undefined, reservation: undefined };
  if (reservations?.length || role === undefined || role === '*') return withFields(resource, old);
  const only: ResourceReservationInfo = reservation
    ? {
        ...(reservation.principal !== undefined && { principal: reservation.principal }),
        ...(reservation.labels !== undefined && { labels: reservation.labels }),
        role,
        type: 'DYNAMIC',
      }
    : { role, type: 'STATIC' };
  return withFields(resource, { ...old, reservations: [only] });
}

function preRefinementOf(resource: Resource, keepStack: boolean): Resource {
  const reservation = resource.reservations?.[0];
  if (reservation === undefined) return withFields(resource, { role: '*' });
  const { principal, labels } = reservation;
  const dynamic = {
    ...(principal !== undefined && { principal }),
    ...(labels !== undefined && { labels }),
  };
  return withFields(resource, {
    role: reservation.role,
    reservation: reservation.type === 'DYNAMIC' ? dynamic : undefined,
    reservations: keepStack ? resource.reservations : undefined,
  });
}

/** Maps the list; returns the list itself if no entry changes. */
function mapChanged(list: readonly Resource[], change: (resource: Resource) => Resource): readonly Resource[] {
  const mapped = list.map(change);
  return mapped.every((resource, i) => resource === list[i]) ? list : mapped;
}
