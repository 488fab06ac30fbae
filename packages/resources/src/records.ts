// Creates resource records, with set fields only, in the order of their field numbers.
import type { Resource } from '@meseta/wire';

type Changes = { readonly [Field in keyof Resource]?: Resource[Field] | undefined };

type Mutable<T> = { -readonly [Field in keyof T]: T[Field] };

/** A copy with changed fields; undefined unsets a field. Assignments, as it is called often: a spread for each field is slower. */
export function withFields(resource: Resource, changes: Changes): Resource {
  const r: Resource = Object.assign({}, resource, changes);
  const made: Mutable<Resource> = { name: r.name, type: r.type };
  if (r.scalar !== undefined) made.scalar = r.scalar;
  if (r.ranges !== undefined) made.ranges = r.ranges;
  if (r.set !== undefined) made.set = r.set;
  if (r.role !== undefined) made.role = r.role;
  if (r.disk !== undefined) made.disk = r.disk;
  if (r.reservation !== undefined) made.reservation = r.reservation;
  if (r.revocable !== undefined) made.revocable = r.revocable;
  if (r.shared !== undefined) made.shared = r.shared;
  if (r.allocation_info !== undefined) made.allocation_info = r.allocation_info;
  if (r.provider_id !== undefined) made.provider_id = r.provider_id;
  if (r.reservations?.length) made.reservations = r.reservations;
  return made;
}

/** The same resource with another amount, in thousandths. */
export const withAmount = (resource: Resource, amount: number): Resource =>
  Object.assign({}, resource, { scalar: { value: amount / 1000 } });
