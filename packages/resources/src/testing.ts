// Arbitrary resources for property tests: every kind, with few names and roles, so that entries have equal metadata.
import type { Resource, ResourceReservationInfo } from '@meseta/wire';
import fc from 'fast-check';
import { merge } from './algebra.js';
import { withFields } from './records.js';

const STACKS: readonly (readonly ResourceReservationInfo[])[] = [
  [],
  [],
  [{ role: 'eng', type: 'STATIC' }],
  [{ principal: 'alice', role: 'eng', type: 'DYNAMIC' }],
  [{ labels: { labels: [{ key: 'k', value: 'v' }, { key: 'l' }] }, role: 'ops', type: 'DYNAMIC' }],
  [
    { role: 'eng', type: 'STATIC' },
    { role: 'eng/web', type: 'DYNAMIC' },
  ],
];

const reservations = fc.constantFrom(...STACKS);
const allocation = fc.constantFrom(undefined, { role: 'eng' }, { role: 'ops' });
const value = fc.integer({ min: 1, max: 20_000 }).map((amount) => ({ value: amount / 1000 }));

const scalar: fc.Arbitrary<Resource> = fc
  .record({ name: fc.constantFrom('cpus', 'mem', 'disk', 'foo'), scalar: value, revocable: fc.boolean() })
  .map(({ revocable, ...rest }) => ({ type: 'SCALAR', ...rest, ...(revocable && { revocable: {} }) }));

/** Multiples of ten, so that ranges of one list touch but do not overlap. */
const ranges: fc.Arbitrary<Resource> = fc.uniqueArray(fc.integer({ min: 0, max: 9 }), { minLength: 1 }).map((tens) => ({
  name: 'ports',
  type: 'RANGES',
  ranges: { range: tens.map((ten) => ({ begin: ten * 10, end: ten * 10 + 9 })) },
}));

const set: fc.Arbitrary<Resource> = fc
  .uniqueArray(fc.constantFrom('a', 'b', 'c', 'd'), { minLength: 1 })
  .map((item) => ({ name: 'things', type: 'SET', set: { item } }));

const sourced: fc.Arbitrary<Resource> = fc
  .record({
    type: fc.constantFrom('PATH', 'MOUNT', 'BLOCK', 'RAW'),
    id: fc.option(fc.constantFrom('i', 'j')),
    scalar: value,
  })
  .map(({ type, id, scalar: amount }) => ({
    name: 'disk',
    type: 'SCALAR',
    scalar: amount,
    disk: { source: { type: type as 'PATH', ...(id !== null && { id }) } },
  }));

const volume: fc.Arbitrary<Resource> = fc
  .record({ id: fc.constantFrom('v', 'w'), path: fc.constantFrom('data', 'x'), shared: fc.boolean() })
  .map(({ id, path, shared }) => ({
    name: 'disk',
    type: 'SCALAR',
    scalar: { value: 64 },
    disk: { persistence: { id }, volume: { container_path: path, mode: 'RW' } },
    ...(shared && { shared: {} }),
    reservations: [{ role: 'eng', type: 'DYNAMIC' }],
  }));

/** A valid resource in the post-refinement format. */
export const anyResource: fc.Arbitrary<Resource> = fc
  .tuple(fc.oneof({ arbitrary: scalar, weight: 4 }, ranges, set, sourced, volume), reservations, allocation)
  .map(([resource, stack, allocated]) =>
    withFields(resource, {
      reservations: resource.reservations ?? stack,
      allocation_info: allocated,
    }),
  );

/** Lists from outside, neither merged nor sorted. */
export const anyList: fc.Arbitrary<readonly Resource[]> = fc.array(anyResource, { maxLength: 8 });

export const anyResources = anyList.map(merge);

/** Without ranges and sets, whose sums cannot be undone if both sides have common numbers or items. */
export const anySums = fc
  .array(
    anyResource.filter((r) => r.type === 'SCALAR'),
    { maxLength: 8 },
  )
  .map(merge);

export const scalarOfName = (name: string, amount: number, more: Partial<Resource> = {}): Resource =>
  withFields({ name, type: 'SCALAR', scalar: { value: amount } }, more);

/** The list with one more reservation in the stack of each resource. */
export const pushReservation = (list: readonly Resource[], reservation: ResourceReservationInfo): readonly Resource[] =>
  merge(list.map((it) => withFields(it, { reservations: [...(it.reservations ?? []), reservation] })));
