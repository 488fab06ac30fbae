import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import { add, contains, equals, merge, subtract } from './algebra.js';
import { formatResources } from './format.js';
import { isEmpty } from './kinds.js';
import { allocate, popReservation, toUnreserved, unallocate } from './lists.js';
import { parseResourceList, parseResources } from './parse.js';
import { addQuantities, quantitiesOf } from './quantities.js';
import { anyList, anyResources, anySums, pushReservation, scalarOfName } from './testing.js';
import { validateResources } from './validate.js';

const parse = (text: string) => {
  const list = parseResourceList(text);
  assert.ok(list.ok, list.ok ? '' : list.error);
  return merge(list.value);
};
const same = (actual: unknown, expected: unknown, message: string): void => assert.deepEqual(actual, expected, message);

test('generated resources are valid', () => {
  fc.assert(fc.property(anyList, (list) => validateResources(list).ok));
});

test('RESOURCES-1: a merged list has no empty entry, and merging it again changes nothing', () => {
  fc.assert(
    fc.property(anyList, (list) => {
      const merged = merge([...list, scalarOfName('cpus', 0)]);
      assert.ok(!merged.some(isEmpty));
      assert.deepEqual(merge(merged), merged);
    }),
  );
});

test('a + b - b = a if b has no range or item of a', () => {
  fc.assert(fc.property(anySums, anySums, (a, b) => equals(subtract(add(a, b), b), a)));
});

test('a + b - b has nothing that a lacks', () => {
  fc.assert(fc.property(anyResources, anyResources, (a, b) => contains(a, subtract(add(a, b), b))));
});

test('a sum contains both lists, and addition is commutative and associative', () => {
  fc.assert(
    fc.property(anySums, anySums, anySums, (a, b, c) => {
      assert.ok(contains(add(a, b), a) && contains(add(a, b), b));
      assert.ok(equals(add(a, b), add(b, a)));
      assert.ok(equals(add(add(a, b), c), add(a, add(b, c))));
    }),
  );
});

test('merging does not depend on the order of the entries', () => {
  fc.assert(fc.property(anyList, (list) => equals(merge(list), merge([...list].reverse()))));
});

test('a list contains itself, and a contained list can be subtracted and added again', () => {
  fc.assert(
    fc.property(anyResources, anyResources, (a, b) => {
      assert.ok(contains(a, a) && contains(a, []));
      if (contains(a, b)) assert.ok(equals(add(subtract(a, b), b), a));
    }),
  );
});

test('lists are equal if each contains the other', () => {
  fc.assert(fc.property(anyResources, anyResources, (a, b) => equals(a, b) === (contains(a, b) && contains(b, a))));
});

test('the quantities of a sum are the sum of the quantities, except for shared resources', () => {
  const plain = anySums.map((list) => list.filter((r) => r.shared === undefined));
  fc.assert(
    fc.property(plain, plain, (a, b) => {
      assert.deepEqual(quantitiesOf(add(a, b)), addQuantities(quantitiesOf(a), quantitiesOf(b)));
    }),
  );
});

test('no function changes its arguments', () => {
  fc.assert(
    fc.property(anyResources, anyResources, (a, b) => {
      const before = JSON.stringify([a, b]);
      add(a, b);
      subtract(a, b);
      assert.equal(JSON.stringify([a, b]), before);
    }),
  );
});

test('unallocate undoes allocate, and popReservation removes the last reservation', () => {
  const bare = anyResources.map(unallocate);
  fc.assert(
    fc.property(bare, (list) => {
      assert.ok(equals(unallocate(allocate(list, 'web')), list));
      const pushed = pushReservation(list, { role: 'eng/web/x', type: 'DYNAMIC' });
      assert.ok(equals(popReservation(pushed), list));
      assert.ok(toUnreserved(list).every((r) => r.reservations === undefined));
    }),
  );
});

test('scalars have three decimals', () => {
  same(parse('cpus:0.1;cpus:0.2'), [scalarOfName('cpus', 0.3)], 'a sum of tenths');
  same(parse('cpus:1.0004'), [scalarOfName('cpus', 1)], 'the fourth decimal goes');
  same(subtract(parse('cpus:1'), parse('cpus:0.9')), [scalarOfName('cpus', 0.1)], 'a difference');
});

test('RESOURCES-3: added entries merge in place or are appended, and the last entry replaces a removed one', () => {
  const start = parse('cpus:4;mem:8;disk:16;ports:[1-9]');
  const table: readonly (readonly [string, string, string])[] = [
    ['+ known', formatResources(add(start, parse('mem:1'))), 'cpus:4; mem:9; disk:16; ports:[1-9]'],
    ['+ new', formatResources(add(start, parse('gpus:1'))), 'cpus:4; mem:8; disk:16; ports:[1-9]; gpus:1'],
    ['- part', formatResources(subtract(start, parse('mem:1'))), 'cpus:4; mem:7; disk:16; ports:[1-9]'],
    ['- all', formatResources(subtract(start, parse('cpus:4'))), 'ports:[1-9]; mem:8; disk:16'],
    ['- too much', formatResources(subtract(start, parse('cpus:5'))), 'ports:[1-9]; mem:8; disk:16'],
    ['- a middle', formatResources(subtract(start, parse('ports:[4-5]'))), 'cpus:4; mem:8; disk:16; ports:[1-3, 6-9]'],
  ];
  for (const [label, actual, expected] of table) assert.equal(actual, expected, label);
});

test('exclusive disks neither merge nor split', () => {
  const disk = (type: 'MOUNT' | 'PATH' | 'BLOCK', amount: number) =>
    scalarOfName('disk', amount, { disk: { source: { type, mount: { root: '/m' } } } });
  assert.equal(merge([disk('PATH', 1), disk('PATH', 2)]).length, 1);
  assert.equal(merge([disk('MOUNT', 1), disk('MOUNT', 1)]).length, 2);
  assert.ok(contains([disk('PATH', 2)], [disk('PATH', 1)]));
  assert.ok(!contains([disk('MOUNT', 2)], [disk('MOUNT', 1)]));
  assert.ok(!contains([disk('MOUNT', 2)], [disk('MOUNT', 2), disk('MOUNT', 2)]), 'one disk is not two');
  assert.deepEqual(subtract([disk('BLOCK', 2)], [disk('BLOCK', 1)]), [disk('BLOCK', 2)]);
});

test('RESOURCES-2: each copy of a shared resource is an entry', () => {
  const volume = scalarOfName('disk', 64, { disk: { persistence: { id: 'v' } }, shared: {} });
  const two = add([volume], [volume]);
  assert.equal(two.length, 2);
  assert.deepEqual(subtract(two, [volume]), [volume]);
  assert.ok(contains(two, [volume, volume]) && !contains([volume], two));
  assert.deepEqual(quantitiesOf(two), quantitiesOf([volume]), 'two copies are one disk');
});

test('a disk is compared without its volume and the principal of its persistence', () => {
  const volume = (path: string, principal: string) =>
    scalarOfName('disk', 1, {
      disk: { persistence: { id: 'v', principal }, volume: { container_path: path, mode: 'RW' } },
    });
  assert.ok(equals([volume('a', 'x')], [volume('b', 'y')]));
});

test('resources that an agent cannot start with are refused', () => {
  for (const text of [
    'cpus:1;cpus:[1-2]',
    'cpus:-1',
    'cpus',
    'cpus:1:2',
    'cpus(*x:1',
    ':1',
    'cpus:abc',
    'ports:[2-1]',
  ]) {
    assert.equal(parseResources(text).ok, false, text);
  }
});
