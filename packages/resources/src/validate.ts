// Validates lists of resources from outside, in either format. It refuses what Mesos refuses; amounts of zero are accepted
// and removed when lists are merged.
import { checkId, checkPathBelow, err, isDeepEqual, ok, overLimit, type Result } from '@meseta/base';
import type { Resource, ResourceDiskInfo, ResourceReservationInfo, ValueRange } from '@meseta/wire';
import { toThousandths } from '@meseta/wire/scalars';
import { merge, type Resources } from './algebra.js';
import { isUnreserved, reservationRole } from './kinds.js';
import { MAX_RANGE_END, OPEN_END } from './ranges.js';
import { toPostRefinement } from './reservation-formats.js';
import { isAncestor, validateRole, volumeDirectory } from './roles.js';

export interface ResourceProblem {
  /** `resources[2].scalar.value` */
  readonly field: string;
  /** The error: `resources[2].scalar.value: expected a number >= 0, got -1`. */
  readonly text: string;
}

/** The field within the record, `.scalar.value`, and the problem with it. */
type Wrong = readonly [field: string, why: string];
type Check = (resource: Resource) => Wrong | undefined;

const CHECKS: readonly Check[] = [checkName, checkValue, checkDisk, checkReservations, checkShared];

/** Validates every entry as Mesos does; `field` is the name of the list in errors. */
export function validateResources(list: readonly Resource[], field = 'resources'): Result<undefined, ResourceProblem> {
  const tooMany = overLimit('resources', field, list.length);
  if (tooMany !== undefined) return err({ field, text: tooMany });
  for (let i = 0; i < list.length; i++) {
    if (isPlainAmount(list[i] as Resource)) continue;
    for (const check of CHECKS) {
      const wrong = check(list[i] as Resource);
      if (wrong) return err(problem(`${field}[${i}]${wrong[0]}`, wrong[1]));
    }
  }
  return ok(undefined);
}

/** A fast path for an amount without other fields, as most resources of tasks are: all checks hold. */
const isPlainAmount = (r: Resource): boolean =>
  r.name !== '' &&
  r.type === 'SCALAR' &&
  r.scalar !== undefined &&
  checkScalar(r.scalar.value) === undefined &&
  r.ranges === undefined &&
  r.set === undefined &&
  r.disk === undefined &&
  r.shared === undefined &&
  r.reservation === undefined &&
  !r.reservations?.length &&
  (r.role === undefined || r.role === '*');

/** Validates a list from outside, converts it to post-refinement and merges it. */
export function admitResources(list: readonly Resource[], field = 'resources'): Result<Resources, ResourceProblem> {
  const valid = validateResources(list, field);
  return valid.ok ? ok(merge(toPostRefinement(list))) : valid;
}

const problem = (field: string, why: string): ResourceProblem => ({ field, text: `${field}: ${why}` });

function checkName({ name }: Resource): Wrong | undefined {
  return name === '' ? ['.name', 'expected a name, got an empty string'] : undefined;
}

const VALUES = { SCALAR: 'scalar', RANGES: 'ranges', SET: 'set' } as const;

function checkValue(resource: Resource): Wrong | undefined {
  const own = VALUES[resource.type as keyof typeof VALUES] as (typeof VALUES)[keyof typeof VALUES] | undefined;
  if (own === undefined) return ['.type', `expected SCALAR, RANGES or SET, got ${resource.type}`];
  if (resource[own] === undefined) return [`.${own}`, `expected to be set for the type ${resource.type}`];
  const other = Object.values(VALUES).find((field) => field !== own && resource[field] !== undefined);
  if (other) return [`.${other}`, `expected to be unset for the type ${resource.type}`];
  if (own === 'scalar') return checkScalar(resource.scalar?.value ?? 0);
  return own === 'ranges' ? checkRanges(resource) : checkSet(resource.set?.item ?? []);
}

/** Amounts are counted in thousandths, exactly. */
const MAX_SCALAR = Number.MAX_SAFE_INTEGER / 1000;

function checkScalar(value: number): Wrong | undefined {
  if (!(value >= 0 && value < Infinity)) return ['.scalar.value', `expected a number >= 0, got ${value}`];
  if (value > MAX_SCALAR) return ['.scalar.value', `expected at most ${MAX_SCALAR}, got ${value}`];
  if (value !== 0 && toThousandths(value) === 0) {
    return ['.scalar.value', `expected 0 or at least 0.001 (three decimals count), got ${value}`];
  }
  return undefined;
}

function checkRanges({ ranges }: Resource): Wrong | undefined {
  const list = ranges?.range ?? [];
  const inverted = list.findIndex((range) => !(range.begin <= range.end));
  if (inverted >= 0) {
    const range = list[inverted];
    return [`.ranges.range[${inverted}]`, `expected begin <= end, got ${range?.begin}-${range?.end}`];
  }
  const inexact = list.findIndex(
    ({ begin, end }) => begin < 0 || begin > MAX_RANGE_END || (end > MAX_RANGE_END && end !== OPEN_END),
  );
  if (inexact >= 0) {
    const { begin, end } = list[inexact] as ValueRange;
    return [`.ranges.range[${inexact}]`, `expected numbers from 0 to ${MAX_RANGE_END}, got ${begin}-${end}`];
  }
  const sorted = [...list].sort((a, b) => a.begin - b.begin);
  const overlap = sorted.findIndex((range, i) => i > 0 && range.begin <= (sorted[i - 1]?.end ?? -1));
  if (overlap < 0) return undefined;
  const [a, b] = [sorted[overlap - 1], sorted[overlap]];
  return ['.ranges', `expected ranges that don't overlap, got ${a?.begin}-${a?.end} and ${b?.begin}-${b?.end}`];
}

