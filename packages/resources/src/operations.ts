// What the operations of ACCEPT and of the operator API do to a list of resources. The master, the
// allocator's total and the agent all apply them with this one function (docs/reservation.md,
// docs/persistent-volume.md). An operation becomes conversions: so much is consumed, so much made.
import { err, ok, type Result } from '@meseta/base';
import type { OfferOperation, Resource } from '@meseta/wire';
import { toThousandths } from '@meseta/wire/scalars';
import { add, contains, merge, type Resources, subtract } from './algebra.js';
import { formatResource, formatResources } from './format.js';
import { toPostRefinement } from './formats.js';
import { isDynamicallyReserved, isPersistentVolume, isUnreserved, needsCheckpoint, scalarOf } from './kinds.js';
import { popReservation } from './lists.js';
import { createPool, needsPool } from './pool.js';
import { withAmount, withFields } from './records.js';

export interface ResourceConversion {
  readonly consumed: Resources;
  readonly converted: Resources;
  /** What must not be left once it is done: a destroyed volume of which somebody holds another copy. */
  readonly noneLeftOf?: Resource;
}

export interface AppliedOperation {
  readonly resources: Resources;
  readonly conversions: readonly ResourceConversion[];
}

type Conversions = Result<readonly ResourceConversion[], string>;

/**
 * The conversions of a RESERVE, UNRESERVE, CREATE, DESTROY, GROW_VOLUME or SHRINK_VOLUME whose
 * resources are valid, in either format. Other operations, and what makes no sense (to unreserve
 * what isn't reserved), are errors.
 */
export function conversionsOf(operation: OfferOperation): Conversions {
  switch (operation.type) {
    case 'RESERVE':
      return reserve(operation.reserve?.resources ?? [], operation.reserve?.source ?? []);
    case 'UNRESERVE':
      return each(operation.unreserve?.resources ?? [], unreserve);
    case 'CREATE':
      return each(operation.create?.volumes ?? [], create);
    case 'DESTROY':
      return each(operation.destroy?.volumes ?? [], destroy);
    case 'GROW_VOLUME':
      return operation.grow_volume
        ? grow(upgraded(operation.grow_volume.volume), upgraded(operation.grow_volume.addition))
        : err('grow_volume: expected to be set for GROW_VOLUME');
    case 'SHRINK_VOLUME':
      return operation.shrink_volume
        ? shrink(upgraded(operation.shrink_volume.volume), toThousandths(operation.shrink_volume.subtract.value))
        : err('shrink_volume: expected to be set for SHRINK_VOLUME');
    default:
      return err(`the operation ${operation.type ?? 'UNKNOWN'} converts no resources`);
  }
}

/** The resources after the operation, or why it can't be applied to them. */
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
  const held = createHeld(resources, conversions.length);
  for (const { consumed, converted, noneLeftOf } of conversions) {
    if (!held.contains(consumed)) {
      return err(`${formatResources(held.resources)} does not contain ${formatResources(consumed)}`);
    }
    held.exchange(consumed, converted);
    if (noneLeftOf !== undefined && held.contains([noneLeftOf])) {
      return err(`the volume ${formatResource(noneLeftOf)} is still shared by others`);
    }
  }
  return ok(held.resources);
}

interface Held {
  contains(list: Resources): boolean;
  exchange(consumed: Resources, converted: Resources): void;
  readonly resources: Resources;
}

/** Resources on which so many exchanges are to be made: a pool where there are many. */
function createHeld(resources: Resources, exchanges: number): Held {
  if (needsPool(resources.length, exchanges)) {
    const pool = createPool(resources);
    return {
      contains: (list) => (list.length === 1 ? pool.contains(list[0] as Resource) : contains(pool.resources, list)),
      exchange(consumed, converted) {
        for (const resource of consumed) pool.subtract(resource);
        for (const resource of converted) pool.add(resource);
      },
      resources: pool.resources,
    };
  }
  let held = resources;
  return {
    contains: (list) => contains(held, list),
    exchange(consumed, converted) {
      held = add(subtract(held, consumed), converted);
    },
    get resources() {
      return held;
    },
  };
}

/** The disk a volume was made from: without persistence, volume and sharing, with its source. */
export const stripVolume = (volume: Resource): Resource =>
  withFields(volume, {
    disk: volume.disk?.source ? { source: volume.disk.source } : undefined,
    shared: undefined,
  });

const upgraded = (resource: Resource): Resource => toPostRefinement([resource])[0] as Resource;

function each(
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

/** `source` says from what (any other reservations); without it one reservation is pushed on each. */
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
  const converted = withAmount(volume, scalarOf(volume) + scalarOf(addition));
  return ok([{ consumed: merge([volume, addition]), converted: [converted] }]);
}

function shrink(volume: Resource, amount: number): Conversions {
  if (volume.provider_id) return err('the volume of a resource provider can not be shrunk');
  const left = scalarOf(volume) - amount;
  if (amount <= 0 || left <= 0) {
    return err(`shrink_volume.subtract: expected more than 0 and less than the volume has, got ${amount / 1000}`);
  }
  return ok([{ consumed: [volume], converted: [withAmount(volume, left), withAmount(stripVolume(volume), amount)] }]);
}

/**
 * An agent's total: what its flags say, with the dynamic reservations and volumes that it had
 * remembered. An error if the flags have less than what was made of them.
 */
export function applyCheckpointed(total: Resources, checkpointed: Resources): Result<Resources, string> {
  const held = createHeld(total, checkpointed.length);
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
    if (!held.contains([bare])) {
      return err(`the agent's resources ${formatResources(total)} do not contain ${formatResource(bare)}`);
    }
    held.exchange([bare], [resource]);
  }
  return ok(held.resources);
}
