// The algebra against what resources mean: of each metadata an amount, a set of numbers, or a set of items.
import assert from 'node:assert/strict';
import test from 'node:test';
import type { Resource } from '@meseta/wire';
import fc from 'fast-check';
import { add, contains, equals, merge, subtract } from './algebra.js';
import { metadataKey } from './identity.js';
import { isIndivisible, thousandthsOf } from './kinds.js';
import { createPool } from './pool.js';
import { anyList, anyResource, scalarOfName } from './testing.js';
import { addValue, addValues, subtractValue } from './values.js';

/** What is in a list that can be split: units by metadata, with how many of each unit. */
function meaningOf(list: readonly Resource[]): Map<string, number> {
  const meaning = new Map<string, number>();
  for (const resource of list) {
    const key = metadataKey(resource);
    if (resource.type === 'SCALAR') {
      const amount = (meaning.get(key) ?? 0) + thousandthsOf(resource);
      if (amount !== 0) meaning.set(key, amount);
    }
    for (const { begin, end } of resource.ranges?.range ?? [])
      for (let number = begin; number <= end; number++) meaning.set(`${key} ${number}`, 1);
    for (const item of resource.set?.item ?? []) meaning.set(`${key} ${item}`, 1);
  }
  return meaning;
}

const sortedMeaning = (list: readonly Resource[]) => [...meaningOf(list)].sort(([a], [b]) => (a < b ? -1 : 1));
const splittable = fc.array(
  anyResource.filter((resource) => !isIndivisible(resource)),
  { maxLength: 8 },
);

test('RESOURCES-1: a merged list has the amounts of its list, with one entry for each metadata', () => {
  fc.assert(
    fc.property(splittable, (list) => {
      const merged = merge(list);
      assert.deepEqual(sortedMeaning(merged), sortedMeaning(list));
      assert.equal(new Set(merged.map(metadataKey)).size, merged.length);
    }),
  );
});

test('sums, differences and containment are those of amounts, numbers and items', () => {
  fc.assert(
    fc.property(splittable, splittable, fc.boolean(), (left, right, inside) => {
      const a = merge(left);
      const b = inside ? subtract(a, merge(right)) : merge(right);
      assert.deepEqual(sortedMeaning(add(a, b)), sortedMeaning([...a, ...b]));
      const [x, y] = [meaningOf(a), meaningOf(b)];
      const rest = [...x].map(([key, amount]) => [key, amount - (y.get(key) ?? 0)] as const);
      assert.deepEqual(
        sortedMeaning(subtract(a, b)),
        rest.filter(([, amount]) => amount > 0).sort(([p], [q]) => (p < q ? -1 : 1)),
      );
      const isHeld = [...y].every(([key, amount]) => (x.get(key) ?? 0) >= amount);
      assert.equal(contains(a, b), isHeld);
      assert.equal(equals(a, b), isHeld && x.size === y.size && [...x].every(([key, amount]) => y.get(key) === amount));
    }),
    { numRuns: 500 },
  );
});

test('ranges and sets without a list count as empty in sums and differences', () => {
  const ports = (...range: { begin: number; end: number }[]): Resource => ({
    name: 'p',
    type: 'RANGES',
    ranges: { range },
  });
  const things = (...item: string[]): Resource => ({ name: 's', type: 'SET', set: { item } });
  const bare = { p: { name: 'p', type: 'RANGES' as const }, s: { name: 's', type: 'SET' as const } };
  const [one, two] = [
    { begin: 1, end: 1 },
    { begin: 5, end: 9 },
  ];
  const table: readonly (readonly [found: Resource, expected: Resource])[] = [
    [addValue(ports(one), ports(two)), ports(one, two)],
    [addValue(bare.p, ports(one)), ports(one)],
    [addValue(ports(one), bare.p), ports(one)],
    [addValue(things('b'), things('a')), things('b', 'a')],
    [addValue(bare.s, things('a')), things('a')],
    [addValue(things('a'), bare.s), things('a')],
    [addValues(bare.p, [bare.p, ports(two), ports(one)]), ports(one, two)],
    [addValues(bare.s, [things('b'), bare.s, things('a', 'b')]), things('b', 'a')],
    [
      subtractValue(ports(one, two), ports({ begin: 6, end: 7 })),
      ports(one, { begin: 5, end: 5 }, { begin: 8, end: 9 }),
    ],
    [subtractValue(ports(one), bare.p), ports(one)],
    [subtractValue(bare.p, ports(one)), ports()],
    [subtractValue(things('a', 'b'), things('a')), things('b')],
    [subtractValue(things('a'), bare.s), things('a')],
    [subtractValue(bare.s, things('a')), things()],
    [subtractValue(scalarOfName('x', 1), scalarOfName('x', 3)), scalarOfName('x', -2)],
  ];
  for (const [found, expected] of table) assert.deepEqual(found, expected);
});

test('an entry in normal form is kept by reference, any other is copied', () => {
  const entry = scalarOfName('cpus', 1.5);
  const ports: Resource = { name: 'p', type: 'RANGES', ranges: { range: [{ begin: 1, end: 2 }] } };
  const things: Resource = { name: 's', type: 'SET', set: { item: ['b', 'a'] } };
  const merged = merge([entry, ports, things]);
  assert.ok(merged[0] === entry && merged[1] === ports && merged[2] === things);
  assert.deepEqual(merge([scalarOfName('cpus', 1.50001)]), [entry]);
  const apart = [
    { begin: 2, end: 2 },
    { begin: 1, end: 1 },
  ];
  assert.deepEqual(merge([{ ...ports, ranges: { range: apart } }]), [ports]);
});

test('POOL-1: a pool contains, adds and subtracts as lists do', () => {
  fc.assert(
    fc.property(anyList, anyList, anyList, (start, more, less) => {
      const list = merge(start);
      const pool = createPool(list);
      for (const resource of more) pool.add(resource);
      const sum = add(list, merge(more));
      assert.ok(equals(pool.resources, sum), 'put');
      for (const resource of merge(less)) assert.equal(pool.contains(resource), contains(sum, [resource]), 'has');
      for (const resource of merge(less)) pool.subtract(resource);
      assert.ok(equals(pool.resources, subtract(sum, merge(less))), 'take');
    }),
    { numRuns: 300 },
  );
});

test('sums, differences and containment of long lists are those of short ones', () => {
  const many = (amount: number) => Array.from({ length: 40 }, (_, i) => scalarOfName(`r${i}`, amount));
  const [one, two] = [many(1), many(2)];
  assert.deepEqual(add(one, one), two);
  assert.deepEqual(subtract(two, one), one);
  assert.deepEqual(subtract(one, two), []);
  assert.ok(contains(two, one) && contains(two, [...one, scalarOfName('r0', 0), scalarOfName('nothing', 0)]));
  assert.ok(!contains(one, two) && !contains(one, [...one, scalarOfName('r39', 1)]));
  assert.deepEqual(merge([...one, ...one]), two);
});
