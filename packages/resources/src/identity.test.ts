import assert from 'node:assert/strict';
import test from 'node:test';
import type { Resource } from '@meseta/wire';
import fc from 'fast-check';
import { add, contains, equals, merge, subtract } from './algebra.js';
import { hasSameMetadata, hasSameValue, isMergeable, isSubtractable, metadataKey } from './identity.js';
import { distinctShared } from './lists.js';
import { anyResource, scalarOfName } from './testing.js';

const web = { role: 'web', type: 'DYNAMIC' as const };
const labels = (...pairs: [string, string?][]) => ({
  labels: pairs.map(([key, value]) => ({ key, ...(value !== undefined && { value }) })),
});
const disk = (more: Partial<Resource>): Resource => scalarOfName('disk', 1, more);
const source = (more: object): Resource => disk({ disk: { source: { type: 'PATH', ...more } as never } });

/** Each differs from each other in its metadata. */
const different: readonly Resource[] = [
  scalarOfName('cpus', 1),
  { name: 'cpus', type: 'SET', set: { item: ['a'] } },
  { name: 'cpus', type: 'RANGES', ranges: { range: [{ begin: 1, end: 1 }] } },
  scalarOfName('mem', 1),
  scalarOfName('cpus', 1, { revocable: {} }),
  scalarOfName('cpus', 1, { allocation_info: { role: 'a' } }),
  scalarOfName('cpus', 1, { allocation_info: { role: 'b' } }),
  scalarOfName('cpus', 1, { provider_id: { value: 'p' } }),
  scalarOfName('cpus', 1, { provider_id: { value: 'q' } }),
  scalarOfName('cpus', 1, { reservations: [web] }),
  scalarOfName('cpus', 1, { reservations: [{ ...web, type: 'STATIC' }] }),
  scalarOfName('cpus', 1, { reservations: [{ ...web, role: 'db' }] }),
  scalarOfName('cpus', 1, { reservations: [{ ...web, principal: 'alice' }] }),
  scalarOfName('cpus', 1, { reservations: [{ ...web, labels: labels(['k', 'v']) }] }),
  scalarOfName('cpus', 1, { reservations: [{ ...web, labels: labels(['k', 'w']) }] }),
  scalarOfName('cpus', 1, { reservations: [{ ...web, labels: labels(['k']) }] }),
  scalarOfName('cpus', 1, { reservations: [{ ...web, labels: labels(['k', 'v'], ['l']) }] }),
  scalarOfName('cpus', 1, { reservations: [{ ...web, labels: {} }] }),
  scalarOfName('cpus', 1, { reservations: [web, { ...web, role: 'web/a' }] }),
  disk({}),
  disk({ shared: {} }),
  disk({ disk: { persistence: { id: 'v' } } }),
  disk({ disk: { persistence: { id: 'w' } } }),
  source({}),
  source({ type: 'RAW' }),
  source({ path: {} }),
  source({ path: { root: '/a' } }),
  source({ path: { root: '/b' } }),
  source({ mount: { root: '/a' } }),
  source({ mount: { root: '/b' } }),
  source({ vendor: 'x' }),
  source({ id: 'x' }),
  source({ profile: 'x' }),
  source({ metadata: labels(['k']) }),
  source({ metadata: labels(['l']) }),
];

const copyOf = (resource: Resource): Resource => structuredClone(resource);

test('resources with different metadata never merge', () => {
  for (const a of different) {
    for (const b of different) {
      const label = `${JSON.stringify(a)} and ${JSON.stringify(b)}`;
      assert.equal(hasSameMetadata(a, copyOf(b)), a === b, label);
      assert.equal(metadataKey(a) === metadataKey(copyOf(b)), a === b, label);
      if (a === b) continue;
      assert.ok(!isMergeable(a, b) && !isSubtractable(a, b), label);
      assert.deepEqual(merge([a, b]), [a, b], label);
      assert.deepEqual(subtract([a], [b]), [a], label);
      assert.ok(!contains([a], [b]) && !equals([a], [b]), label);
    }
  }
});

test('metadata do not include the order of labels, the volume of a disk and the principal of its persistence', () => {
  const same: readonly (readonly [Resource, Resource])[] = [
    [
      scalarOfName('cpus', 1, { reservations: [{ ...web, labels: labels(['a', '1'], ['b']) }] }),
      scalarOfName('cpus', 1, { reservations: [{ ...web, labels: labels(['b'], ['a', '1']) }] }),
    ],
    [
      scalarOfName('cpus', 1, { reservations: [{ ...web, labels: {} }] }),
      scalarOfName('cpus', 1, { reservations: [{ ...web, labels: labels() }] }),
    ],
    [
      disk({ disk: { persistence: { id: 'v', principal: 'x' }, volume: { container_path: 'a', mode: 'RW' } } }),
      disk({ disk: { persistence: { id: 'v', principal: 'y' }, volume: { container_path: 'b', mode: 'RW' } } }),
    ],
    [{ ...scalarOfName('cpus', 1), reservations: [] }, scalarOfName('cpus', 1)],
  ];
  for (const [a, b] of same) {
    assert.ok(hasSameMetadata(a, b) && hasSameMetadata(b, a), JSON.stringify(a));
    assert.equal(metadataKey(a), metadataKey(b));
  }
});

