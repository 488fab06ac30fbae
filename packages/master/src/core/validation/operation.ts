// Validates RESERVE, UNRESERVE, CREATE, DESTROY, GROW_VOLUME and SHRINK_VOLUME of frameworks and operators. The rules differ
// only in the principals and roles that a reservation may name.
import { isDeepEqual } from '@meseta/base';
import {
  add,
  equals,
  isDynamicallyReserved,
  isPersistentVolume,
  isRevocable,
  isShared,
  isUnreserved,
  type Resources,
  reservationRole,
  stripVolume,
  toUnreserved,
} from '@meseta/resources';
import type { OfferOperation, Resource } from '@meseta/wire';
import type { Agent, Framework } from '../state.js';
import { firstAmong, firstOf, type Problem } from './problem.js';
import { checkResources } from './resources.js';

export interface Requester {
  /** Undefined for an operator's operation. */
  readonly framework: Framework | undefined;
  /** The authenticated principal, if any. */
  readonly principal: string | undefined;
  readonly agent: Agent;
}

export function checkOperation(operation: OfferOperation, by: Requester): Problem {
  const { reserve, unreserve, create, destroy, grow_volume, shrink_volume } = operation;
  switch (operation.type) {
    case 'RESERVE':
      return reserve === undefined ? missing('reserve') : checkReserve(reserve.resources ?? [], reserve.source, by);
    case 'UNRESERVE':
      return unreserve === undefined ? missing('unreserve') : checkUnreserve(unreserve.resources ?? []);
    case 'CREATE':
      return create === undefined ? missing('create') : checkCreate(create.volumes ?? [], by);
    case 'DESTROY':
      return destroy === undefined ? missing('destroy') : checkDestroy(destroy.volumes ?? []);
    case 'GROW_VOLUME':
      return grow_volume === undefined
        ? missing('grow_volume')
        : checkGrow(grow_volume.volume, grow_volume.addition, by);
    case 'SHRINK_VOLUME':
      return shrink_volume === undefined
        ? missing('shrink_volume')
        : checkShrink(shrink_volume.volume, shrink_volume.subtract.value, by);
    default:
      return 'operation.type: expected an operation on resources';
  }
}

const missing = (field: string): Problem => `operation.${field}: is missing`;

const checkNotEmpty = (field: string, list: readonly unknown[]): Problem =>
  list.length === 0 ? `${field}: expected at least one resource` : undefined;

/** The first problem of the items of a list. */
function checkEach(field: string, list: Resources, check: (resource: Resource, at: string) => Problem): Problem {
  return firstAmong(list, (resource, i) => check(resource, `${field}[${i}]`));
}

function checkReserve(list: Resources, source: Resources | undefined, by: Requester): Problem {
  return firstOf(
    () => (by.framework !== undefined && source !== undefined ? 'reserve.source: is for operators only' : undefined),
    () => checkNotEmpty('reserve.resources', list),
    () => checkResources('reserve.resources', list),
    () => (source === undefined ? undefined : checkSource(list, source)),
    () => checkEach('reserve.resources', list, (resource, at) => checkReserved(resource, at, by)),
    () => {
      const providers = new Set(list.map((resource) => resource.provider_id?.value));
      return providers.size > 1 ? 'reserve.resources: resources of different providers are mixed' : undefined;
    },
  );
}

/** A re-reservation must have the same resources as its source, with another reservation. */
function checkSource(list: Resources, source: Resources): Problem {
  const oneReservation = (field: string, resources: Resources): Problem =>
    resources.every(({ reservations }) => isDeepEqual(reservations ?? [], resources[0]?.reservations ?? []))
      ? undefined
      : `${field}: expected the same reservations on all`;
  return firstOf(
    () => checkResources('reserve.source', source),
    () => oneReservation('reserve.source', source),
    () => oneReservation('reserve.resources', list),
    () =>
      equals(toUnreserved(source), toUnreserved(list))
        ? undefined
        : 'reserve.source: expected the same resources as in reserve.resources, but for their reservations',
  );
}

function checkReserved(resource: Resource, at: string, { framework, principal, agent }: Requester): Problem {
  if (!isDynamicallyReserved(resource)) return `${at}.reservations: expected a dynamic reservation`;
  if (isRevocable(resource)) return `${at}: revocable resources can't be reserved`;
  if ((resource.reservations ?? []).length > 1 && !agent.capabilities.has('RESERVATION_REFINEMENT')) {
    return `${at}.reservations: the agent lacks the capability RESERVATION_REFINEMENT`;
  }
  const role = reservationRole(resource);
  if (role?.includes('/') === true && !agent.capabilities.has('HIERARCHICAL_ROLE')) {
    return `${at}.reservations: the agent lacks the capability HIERARCHICAL_ROLE for '${role}'`;
  }
  const owner = resource.reservations?.at(-1)?.principal;
  if (principal !== undefined && owner !== principal) {
    return `${at}.reservations: expected the principal '${principal}', got ${owner === undefined ? 'none' : `'${owner}'`}`;
  }
  if (framework === undefined) {
    return resource.allocation_info === undefined
      ? undefined
      : `${at}.allocation_info: must not be set; an operator reserves what is not allocated`;
  }
  if (role === undefined || !framework.roles.includes(role)) {
    return `${at}.reservations: '${role}' is not among the framework's roles`;
  }
  const allocated = resource.allocation_info?.role;
  return allocated === role ? undefined : `${at}: reserved for '${role}', but allocated to '${allocated}'`;
}

