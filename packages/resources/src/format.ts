// Resources and attributes as text, the way Mesos' logs and flags show them.
import type { Labels, Resource, ResourceDiskInfo, ResourceReservationInfo, Volume } from '@meseta/wire';
import { formatScalar } from '@meseta/wire/scalars';
import { distinctShared } from './lists.js';
import { formatRanges, formatSet } from './ranges.js';

/** `cpus:4; mem:1024; ports:[31000-31999]`; `{}` when empty. A shared resource is shown once. */
export const formatResources = (list: readonly Resource[]): string =>
  list.length === 0 ? '{}' : distinctShared(list).map(formatResource).join('; ');

/** `cpus(allocated: web)(reservations: [(DYNAMIC,web,alice)]):1`, `disk(...)[v1:data]<SHARED>:64`. */
export function formatResource(resource: Resource): string {
  const { allocation_info: allocation, reservations, disk } = resource;
  return [
    resource.name,
    allocation ? `(allocated: ${allocation.role ?? ''})` : '',
    reservations?.length ? `(reservations: [${reservations.map((r) => `(${formatReservation(r)})`).join(',')}])` : '',
    disk ? `[${formatDisk(disk)}]` : '',
    resource.revocable ? '{REV}' : '',
    resource.shared ? '<SHARED>' : '',
    `:${formatValue(resource)}`,
  ].join('');
}

type Value = Pick<Resource, 'type' | 'scalar' | 'ranges' | 'set'>;

/** `4`, `[1-2, 5-6]` or `{a, b}`. */
export function formatValue(value: Value): string {
  if (value.type === 'SCALAR') return formatScalar(value.scalar?.value ?? 0);
  return value.type === 'RANGES' ? formatRanges(value.ranges?.range ?? []) : formatSet(value.set?.item ?? []);
}

function formatReservation(reservation: ResourceReservationInfo): string {
  const parts = [reservation.type ?? 'UNKNOWN', reservation.role ?? ''];
  if (reservation.principal !== undefined) parts.push(reservation.principal);
  if (reservation.labels !== undefined) parts.push(formatLabels(reservation.labels));
  return parts.join(',');
}

const formatLabels = (labels: Labels): string =>
  `{${(labels.labels ?? []).map((l) => (l.value === undefined ? l.key : `${l.key}: ${l.value}`)).join(', ')}}`;

function formatDisk(disk: ResourceDiskInfo): string {
  const parts: string[] = [];
  if (disk.source) {
    const { type, vendor, id, profile, path, mount } = disk.source;
    const root = type === 'MOUNT' ? mount?.root : type === 'PATH' ? path?.root : undefined;
    const provided = `(${vendor ?? ''},${id ?? ''},${profile ?? ''})`;
    parts.push(type + (id !== undefined || profile !== undefined ? provided : root === undefined ? '' : `:${root}`));
  }
  if (disk.persistence) parts.push(disk.persistence.id);
  return parts.join(',') + (disk.volume ? `:${formatVolume(disk.volume)}` : '');
}

const formatVolume = (volume: Volume): string =>
  volume.host_path === undefined
    ? volume.container_path
    : `${volume.host_path}:${volume.container_path}:${volume.mode.toLowerCase()}`;