function checkSet(items: readonly string[]): Wrong | undefined {
  const seen = new Set<string>();
  const twice = items.find((item) => seen.size === seen.add(item).size);
  return twice === undefined ? undefined : ['.set.item', `expected each item once, got ${JSON.stringify(twice)} twice`];
}

function checkDisk(resource: Resource): Wrong | undefined {
  const { name, disk } = resource;
  if (disk === undefined) return undefined;
  if (name !== 'disk') return ['.disk', `expected to be unset for ${name}: only the resource "disk" has it`];
  const wrong = checkVolume(resource, disk);
  if (wrong !== undefined) return wrong;
  const { source } = disk;
  if (source === undefined || source.type === 'PATH' || source.type === 'MOUNT') return undefined;
  if (source.type !== 'BLOCK' && source.type !== 'RAW') {
    return ['.disk.source.type', `expected PATH, MOUNT, BLOCK or RAW, got ${source.type}`];
  }
  const extra = source.mount ? 'mount' : source.path ? 'path' : undefined;
  return extra ? [`.disk.source.${extra}`, `expected to be unset for a ${source.type} disk`] : undefined;
}

/** The role and the id of a volume are directory names of the agent; its path is below the sandbox. */
function checkVolume(resource: Resource, { persistence, volume }: ResourceDiskInfo): Wrong | undefined {
  const other = volume?.source !== undefined ? 'source' : volume?.image !== undefined ? 'image' : undefined;
  if (other !== undefined) return [`.disk.volume.${other}`, 'expected to be unset: the disk itself is what is shown'];
  const [field, role = '*'] = isUnreserved(resource)
    ? ['.role', resource.role]
    : ['.reservations', reservationRole(resource)];
  const problem =
    (persistence && checkId('.disk.persistence.id', persistence.id)) ??
    (persistence && checkId(field, volumeDirectory(role))) ??
    (volume && checkPathBelow('.disk.volume.container_path', volume.container_path));
  if (problem === undefined) return undefined;
  const colon = problem.indexOf(': ');
  return [problem.slice(0, colon), problem.slice(colon + 2)];
}

function checkReservations(resource: Resource): Wrong | undefined {
  return resource.reservations?.length ? checkStack(resource, resource.reservations) : checkPreRefinement(resource);
}

function checkPreRefinement({ role = '*', reservation }: Resource): Wrong | undefined {
  const name = validateRole(role);
  if (!name.ok) return ['.role', name.error];
  if (reservation === undefined) return undefined;
  if (reservation.type !== undefined)
    return ['.reservation.type', 'expected to be unset (it belongs to `reservations`)'];
  if (reservation.role !== undefined)
    return ['.reservation.role', 'expected to be unset (it belongs to `reservations`)'];
  return role === '*' ? ['.role', 'expected a role other than "*" for a dynamic reservation'] : undefined;
}

function checkStack(resource: Resource, stack: readonly ResourceReservationInfo[]): Wrong | undefined {
  for (let i = 0; i < stack.length; i++) {
    const wrong = checkReservation(stack[i] as ResourceReservationInfo, stack[i - 1]);
    if (wrong) return [`.reservations[${i}]${wrong[0]}`, wrong[1]];
  }
  return checkBothFormats(resource, stack);
}

function checkReservation(own: ResourceReservationInfo, outer: ResourceReservationInfo | undefined): Wrong | undefined {
  if (own.type !== 'STATIC' && own.type !== 'DYNAMIC') return ['.type', `expected STATIC or DYNAMIC, got ${own.type}`];
  if (own.role === undefined) return ['.role', 'expected to be set'];
  const name = validateRole(own.role);
  if (!name.ok) return ['.role', name.error];
  if (own.role === '*') return ['.role', 'expected a role other than "*"'];
  if (outer === undefined) return undefined;
  if (own.type === 'STATIC') return ['.type', 'expected DYNAMIC: a refined reservation can not be STATIC'];
  return isAncestor(outer.role ?? '', own.role)
    ? undefined
    : ['.role', `expected a role below ${JSON.stringify(outer.role)}, got ${JSON.stringify(own.role)}`];
}

/** Pre-refinement fields beside a single reservation must agree with it. */
function checkBothFormats(resource: Resource, stack: readonly ResourceReservationInfo[]): Wrong | undefined {
  const { role, reservation: old } = resource;
  const [only] = stack;
  if (only === undefined) return undefined;
  if (stack.length > 1) {
    const extra = role !== undefined ? 'role' : old !== undefined ? 'reservation' : undefined;
    return extra ? [`.${extra}`, 'expected to be unset beside several `reservations`'] : undefined;
  }
  if (role !== undefined && role !== only.role) {
    return ['.role', `expected ${JSON.stringify(only.role)} as in \`reservations\`, got ${JSON.stringify(role)}`];
  }
  if (only.type === 'STATIC') {
    return old ? ['.reservation', 'expected to be unset beside a STATIC reservation'] : undefined;
  }
  if ((role === undefined) !== (old === undefined)) {
    return ['.reservation', 'expected `role` and `reservation` both set or both unset beside a DYNAMIC reservation'];
  }
  if (old === undefined) return undefined;
  if ((old.principal ?? '') !== (only.principal ?? '')) {
    return ['.reservation.principal', 'expected the principal of `reservations`'];
  }
  const isSame = isDeepEqual(old.labels?.labels ?? [], only.labels?.labels ?? []);
  return isSame ? undefined : ['.reservation.labels', 'expected the labels of `reservations`'];
}

function checkShared({ name, shared, disk }: Resource): Wrong | undefined {
  if (shared === undefined || (name === 'disk' && disk?.persistence)) return undefined;
  return ['.shared', 'expected to be unset: only persistent volumes can be shared'];
}