function checkUnreserve(list: Resources): Problem {
  return firstOf(
    () => checkNotEmpty('unreserve.resources', list),
    () => checkResources('unreserve.resources', list),
    () =>
      checkEach('unreserve.resources', list, (resource, at) => {
        if (!isDynamicallyReserved(resource)) return `${at}.reservations: expected a dynamic reservation`;
        return isPersistentVolume(resource) ? `${at}.disk: a volume has to be destroyed first` : undefined;
      }),
  );
}

function checkCreate(list: Resources, by: Requester): Problem {
  return firstOf(
    () => checkNotEmpty('create.volumes', list),
    () => checkResources('create.volumes', list),
    () => checkEach('create.volumes', list, (volume, at) => checkNewVolume(volume, at, by)),
  );
}

function checkNewVolume(volume: Resource, at: string, { framework, principal, agent }: Requester): Problem {
  if (!isPersistentVolume(volume)) return `${at}.disk.persistence: is missing`;
  if (isUnreserved(volume)) return `${at}: expected reserved disk`;
  if (isRevocable(volume)) return `${at}: expected disk that isn't revocable`;
  if (volume.disk?.volume === undefined) return `${at}.disk.volume: is missing`;
  if (volume.disk.volume.mode !== 'RW') return `${at}.disk.volume.mode: expected RW, got ${volume.disk.volume.mode}`;
  if (volume.disk.volume.host_path !== undefined) return `${at}.disk.volume.host_path: must not be set`;
  if (isShared(volume) && framework !== undefined && !framework.capabilities.has('SHARED_RESOURCES')) {
    return `${at}.shared: the framework lacks the capability SHARED_RESOURCES`;
  }
  const owner = volume.disk.persistence?.principal;
  if (principal !== undefined && owner !== principal) {
    return `${at}.disk.persistence.principal: expected '${principal}', got ${owner === undefined ? 'none' : `'${owner}'`}`;
  }
  const id = volume.disk.persistence?.id;
  const role = reservationRole(volume);
  const taken = agent.totalResources.some(
    (other) => isPersistentVolume(other) && other.disk?.persistence?.id === id && reservationRole(other) === role,
  );
  return taken ? `${at}.disk.persistence.id: role '${role}' has a volume '${id}' on the agent already` : undefined;
}

function checkDestroy(list: Resources): Problem {
  return firstOf(
    () => checkNotEmpty('destroy.volumes', list),
    () => checkResources('destroy.volumes', list),
    () =>
      checkEach('destroy.volumes', list, (volume, at) =>
        isPersistentVolume(volume) ? undefined : `${at}.disk.persistence: is missing`,
      ),
  );
}

function checkResizable(field: string, volume: Resource, { agent }: Requester): Problem {
  if (!agent.capabilities.has('RESIZE_VOLUME')) return `${field}: the agent lacks the capability RESIZE_VOLUME`;
  if (!isPersistentVolume(volume)) return `${field}.disk.persistence: is missing`;
  if (isShared(volume)) return `${field}.shared: shared volumes can't be resized`;
  if (volume.provider_id !== undefined) return `${field}.provider_id: a provider's volumes can't be resized`;
  return undefined;
}

function checkGrow(volume: Resource, addition: Resource, by: Requester): Problem {
  return firstOf(
    () => checkResources('grow_volume.volume', [volume]),
    () => checkResources('grow_volume.addition', [addition]),
    () => checkResizable('grow_volume.volume', volume, by),
    () =>
      (addition.scalar?.value ?? 0) > 0
        ? undefined
        : `grow_volume.addition.scalar.value: expected more than 0, got ${addition.scalar?.value}`,
    () =>
      add([stripVolume(volume)], [addition]).length === 1
        ? undefined
        : 'grow_volume.addition: expected disk of the kind that the volume was made from',
  );
}

function checkShrink(volume: Resource, amount: number, by: Requester): Problem {
  const size = volume.scalar?.value ?? 0;
  return firstOf(
    () => checkResources('shrink_volume.volume', [volume]),
    () => checkResizable('shrink_volume.volume', volume, by),
    () =>
      volume.disk?.source?.type === 'MOUNT' ? "shrink_volume.volume: a volume on a MOUNT disk can't shrink" : undefined,
    () =>
      amount > 0 && amount < size
        ? undefined
        : `shrink_volume.subtract: expected more than 0 and less than ${size}, got ${amount}`,
  );
}
