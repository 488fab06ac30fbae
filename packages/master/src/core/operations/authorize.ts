// Authorizes operations on resources. Source: Mesos' documentation of authorization.
import { type Resources, reservationRole } from '@meseta/resources';
import type { AuthorizationAction, OfferOperation, Resource } from '@meseta/wire';
import type { MasterOptions } from '../options.js';

/** The text of a denial; undefined if the operation is allowed. */
export function checkAuthorization(
  { authorize }: MasterOptions,
  principal: string | undefined,
  operation: OfferOperation,
): string | undefined {
  const check = (action: AuthorizationAction, list: Resources, value: (resource: Resource) => string | undefined) => {
    const denied = list.find((resource) => !authorize({ action, principal, value: value(resource) }));
    return denied === undefined ? undefined : `not authorized: ${action} for '${value(denied) ?? 'any'}'`;
  };
  const role = (resource: Resource): string | undefined => reservationRole(resource);
  const reserver = (resource: Resource): string | undefined => resource.reservations?.at(-1)?.principal;
  const creator = (resource: Resource): string | undefined => resource.disk?.persistence?.principal;
  const { reserve, unreserve, create, destroy, grow_volume, shrink_volume } = operation;
  switch (operation.type) {
    case 'RESERVE':
      return check('RESERVE_RESOURCES', reserve?.resources ?? [], role);
    case 'UNRESERVE':
      return check('UNRESERVE_RESOURCES', unreserve?.resources ?? [], reserver);
    case 'CREATE':
      return check('CREATE_VOLUME', create?.volumes ?? [], role);
    case 'DESTROY':
      return check('DESTROY_VOLUME', destroy?.volumes ?? [], creator);
    case 'GROW_VOLUME':
      return check('RESIZE_VOLUME', grow_volume === undefined ? [] : [grow_volume.volume], role);
    case 'SHRINK_VOLUME':
      return check('RESIZE_VOLUME', shrink_volume === undefined ? [] : [shrink_volume.volume], role);
    default:
      return undefined;
  }
}
