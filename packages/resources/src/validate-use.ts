// What a list of valid resources may be used for: the rules that the master adds for tasks,
// executors and operations. All take lists in the post-refinement format.
import { err, ok, type Result } from '@meseta/base';
import type { Resource } from '@meseta/wire';
import type { Resources } from './algebra.js';
import { isDynamicallyReserved, isPersistentVolume, isRevocable, isUnreserved, reservationRole } from './kinds.js';
import { distinctShared } from './lists.js';
import { problem, type ResourceProblem } from './validate.js';

type Checked = Result<undefined, ResourceProblem>;

/** What resources of a task, executor or operation must be: volumes complete and reserved, nothing revocable reserved. */
export function validateUse(list: Resources, field = 'resources'): Checked {
  for (let i = 0; i < list.length; i++) {
    const resource = list[i] as Resource;
    const wrong = checkDynamic(resource) ?? checkVolume(resource);
    if (wrong) return err(problem(`${field}[${i}]${wrong[0]}`, wrong[1]));
  }
  return ok(undefined);
}

type Wrong = readonly [field: string, why: string];

function checkDynamic(resource: Resource): Wrong | undefined {
  return isDynamicallyReserved(resource) && isRevocable(resource)
    ? ['.revocable', 'expected to be unset: revocable resources can not be reserved']
    : undefined;
}

function checkVolume(resource: Resource): Wrong | undefined {
  const { disk } = resource;
  if (disk === undefined) return undefined;
  if (disk.persistence === undefined) {
    if (disk.volume) return ['.disk.volume', 'expected to be unset: only persistent volumes have one'];
    return disk.source ? undefined : ['.disk', 'expected `persistence` or `source` in it'];
  }
  if (isRevocable(resource)) return ['.revocable', 'expected to be unset for a persistent volume'];
  if (isUnreserved(resource)) return ['.reservations', 'expected the disk of a persistent volume to be reserved'];
  if (disk.volume === undefined) return ['.disk.volume', 'expected to be set for a persistent volume'];
  if (disk.volume.host_path !== undefined) {
    return ['.disk.volume.host_path', 'expected to be unset for a persistent volume'];
  }
  return undefined;
}

/** The volumes of a CREATE: persistent, with a container path, read-write. */
export function validateVolumes(list: Resources, field = 'volumes'): Checked {
  for (let i = 0; i < list.length; i++) {
    const { disk } = list[i] as Resource;
    const wrong: Wrong | undefined = !disk?.persistence
      ? ['.disk.persistence', 'expected to be set']
      : !disk.volume
        ? ['.disk.volume', 'expected to be set']
        : disk.volume.mode === 'RO'
          ? ['.disk.volume.mode', 'expected RW, got RO']
          : undefined;
    if (wrong) return err(problem(`${field}[${i}]${wrong[0]}`, wrong[1]));
  }
  return ok(undefined);
}

/** Persistence ids must be unique in each role; copies of a shared volume count once. */
export function validateUniqueVolumes(list: Resources, field = 'resources'): Checked {
  const seen = new Set<string>();
  for (const volume of distinctShared(list).filter(isPersistentVolume)) {
    const key = `${reservationRole(volume)}\u0000${volume.disk?.persistence?.id}`;
    if (seen.has(key)) {
      return err(problem(field, `expected the persistence id ${JSON.stringify(volume.disk?.persistence?.id)} once`));
    }
    seen.add(key);
  }
  return ok(undefined);
}

/** Of one name either revocable or non-revocable resources, not both. */
export function validateUnmixedRevocable(list: Resources, field = 'resources'): Checked {
  const firm = new Set(list.filter((resource) => !isRevocable(resource)).map(({ name }) => name));
  const mixed = list.find((resource) => isRevocable(resource) && firm.has(resource.name));
  return mixed === undefined
    ? ok(undefined)
    : err(problem(field, `expected either revocable or non-revocable ${mixed.name}, got both`));
}

/** All allocated, and to one role; answers the role, undefined for an empty list. */
export function singleAllocationRole(
  list: Resources,
  field = 'resources',
): Result<string | undefined, ResourceProblem> {
  const role = list[0]?.allocation_info?.role;
  for (let i = 0; i < list.length; i++) {
    const own = list[i]?.allocation_info?.role;
    if (own === undefined) return err(problem(`${field}[${i}].allocation_info.role`, 'expected to be set'));
    if (own !== role) {
      return err(
        problem(field, `expected one allocation role, got ${JSON.stringify(role)} and ${JSON.stringify(own)}`),
      );
    }
  }
  return ok(role);
}

/** All of one resource provider, or all of the agent itself; answers the provider's id if there is one. */
export function singleProvider(list: Resources, field = 'resources'): Result<string | undefined, ResourceProblem> {
  const provider = list[0]?.provider_id?.value;
  return list.every((resource) => resource.provider_id?.value === provider)
    ? ok(provider)
    : err(problem(field, 'expected resources of one resource provider'));
}
