import assert from 'node:assert/strict';
import test from 'node:test';
import type { Resource } from '@meseta/wire';
import fc from 'fast-check';
import { add, contains, equals, merge, subtract } from './algebra.js';
import { applyConversions } from './operations.js';
import { createPool } from './pool.js';
import { anyList, anyResources, scalarOfName } from './testing.js';

test('POOL-1: adding to and subtracting from a pool gives the same as the linear algebra', () => {
  const steps = fc.array(fc.tuple(fc.boolean(), anyList), { maxLength: 6 });
  fc.assert(
    fc.property(anyResources, steps, (start, all) => {
      const pool = createPool(start);
      let linear = start;
      for (const [puts, list] of all) {
        for (const resource of list) {
          assert.equal(pool.contains(resource), contains(linear, [resource]));
          if (puts) pool.add(resource);
          else pool.subtract(resource);
          linear = puts ? add(linear, [resource]) : subtract(linear, [resource]);
        }
      }
      assert.ok(equals(pool.resources, linear));
    }),
  );
});

/** Volumes of one role with different sizes. */
const volumes = (count: number): Resource[] =>
  Array.from({ length: count }, (_, i) => ({
    name: 'disk',
    type: 'SCALAR',
    scalar: { value: i + 1 },
    disk: { persistence: { id: `v${i}` }, volume: { container_path: 'data', mode: 'RW' } },
    reservations: [{ role: 'eng', type: 'DYNAMIC' }],
  }));

const labelled = (count: number): Resource[] =>
  Array.from({ length: count }, (_, i) =>
    scalarOfName('cpus', 1, {
      reservations: [{ role: 'eng', type: 'DYNAMIC', labels: { labels: [{ key: 'i', value: `${i}` }] } }],
    }),
  );

for (const [what, list] of [
  ['volumes', volumes(1000)],
  ['reservations', labelled(1000)],
] as const) {
  test(`long lists are added, subtracted and compared as short ones are: ${what}`, () => {
    const [left, right] = [list.slice(0, 600), list.slice(400)];
    assert.equal(merge(list).length, 1000);
    assert.ok(equals(subtract(list, right), list.slice(0, 400)));
    assert.equal(contains(left, right), false);
    assert.equal(contains(list, right), true);
    assert.equal(add(left, list.slice(600)).length, 1000);
    const moved = applyConversions(
      list,
      list.map((resource) => ({
        consumed: [resource],
        converted: [{ ...resource, allocation_info: { role: 'eng' } }],
      })),
    );
    assert.ok(moved.ok && moved.value.every((resource) => resource.allocation_info?.role === 'eng'));
  });
}

test('ranges and items of many entries are merged into one', () => {
  const count = 5000;
  const ports = Array.from({ length: count }, (_, i): Resource => {
    const port = (i * 7919) % count;
    return { name: 'ports', type: 'RANGES', ranges: { range: [{ begin: port, end: port }] } };
  });
  const things = ports.map((_, i): Resource => ({ name: 'things', type: 'SET', set: { item: [`${i % 100}`] } }));
  assert.deepEqual(
    merge([...ports, ...things]).map(({ ranges, set }) => ranges?.range ?? set?.item?.length),
    [[{ begin: 0, end: count - 1 }], 100],
  );
});
