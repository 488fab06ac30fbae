// What makes two entries of a list the same stuff: name, type, reservations, disk, revocable,
// shared, provider and allocation. A disk's `volume` says how it is used, not what it is, and
// the principal in `persistence` is a note; neither counts.
import type { Labels, Resource, ResourceDiskInfo, ResourceReservationInfo } from '@meseta/wire';
import { isExclusiveSource, isPersistentVolume, scalarOf } from './kinds.js';
import { containsItems, equalRanges } from './ranges.js';

/** Whether the metadata of both agree: they can differ in amount only. */
export function sameMetadata(a: Resource, b: Resource): boolean {
  if (a === b) return true;
  return (
    a.name === b.name &&
    a.type === b.type &&
    a.allocation_info?.role === b.allocation_info?.role &&
    (a.revocable === undefined) === (b.revocable === undefined) &&
    (a.shared === undefined) === (b.shared === undefined) &&
    a.provider_id?.value === b.provider_id?.value &&
    sameReservations(a.reservations, b.reservations) &&
    sameDisk(a.disk, b.disk)
  );
}

type Stack = readonly ResourceReservationInfo[] | undefined;

function sameReservations(a: Stack, b: Stack): boolean {
  if (a === b) return true;
  if ((a?.length ?? 0) !== (b?.length ?? 0)) return false;
  return a?.every((reservation, i) => sameReservation(reservation, b?.[i] as ResourceReservationInfo)) ?? true;
}

function sameReservation(a: ResourceReservationInfo, b: ResourceReservationInfo): boolean {
  return (
    a === b ||
    (a.type === b.type &&
      a.role === b.role &&
      a.principal === b.principal &&
      labelsKey(a.labels) === labelsKey(b.labels))
  );
}

/** Labels are a bag: their order doesn't count. */
function labelsKey(labels: Labels | undefined): string {
  if (labels === undefined) return '';
  return JSON.stringify((labels.labels ?? []).map((label) => JSON.stringify([label.key, label.value])).sort());
}

function sameDisk(a: ResourceDiskInfo | undefined, b: ResourceDiskInfo | undefined): boolean {
  return a === b || diskKey(a) === diskKey(b);
}

function diskKey(disk: ResourceDiskInfo | undefined): string {
  if (disk === undefined) return '';
  const source = disk.source && [
    disk.source.type,
    disk.source.path ? [disk.source.path.root] : null,
    disk.source.mount ? [disk.source.mount.root] : null,
    disk.source.vendor,
    disk.source.id,
    labelsKey(disk.source.metadata),
    disk.source.profile,
  ];
  return JSON.stringify([source, disk.persistence ? [disk.persistence.id] : null]);
}

/** Scalars equal to the thousandth, ranges and sets as what they hold. */
export function sameValue(a: Resource, b: Resource): boolean {
  if (a.type === 'SCALAR') return scalarOf(a) === scalarOf(b);
  if (a.type === 'RANGES') return equalRanges(a.ranges?.range ?? [], b.ranges?.range ?? []);
  const x = a.set?.item ?? [];
  const y = b.set?.item ?? [];
  return x.length === y.length && containsItems(x, y);
}

export const resourceEquals = (a: Resource, b: Resource): boolean => a === b || (sameMetadata(a, b) && sameValue(a, b));

/** Whether two entries become one when added. Exclusive disks, volumes and shared copies stay apart. */
export const isMergeable = (a: Resource, b: Resource): boolean =>
  a.shared === undefined && sameMetadata(a, b) && !(a.disk !== undefined && isWhole(a));

/** Whether `b` can be taken out of `a`, as far as metadata say; of what can't be split, only all of it. */
export const isSubtractable = (a: Resource, b: Resource): boolean =>
  sameMetadata(a, b) &&
  ((a.shared === undefined && (a.disk === undefined || !isWhole(a))) || a === b || sameValue(a, b));

const isWhole = (resource: Resource): boolean =>
  isPersistentVolume(resource) || isExclusiveSource(resource.disk?.source);

/**
 * A string equal exactly for equal metadata; as the key of a sort it gives the canonical order:
 * unreserved, reserved, revocable; in each cpus, gpus, mem, disk, ports, then others by name.
 */
export function metadataKey(resource: Resource): string {
  const group = resource.revocable !== undefined ? '2' : resource.reservations?.length ? '1' : '0';
  const known = KNOWN_NAMES.indexOf(resource.name);
  const head = `${group}${known < 0 ? KNOWN_NAMES.length : known}${resource.name}\u0001${resource.type}`;
  const { reservations, allocation_info: allocation, disk, provider_id: provider, shared } = resource;
  if (!reservations?.length && allocation === undefined && disk === undefined && !provider && !shared) return head;
  const stack = reservations?.map((r) => [r.type, r.role, r.principal, labelsKey(r.labels)]);
  const rest = [stack ?? [], diskKey(disk), allocation?.role, provider?.value, shared !== undefined];
  return `${head}\u0001${JSON.stringify(rest)}`;
}

const KNOWN_NAMES = ['cpus', 'gpus', 'mem', 'disk', 'ports'];
