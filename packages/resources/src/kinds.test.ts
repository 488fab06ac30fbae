import assert from 'node:assert/strict';
import test from 'node:test';
import type { Resource, ResourceDiskInfoSource } from '@meseta/wire';
import {
  hasRefinedReservations,
  isAllocatableTo,
  isDynamicallyReserved,
  isEmpty,
  isExclusiveSource,
  isIndivisible,
  isReserved,
  isUnreserved,
  needsCheckpoint,
  reservationRole,
} from './kinds.js';
import {
  allocate,
  allocationsByRole,
  distinctShared,
  nonRevocable,
  nonShared,
  reservationsByRole,
  revocable,
  sum,
  unallocate,
  unreserved,
} from './lists.js';
import { scalarOfName } from './testing.js';

const dynamic = (role: string) => ({ role, type: 'DYNAMIC' as const });
const fixed = (role: string) => ({ role, type: 'STATIC' as const });
const plain = scalarOfName('cpus', 1);
const toEng = scalarOfName('cpus', 2, { reservations: [fixed('eng')] });
const toWeb = scalarOfName('cpus', 3, { reservations: [fixed('eng'), dynamic('eng/web')] });
const extra = scalarOfName('cpus', 4, { revocable: {} });
const volume = scalarOfName('disk', 5, { reservations: [dynamic('eng')], disk: { persistence: { id: 'v' } } });
const copies = scalarOfName('disk', 6, {
  reservations: [dynamic('ops')],
  disk: { persistence: { id: 's' } },
  shared: {},
});
const ports: Resource = { name: 'ports', type: 'RANGES', ranges: { range: [{ begin: 1, end: 2 }] } };
const all = [plain, toEng, toWeb, extra, volume, copies, ports];

test('a filtered list has exactly the entries of the kind, in their order', () => {
  const table: readonly (readonly [kind: string, found: readonly Resource[], expected: readonly Resource[]])[] = [
    ['unreserved', unreserved(all), [plain, extra, ports]],
    ['revocable', revocable(all), [extra]],
    ['not revocable', nonRevocable(all), [plain, toEng, toWeb, volume, copies, ports]],
    ['not shared', nonShared(all), [plain, toEng, toWeb, extra, volume, ports]],
  ];
  for (const [kind, found, expected] of table) assert.deepEqual(found, expected, kind);
});

test('lists are grouped by the role of the innermost reservation, or of the allocation', () => {
  assert.deepEqual(
    [...reservationsByRole([...all, toEng])],
    [
      ['eng', [toEng, volume, toEng]],
      ['eng/web', [toWeb]],
      ['ops', [copies]],
    ],
  );
  const [a, b] = [scalarOfName('cpus', 1, { allocation_info: { role: 'a' } }), plain];
  assert.deepEqual([...allocationsByRole([a, b, a])], [['a', [a, a]]]);
});

test('a resource is allocatable to a role if it is unreserved, or reserved to the role or an ancestor', () => {
  const table: readonly (readonly [Resource, role: string, isAllocatable: boolean])[] = [
    [plain, 'eng', true],
    [toEng, 'eng', true],
    [toEng, 'eng/web', true],
    [toEng, 'ops', false],
    [toEng, 'engine', false],
    [toWeb, 'eng', false],
    [toWeb, 'eng/web', true],
    [toWeb, 'eng/we', false],
  ];
  for (const [resource, role, isAllocatable] of table) {
    assert.equal(isAllocatableTo(resource, role), isAllocatable, `${reservationRole(resource)} and ${role}`);
  }
});

test('the stack of reservations decides whether a resource is unreserved, dynamically reserved or refined', () => {
  const table: readonly (readonly [Resource, unreserved: boolean, dynamic: boolean, refined: boolean])[] = [
    [plain, true, false, false],
    [scalarOfName('cpus', 1, { reservations: [] }), true, false, false],
    [{ ...plain, reservations: [] }, true, false, false],
    [toEng, false, false, false],
    [toWeb, false, true, true],
    [volume, false, true, false],
  ];
  for (const [resource, unreserved, dynamic, refined] of table) {
    assert.deepEqual(
      [isUnreserved(resource), isReserved(resource), isDynamicallyReserved(resource), hasRefinedReservations(resource)],
      [unreserved, !unreserved, dynamic, refined],
    );
  }
});

