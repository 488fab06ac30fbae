// The operations of ACCEPT and of the operator API on resources (Mesos' docs/reservation.md, docs/persistent-volume.md).
// Master, allocator and agent all apply them with `applyOperation`. An operation is a list of conversions, each of which
// replaces the consumed resources by the converted ones.
import { err, ok, type Result } from '@meseta/base';
import type { OfferOperation, Resource } from '@meseta/wire';
import { toThousandths } from '@meseta/wire/scalars';
import { add, contains, merge, type Resources, subtract } from './algebra.js';
import { formatResource, formatResources } from './format.js';
import { isDynamicallyReserved, isPersistentVolume, isUnreserved, needsCheckpoint, thousandthsOf } from './kinds.js';
import { popReservation } from './lists.js';
import { createPool, needsPool } from './pool.js';
import { withAmount, withFields } from './records.js';
import { toPostRefinement } from './reservation-formats.js';

export interface ResourceConversion {
  readonly consumed: Resources;
  readonly converted: Resources;
  /** Must not remain after the conversion: a destroyed shared volume of which another copy is in use. */
  readonly noneLeftOf?: Resource;
}

export interface AppliedOperation {
  readonly resources: Resources;
  readonly conversions: readonly ResourceConversion[];
}

type Conversions = Result<readonly ResourceConversion[], string>;

/**
 * The conversions of a RESERVE, UNRESERVE, CREATE, DESTROY, GROW_VOLUME or SHRINK_VOLUME with valid resources in either
 * format. Other operations, and operations on unsuitable resources (UNRESERVE of unreserved ones), are errors.
 */
export function conversionsOf(operation: OfferOperation): Conversions {
  switch (operation.type) {
    case 'RESERVE':
      return reserve(operation.reserve?.resources ?? [], operation.reserve?.source ?? []);
    case 'UNRESERVE':
      return convertEach(operation.unreserve?.resources ?? [], unreserve);
    case 'CREATE':
      return convertEach(operation.create?.volumes ?? [], create);
    case 'DESTROY':
      return convertEach(operation.destroy?.volumes ?? [], destroy);
    case 'GROW_VOLUME':
      return operation.grow_volume
        ? grow(postRefinementOf(operation.grow_volume.volume), postRefinementOf(operation.grow_volume.addition))
        : err('grow_volume: expected to be set for GROW_VOLUME');
    case 'SHRINK_VOLUME':
      return operation.shrink_volume
        ? shrink(
            postRefinementOf(operation.shrink_volume.volume),
            toThousandths(operation.shrink_volume.subtract.value),
          )
        : err('shrink_volume: expected to be set for SHRINK_VOLUME');
    default:
      return err(`the operation ${operation.type ?? 'UNKNOWN'} converts no resources`);
  }
}

/** The resources after the operation, or the reason why it does not apply to them. */
export function applyOperation(resources: Resources, operation: OfferOperation): Result<AppliedOperation, string> {
  const conversions = conversionsOf(operation);
  if (!conversions.ok) return conversions;
  const applied = applyConversions(resources, conversions.value);
  return applied.ok ? ok({ resources: applied.value, conversions: conversions.value }) : applied;
}

export function applyConversions(
  resources: Resources,
  conversions: readonly ResourceConversion[],
): Result<Resources, string> {
  const current = createConvertible(resources, conversions.length);
  for (const { consumed, converted, noneLeftOf } of conversions) {
    if (!current.contains(consumed)) {
      return err(`${formatResources(current.resources)} does not contain ${formatResources(consumed)}`);
    }
    current.convert(consumed, converted);
    if (noneLeftOf !== undefined && current.contains([noneLeftOf])) {
      return err(`the volume ${formatResource(noneLeftOf)} is still shared by others`);
    }
  }
  return ok(current.resources);
}

interface Convertible {
  contains(list: Resources): boolean;
  convert(consumed: Resources, converted: Resources): void;
  readonly resources: Resources;
}

/** Resources for a number of conversions; uses a pool if that is cheaper. */
function createConvertible(resources: Resources, conversions: number): Convertible {
  if (needsPool(resources, conversions)) {
    const pool = createPool(resources);
    return {
      contains: (list) => (list.length === 1 ? pool.contains(list[0] as Resource) : contains(pool.resources, list)),
      convert(consumed, converted) {
        for (const resource of consumed) pool.subtract(resource);
        for (const resource of converted) pool.add(resource);
      },
      resources: pool.resources,
    };
  }
  let list = resources;
  return {
    contains: (part) => contains(list, part),
    convert(consumed, converted) {
      list = add(subtract(list, consumed), converted);
    },
    get resources() {
      return list;
    },
  };
}

