import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import { add, contains, equals, merge, subtract } from './algebra.js';
import { containsBundle, createBundleTable, isSameBundle } from './bundle.js';
import { hasRefinedReservations } from './kinds.js';
import { allocate, unallocate } from './lists.js';
import { quantitiesOf } from './quantities.js';
import { toPreRefinement } from './reservation-formats.js';
import { anyList, anyResources, scalarOfName } from './testing.js';

const table = createBundleTable();
const cpus = (amount: number) => scalarOfName('cpus', amount);

test('BUNDLE-1: a list in any order is one bundle with the same contents', () => {
  fc.assert(
    fc.property(anyResources, (list) => {
      const bundle = table.intern(list);
      assert.equal(bundle, table.intern([...list].reverse()));
      assert.ok(equals(bundle.resources, list));
      assert.equal(bundle.isEmpty, list.length === 0);
      assert.ok(Object.isFrozen(bundle.resources));
    }),
  );
});

test('BUNDLE-1: bundles that differ in the volume of a disk are different, and each has its own volume', () => {
  const volume = (path: string) =>
    scalarOfName('disk', 1, { disk: { persistence: { id: 'v' }, volume: { container_path: path, mode: 'RW' } } });
  const [a, b] = [table.intern([volume('a')]), table.intern([volume('b')])];
  assert.ok(!isSameBundle(a, b) && containsBundle(a, b));
  assert.deepEqual([a.resources, b.resources], [[volume('a')], [volume('b')]]);
});

test('BUNDLE-3: sums, differences, containment and quantities are those of the lists', () => {
  fc.assert(
    fc.property(anyResources, anyResources, (a, b) => {
      const [x, y] = [table.intern(a), table.intern(b)];
      assert.ok(equals(table.add(x, y).resources, add(a, b)), 'add');
      assert.ok(equals(table.subtract(x, y).resources, subtract(a, b)), 'subtract');
      assert.equal(containsBundle(x, y), contains(a, b), 'contains');
      assert.ok(containsBundle(table.add(x, y), x) === contains(add(a, b), a), 'the sum contains');
      assert.deepEqual(table.add(x, y).quantities, quantitiesOf(add(a, b)), 'quantities');
    }),
  );
});

test('BUNDLE-3: subtracting and adding a part gives the same bundle', () => {
  fc.assert(
    fc.property(anyList, fc.integer({ min: 0, max: 255 }), (list, mask) => {
      const whole = table.intern(list);
      const part = table.intern(merge(list).filter((_, i) => mask & (1 << i)));
      assert.ok(containsBundle(whole, part));
      assert.ok(equals(table.add(table.subtract(whole, part), part).resources, whole.resources));
    }),
  );
});

test('allocated, unallocated and pre-refinement forms are those of the lists, and are computed once', () => {
  fc.assert(
    fc.property(anyResources, (list) => {
      const bundle = table.intern(list);
      assert.ok(equals(bundle.allocatedTo('web').resources, allocate(list, 'web')));
      assert.equal(bundle.allocatedTo('web'), bundle.allocatedTo('web'));
      assert.ok(equals(bundle.unallocated.resources, unallocate(list)));
      assert.equal(bundle.allocatedTo('web').unallocated, bundle.unallocated);
      const old = toPreRefinement(bundle.resources);
      assert.deepEqual(bundle.preRefinement, old.ok ? old.value : undefined);
      assert.equal(bundle.preRefinement === undefined, list.some(hasRefinedReservations));
    }),
  );
});

test('a table has one empty bundle', () => {
  const one = table.intern([cpus(1)]);
  for (const empty of [table.intern([]), table.intern([cpus(0)]), table.subtract(one, table.intern([cpus(2)]))]) {
    assert.equal(empty, table.empty);
  }
  assert.equal(table.add(one, table.empty), one);
});

test('canonical order: unreserved before reserved before revocable, known names first', () => {
  const web = { reservations: [{ role: 'web', type: 'DYNAMIC' as const }] };
  const list = [
    scalarOfName('mem', 1, { revocable: {} }),
    scalarOfName('cpus', 1, web),
    scalarOfName('foo', 1),
    { name: 'ports', type: 'RANGES' as const, ranges: { range: [{ begin: 1, end: 2 }] } },
    scalarOfName('disk', 1),
    scalarOfName('mem', 1),
    scalarOfName('cpus', 1),
  ];
  const names = table
    .intern(list)
    .resources.map((r) => r.name + (r.reservations ? '(web)' : r.revocable ? '{REV}' : ''));
  assert.deepEqual(names, ['cpus', 'mem', 'disk', 'ports', 'foo', 'cpus(web)', 'mem{REV}']);
});

test('BUNDLE-2, BUNDLE-4: the table has at most twice its budget; dropped bundles are still equal by key', () => {
  const small = createBundleTable(10);
  const first = small.intern([cpus(1)]);
  const ids = new Set([first.id]);
  for (let i = 2; i <= 100; i++) ids.add(small.intern([cpus(i)]).id);
  assert.equal(ids.size, 100);
  assert.ok(small.size <= 20);
  const again = small.intern([cpus(1)]);
  assert.ok(again.id !== first.id && isSameBundle(again, first));
  assert.equal(small.subtract(again, first), small.empty);
});

test('BUNDLE-4: bundles in use are not dropped', () => {
  const small = createBundleTable(10);
  const kept = small.intern([cpus(1)]);
  for (let i = 2; i <= 100; i++) {
    small.intern([cpus(i)]);
    assert.equal(small.intern([cpus(1)]), kept);
  }
});
