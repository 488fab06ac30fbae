// Validates the resources of tasks and executors.
import {
  isPersistentVolume,
  isRevocable,
  isShared,
  isUnreserved,
  type Resources,
  validateResources,
} from '@meseta/resources';
import type { Resource } from '@meseta/wire';
import { firstAmong, type Problem } from './problem.js';

/** `list` is in the post-refinement format, with `allocation_info`. */
export function checkResources(field: string, list: readonly Resource[] | undefined): Problem {
  const resources = list ?? [];
  const valid = validateResources(resources, field);
  if (!valid.ok) return valid.error.text;
  const gpus = resources.find(({ name, scalar }) => name === 'gpus' && !Number.isInteger(scalar?.value ?? 0));
  if (gpus !== undefined) return `${field}: expected a whole number of gpus, got ${gpus.scalar?.value}`;
  return (
    firstAmong(resources, (resource) => checkDiskInfo(field, resource)) ??
    checkMix(field, resources) ??
    checkPersistence(field, resources) ??
    checkOneRole(field, resources)
  );
}

/** Rules for `disk` beyond the validity of a single resource. */
function checkDiskInfo(field: string, resource: Resource): Problem {
  const { disk } = resource;
  if (disk === undefined) return undefined;
  const { persistence, volume, source } = disk;
  if (persistence === undefined) {
    if (volume !== undefined) return `${field}: disk.volume: is only possible with disk.persistence`;
    return source === undefined ? `${field}: disk: expected persistence or source` : undefined;
  }
  if (isRevocable(resource)) return `${field}: disk.persistence: must not be set for revocable resources`;
  if (isUnreserved(resource)) return `${field}: disk.persistence: must not be set for unreserved resources`;
  if (volume === undefined) return `${field}: disk.volume: is missing`;
  return volume.host_path === undefined ? undefined : `${field}: disk.volume.host_path: must not be set`;
}

function checkOneRole(field: string, resources: Resources): Problem {
  const role = resources[0]?.allocation_info?.role;
  if (resources.every(({ allocation_info }) => allocation_info?.role === role)) return undefined;
  const roles = new Set(resources.map(({ allocation_info }) => allocation_info?.role));
  return `${field}: resources of more than one role: ${[...roles].join(', ')}`;
}

/** Revocable and non-revocable resources of one name cannot be mixed. */
export function checkMix(field: string, resources: Resources): Problem {
  if (!resources.some(isRevocable)) return undefined;
  const revocable = new Set(resources.filter(isRevocable).map(({ name }) => name));
  const mixed = resources.find((resource) => !isRevocable(resource) && revocable.has(resource.name));
  return mixed === undefined ? undefined : `${field}: revocable and non-revocable ${mixed.name} are mixed`;
}

/** A volume that is not shared can be used only once. */
export function checkPersistence(field: string, resources: Resources): Problem {
  if (!resources.some(isPersistentVolume)) return undefined;
  const seen = new Set<string>();
  for (const resource of resources) {
    if (!isPersistentVolume(resource) || isShared(resource)) continue;
    const id = `${resource.disk?.persistence?.id} ${JSON.stringify(resource.reservations?.at(-1)?.role)}`;
    if (seen.has(id)) return `${field}: the volume '${resource.disk?.persistence?.id}' is used twice`;
    seen.add(id);
  }
  return undefined;
}