/** The disk that a volume was created from: with its source, without persistence, volume and sharing. */
export const stripVolume = (volume: Resource): Resource =>
  withFields(volume, {
    disk: volume.disk?.source ? { source: volume.disk.source } : undefined,
    shared: undefined,
  });

const postRefinementOf = (resource: Resource): Resource => toPostRefinement([resource])[0] as Resource;

function convertEach(
  list: readonly Resource[],
  convert: (resource: Resource) => Result<ResourceConversion, string>,
): Conversions {
  const conversions: ResourceConversion[] = [];
  for (const resource of toPostRefinement(list)) {
    const conversion = convert(resource);
    if (!conversion.ok) return conversion;
    conversions.push(conversion.value);
  }
  return ok(conversions);
}

/** `source` has the resources to reserve; without it these are the resources without their last reservation. */
function reserve(resources: readonly Resource[], source: readonly Resource[]): Conversions {
  const converted = merge(toPostRefinement(resources));
  const unreserved = converted.find(isUnreserved);
  if (source.length === 0 && unreserved) return err(`expected reserved resources, got ${formatResource(unreserved)}`);
  const consumed = source.length > 0 ? merge(toPostRefinement(source)) : popReservation(converted);
  return ok([{ consumed, converted }]);
}

function unreserve(resource: Resource): Result<ResourceConversion, string> {
  if (!isDynamicallyReserved(resource)) {
    return err(`expected a dynamically reserved resource, got ${formatResource(resource)}`);
  }
  return ok({ consumed: merge([resource]), converted: popReservation([resource]) });
}

function create(volume: Resource): Result<ResourceConversion, string> {
  if (!isPersistentVolume(volume)) return err(`expected a persistent volume, got ${formatResource(volume)}`);
  return ok({ consumed: merge([stripVolume(volume)]), converted: merge([volume]) });
}

function destroy(volume: Resource): Result<ResourceConversion, string> {
  if (!isPersistentVolume(volume)) return err(`expected a persistent volume, got ${formatResource(volume)}`);
  return ok({ consumed: merge([volume]), converted: merge([stripVolume(volume)]), noneLeftOf: volume });
}

function grow(volume: Resource, addition: Resource): Conversions {
  if (volume.provider_id) return err('the volume of a resource provider can not be grown');
  const converted = withAmount(volume, thousandthsOf(volume) + thousandthsOf(addition));
  return ok([{ consumed: merge([volume, addition]), converted: [converted] }]);
}

function shrink(volume: Resource, amount: number): Conversions {
  if (volume.provider_id) return err('the volume of a resource provider can not be shrunk');
  const rest = thousandthsOf(volume) - amount;
  if (amount <= 0 || rest <= 0) {
    return err(`shrink_volume.subtract: expected more than 0 and less than the volume has, got ${amount / 1000}`);
  }
  return ok([{ consumed: [volume], converted: [withAmount(volume, rest), withAmount(stripVolume(volume), amount)] }]);
}

/**
 * The total of an agent: the resources of its flags with the checkpointed dynamic reservations and volumes. An error if the
 * flags' resources do not contain the resources that these were made from.
 */
export function applyCheckpointed(total: Resources, checkpointed: Resources): Result<Resources, string> {
  const current = createConvertible(total, checkpointed.length);
  for (const resource of checkpointed) {
    if (!needsCheckpoint(resource))
      return err(`did not expect ${formatResource(resource)} among checkpointed resources`);
    const first = resource.reservations?.[0];
    const bare = withFields(isPersistentVolume(resource) ? stripVolume(resource) : resource, {
      shared: undefined,
      reservations: isDynamicallyReserved(resource)
        ? first?.type === 'STATIC'
          ? [first]
          : undefined
        : resource.reservations,
    });
    if (!current.contains([bare])) {
      return err(`the agent's resources ${formatResources(total)} do not contain ${formatResource(bare)}`);
    }
    current.convert([bare], [resource]);
  }
  return ok(current.resources);
}
