// The identity of a resource, which is its metadata: name, type, reservations, disk, revocable, shared, provider and
// allocation. A disk's `volume` and the principal of its `persistence` do not count, as in Mesos.
import type { Labels, Resource, ResourceDiskInfo, ResourceReservationInfo } from '@meseta/wire';
import { isExclusiveSource, isPersistentVolume, thousandthsOf } from './kinds.js';
import { containsItems, equalRanges } from './ranges.js';

/** Whether the resources have equal metadata, so that only their values may differ. */
export function hasSameMetadata(a: Resource, b: Resource): boolean {
  if (a === b) return true;
  return (
    a.name === b.name &&
    a.type === b.type &&
    a.allocation_info?.role === b.allocation_info?.role &&
    (a.revocable === undefined) === (b.revocable === undefined) &&
    (a.shared === undefined) === (b.shared === undefined) &&
    a.provider_id?.value === b.provider_id?.value &&
    hasSameReservations(a.reservations, b.reservations) &&
    isSameDisk(a.disk, b.disk)
  );
}

type Stack = readonly ResourceReservationInfo[] | undefined;

function hasSameReservations(a: Stack, b: Stack): boolean {
  if (a === b) return true;
  if ((a?.length ?? 0) !== (b?.length ?? 0)) return false;
  return a?.every((reservation, i) => isSameReservation(reservation, b?.[i] as ResourceReservationInfo)) ?? true;
}

function isSameReservation(a: ResourceReservationInfo, b: ResourceReservationInfo): boolean {
  return (
    a === b ||
    (a.type === b.type && a.role === b.role && a.principal === b.principal && hasSameLabels(a.labels, b.labels))
  );
}

/** Labels are equal in any order. The numbers are compared first, so that most comparisons need no keys. */
function hasSameLabels(a: Labels | undefined, b: Labels | undefined): boolean {
  if (a === b) return true;
  if (a === undefined || b === undefined || (a.labels?.length ?? 0) !== (b.labels?.length ?? 0)) return false;
  return labelsKey(a) === labelsKey(b);
}

/** Equal for equal labels in any order. */
function labelsKey(labels: Labels | undefined): string {
  if (labels === undefined) return '';
  // JSON has no unescaped control characters.
  return `[${(labels.labels ?? [])
    .map(({ key, value }) => JSON.stringify([key, value]))
    .sort()
    .join('\u0001')}]`;
}

/** Whether a comparison of the metadata takes long, because a resource may have thousands of labels. */
export const hasLabels = ({ reservations, disk }: Resource): boolean =>
  disk?.source?.metadata !== undefined || (reservations?.some(({ labels }) => labels !== undefined) ?? false);

function isSameDisk(a: ResourceDiskInfo | undefined, b: ResourceDiskInfo | undefined): boolean {
  return a === b || (hasSameLabels(a?.source?.metadata, b?.source?.metadata) && diskKey(a) === diskKey(b));
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

/** Scalars are compared by thousandths, ranges by their numbers, sets by their items. */
export function hasSameValue(a: Resource, b: Resource): boolean {
  if (a.type === 'SCALAR') return thousandthsOf(a) === thousandthsOf(b);
  if (a.type === 'RANGES') return equalRanges(a.ranges?.range ?? [], b.ranges?.range ?? []);
  const x = a.set?.item ?? [];
  const y = b.set?.item ?? [];
  return x.length === y.length && containsItems(x, y);
}

/** Whether two entries merge when they are added. Exclusive disks, volumes and shared resources do not. */
export const isMergeable = (a: Resource, b: Resource): boolean =>
  a.shared === undefined && hasSameMetadata(a, b) && !(a.disk !== undefined && isIndivisibleDisk(a));

/** Whether the metadata allow to subtract `b` from `a`; an indivisible resource can only be subtracted whole. */
export const isSubtractable = (a: Resource, b: Resource): boolean =>
  hasSameMetadata(a, b) &&
  ((a.shared === undefined && (a.disk === undefined || !isIndivisibleDisk(a))) || a === b || hasSameValue(a, b));

const isIndivisibleDisk = (resource: Resource): boolean =>
  isPersistentVolume(resource) || isExclusiveSource(resource.disk?.source);

/**
 * Equal for two resources if and only if their metadata are equal. Sorting by it gives the canonical order: unreserved,
 * reserved, revocable; within each cpus, gpus, mem, disk, ports, then other names.
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