test('dynamic reservations and volumes need a checkpoint, except those of resource providers', () => {
  const provided = { provider_id: { value: 'p' } };
  const onlyVolume = scalarOfName('disk', 1, { disk: { persistence: { id: 'v' } } });
  const table: readonly (readonly [Resource, boolean])[] = [
    [plain, false],
    [toEng, false],
    [toWeb, true],
    [volume, true],
    [onlyVolume, true],
    [{ ...toWeb, ...provided }, false],
    [{ ...volume, ...provided }, false],
  ];
  for (const [resource, remembered] of table) assert.equal(needsCheckpoint(resource), remembered);
});

test('MOUNT and BLOCK disks, and RAW disks with an id, are exclusive', () => {
  const source = (type: string, id?: string) => ({ type, ...(id && { id }) }) as ResourceDiskInfoSource;
  const table: readonly (readonly [ResourceDiskInfoSource | undefined, boolean])[] = [
    [undefined, false],
    [source('PATH'), false],
    [source('PATH', 'i'), false],
    [source('MOUNT'), true],
    [source('BLOCK'), true],
    [source('RAW'), false],
    [source('RAW', 'i'), true],
    [source('UNKNOWN', 'i'), false],
  ];
  for (const [of, whole] of table) {
    assert.equal(isExclusiveSource(of), whole, of?.type);
    assert.equal(isIndivisible(scalarOfName('disk', 1, { disk: { ...(of && { source: of }) } })), whole, of?.type);
  }
  assert.deepEqual(all.map(isIndivisible), [false, false, false, false, true, true, false]);
  assert.ok(isIndivisible(scalarOfName('disk', 1, { shared: {} })));
});

test('a resource is empty if its amount rounds to zero, or if it has no ranges or items', () => {
  const table: readonly (readonly [Resource, boolean])[] = [
    [scalarOfName('cpus', 0), true],
    [scalarOfName('cpus', 0.0004), true],
    [scalarOfName('cpus', 0.001), false],
    [{ name: 'cpus', type: 'SCALAR' }, true],
    [{ name: 'ports', type: 'RANGES' }, true],
    [{ name: 'ports', type: 'RANGES', ranges: {} }, true],
    [{ name: 'ports', type: 'RANGES', ranges: { range: [] } }, true],
    [ports, false],
    [{ name: 'things', type: 'SET' }, true],
    [{ name: 'things', type: 'SET', set: {} }, true],
    [{ name: 'things', type: 'SET', set: { item: [] } }, true],
    [{ name: 'things', type: 'SET', set: { item: ['a'] } }, false],
  ];
  for (const [resource, empty] of table) assert.equal(isEmpty(resource), empty, JSON.stringify(resource));
});

test('of equal copies of a shared resource one is kept', () => {
  const larger = { ...copies, scalar: { value: 7 } };
  const other = { ...copies, disk: { persistence: { id: 't' } } };
  assert.deepEqual(distinctShared([copies, plain, { ...copies }, larger, other, { ...larger }, plain]), [
    copies,
    plain,
    larger,
    other,
    plain,
  ]);
  const none = [plain, plain];
  assert.equal(distinctShared(none), none);
});

test('allocation sets the role of every entry, and merges entries that differed only in it', () => {
  const list = [plain, ports];
  const allocated = allocate(list, 'web');
  assert.deepEqual(
    allocated,
    list.map((resource) => ({ ...resource, allocation_info: { role: 'web' } })),
  );
  assert.deepEqual(allocate([...allocated, plain], 'db'), [
    { ...plain, scalar: { value: 2 }, allocation_info: { role: 'db' } },
    { ...ports, allocation_info: { role: 'db' } },
  ]);
  assert.deepEqual(unallocate([...allocated, plain]), [{ ...plain, scalar: { value: 2 } }, ports]);
  assert.equal(unallocate(list), list);
});

test('a sum of lists merges their entries', () => {
  assert.deepEqual(sum([]), []);
  assert.deepEqual(sum([[plain], [ports], [plain]]), [scalarOfName('cpus', 2), ports]);
});