test('metadata keys are equal if and only if the metadata are', () => {
  fc.assert(
    fc.property(anyResource, anyResource, (a, b) =>
      assert.equal(metadataKey(a) === metadataKey(b), hasSameMetadata(a, b)),
    ),
    { numRuns: 1000 },
  );
});

test('metadata keys are ordered unreserved, reserved, revocable, and within each known names first', () => {
  const named = (names: readonly string[], more: Partial<Resource>) => names.map((name) => scalarOfName(name, 1, more));
  const names = ['cpus', 'gpus', 'mem', 'disk', 'ports', 'a', 'b'];
  const ordered = [
    ...named(names, {}),
    ...named(names, { reservations: [web] }),
    ...named(names, { revocable: {}, reservations: [web] }),
  ];
  const keys = ordered.map(metadataKey);
  assert.deepEqual(keys, [...keys].sort());
});

test('values are equal by thousandths, by the numbers of ranges, by the items of sets', () => {
  const ranges = (...pairs: [number, number][]): Resource => ({
    name: 'x',
    type: 'RANGES',
    ranges: { range: pairs.map(([begin, end]) => ({ begin, end })) },
  });
  const set = (...item: string[]): Resource => ({ name: 'x', type: 'SET', set: { item } });
  const table: readonly (readonly [Resource, Resource, boolean])[] = [
    [scalarOfName('x', 1), scalarOfName('x', 1.0001), true],
    [scalarOfName('x', 1), scalarOfName('x', 1.001), false],
    [ranges([1, 2], [3, 4]), ranges([1, 4]), true],
    [ranges([1, 2]), ranges([1, 3]), false],
    [ranges(), { name: 'x', type: 'RANGES' }, true],
    [ranges([1, 2]), { name: 'x', type: 'RANGES' }, false],
    [set('a', 'b'), set('b', 'a'), true],
    [set('a', 'b'), set('a'), false],
    [set('a'), set('a', 'b'), false],
    [set('a'), set('b'), false],
    [set(), { name: 'x', type: 'SET' }, true],
    [set('a'), { name: 'x', type: 'SET' }, false],
  ];
  for (const [a, b, equal] of table) {
    const label = `${JSON.stringify(a)} and ${JSON.stringify(b)}`;
    assert.deepEqual([hasSameValue(a, b), hasSameValue(b, a)], [equal, equal], label);
  }
});

test('indivisible resources merge with nothing, and are subtracted only whole', () => {
  const mount = (amount: number) => scalarOfName('disk', amount, { disk: { source: { type: 'MOUNT' } } });
  const volume = (amount: number) => scalarOfName('disk', amount, { disk: { persistence: { id: 'v' } } });
  const copy = (amount: number) => ({ ...volume(amount), shared: {} });
  const path = (amount: number) => scalarOfName('disk', amount, { disk: { source: { type: 'PATH' } } });
  for (const whole of [mount, volume, copy]) {
    assert.equal(isMergeable(whole(2), whole(2)), false);
    assert.ok(isSubtractable(whole(2), whole(2)));
    assert.equal(isSubtractable(whole(2), whole(1)), false);
    assert.deepEqual(add([whole(2)], [whole(2)]), [whole(2), whole(2)]);
  }
  assert.ok(isMergeable(path(2), path(1)) && isSubtractable(path(2), path(1)));
  assert.deepEqual(add([path(2)], [path(1)]), [path(3)]);
});

test('the labels of a list are read a constant number of times, whatever its length', () => {
  const readsFor = (count: number, action: (list: readonly Resource[]) => unknown): number => {
    let reads = 0;
    const labelled = (value: string) => ({
      get labels() {
        reads++;
        return [{ key: 'k', value }];
      },
    });
    const half = Array.from({ length: count / 2 }, (_, i) =>
      scalarOfName('cpus', 1, { reservations: [{ ...web, labels: labelled(`v${i}`) }] }),
    );
    action([...half, ...half.map((it) => ({ ...it }))]);
    return reads / count;
  };
  for (const action of [
    merge,
    (list: readonly Resource[]) => add(list, [...list].reverse()),
    (list: readonly Resource[]) => subtract(list, [...list].reverse()),
    (list: readonly Resource[]) => contains(list, [...list].reverse()),
    (list: readonly Resource[]) => distinctShared(list.map((it, i) => ({ ...it, scalar: { value: i }, shared: {} }))),
  ]) {
    const [few, many] = [readsFor(4, action), readsFor(16, action)];
    assert.ok(many <= few, `${many} reads of each with 16 resources, ${few} with 4`);
  }
});
