import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import { contains } from './algebra.js';
import { isIndivisible, isScalar } from './kinds.js';
import {
  addQuantities,
  containsQuantities,
  cutToLimits,
  differenceOf,
  equalQuantities,
  formatQuantities,
  limit,
  limitsFrom,
  maxQuantities,
  minQuantities,
  noQuantities,
  parseQuantities,
  type Quantities,
  quantitiesFrom,
  quantitiesOf,
  quantitiesToRecord,
  quantity,
  scaleQuantities,
  subtractQuantities,
  withinLimits,
} from './quantities.js';
import { shrinkToLimits, shrinkToQuantities } from './shrink.js';
import { anyResources, scalarOfName } from './testing.js';

const names = fc.constantFrom('cpus', 'mem', 'disk', 'gpus');
const any: fc.Arbitrary<Quantities> = fc
  .dictionary(names, fc.integer({ min: 0, max: 5000 }))
  .map((amounts) => quantitiesFrom(Object.fromEntries(Object.entries(amounts).map(([n, a]) => [n, a / 1000]))));
const anyLimits = fc.dictionary(names, fc.integer({ min: 0, max: 5000 })).map((amounts) => limitsFrom(amounts));

test('laws of quantities', () => {
  fc.assert(
    fc.property(any, any, any, (a, b, c) => {
      assert.ok(equalQuantities(addQuantities(a, b), addQuantities(b, a)));
      assert.ok(equalQuantities(addQuantities(addQuantities(a, b), c), addQuantities(a, addQuantities(b, c))));
      assert.ok(equalQuantities(subtractQuantities(addQuantities(a, b), b), a));
      assert.ok(equalQuantities(addQuantities(differenceOf(a, b), b), a), 'a signed difference loses nothing');
      assert.ok(containsQuantities(addQuantities(a, b), a));
      assert.ok(containsQuantities(a, minQuantities(a, b)) && containsQuantities(b, minQuantities(a, b)));
      assert.ok(containsQuantities(maxQuantities(a, b), a) && containsQuantities(maxQuantities(a, b), b));
      assert.ok(equalQuantities(addQuantities(minQuantities(a, b), maxQuantities(a, b)), addQuantities(a, b)));
      assert.ok(equalQuantities(scaleQuantities(a, 2), addQuantities(a, a)));
    }),
  );
});

test('names are sorted and no amount is zero', () => {
  fc.assert(
    fc.property(any, any, (a, b) => {
      for (const q of [addQuantities(a, b), subtractQuantities(a, b), minQuantities(a, b), differenceOf(a, b)]) {
        assert.deepEqual(q.names, [...q.names].sort());
        assert.ok(q.amounts.every((amount) => amount !== 0));
      }
    }),
  );
});

test('text and records there and back', () => {
  fc.assert(
    fc.property(any, (q) => {
      assert.deepEqual(quantitiesFrom(quantitiesToRecord(q)), q);
      if (q.names.length > 0) assert.deepEqual(parseQuantities(formatQuantities(q)), { ok: true, value: q });
    }),
  );
  assert.equal(formatQuantities(quantitiesFrom({ mem: 1024, cpus: { value: 4 } })), 'cpus:4; mem:1024');
  assert.equal(formatQuantities(noQuantities), '{}');
  for (const text of ['cpus', 'cpus:-1', 'cpus:[1-2]', 'cpus:1:2', ':1'])
    assert.equal(parseQuantities(text).ok, false, text);
});

test('limits keep zeros; a name without one is not limited', () => {
  const limits = limitsFrom({ mem: 0, cpus: 2 });
  assert.deepEqual([limit(limits, 'mem'), limit(limits, 'cpus'), limit(limits, 'disk')], [0, 2000, undefined]);
  assert.ok(withinLimits(limits, quantitiesFrom({ cpus: 2, disk: 1e6 })));
  assert.ok(!withinLimits(limits, quantitiesFrom({ mem: 1 })));
  fc.assert(
    fc.property(any, any, anyLimits, (q, used, most) => {
      const cut = cutToLimits(q, most, used);
      assert.ok(containsQuantities(q, cut));
      for (const name of most.names) {
        assert.ok(quantity(cut, name) <= Math.max(0, (limit(most, name) as number) - quantity(used, name)), name);
      }
      assert.ok(q.names.every((name) => limit(most, name) !== undefined || quantity(cut, name) === quantity(q, name)));
    }),
  );
});

test('chopping never exceeds the target, takes only what was there, and splits nothing indivisible', () => {
  fc.assert(
    fc.property(anyResources, any, (list, target) => {
      const cut = shrinkToQuantities(list, target);
      assert.ok(contains(list, cut));
      const total = new Map<string, number>();
      for (const r of cut) total.set(r.name, (total.get(r.name) ?? 0) + Math.round((r.scalar?.value ?? 0) * 1000));
      for (const [name, amount] of total) assert.ok(amount <= quantity(target, name), name);
      for (const r of cut) assert.ok(!isIndivisible(r) || list.includes(r));
    }),
  );
});

test('chopping takes all it may when everything can be split', () => {
  const splittable = anyResources.map((list) => list.filter((r) => isScalar(r) && !isIndivisible(r)));
  fc.assert(
    fc.property(splittable, any, (list, target) =>
      equalQuantities(quantitiesOf(shrinkToQuantities(list, target)), minQuantities(quantitiesOf(list), target)),
    ),
  );
});

test('chopping to limits leaves unlimited names and non-scalars alone', () => {
  const ports = { name: 'ports', type: 'RANGES' as const, ranges: { range: [{ begin: 1, end: 9 }] } };
  const list = [scalarOfName('cpus', 4), scalarOfName('mem', 8), ports];
  assert.deepEqual(shrinkToLimits(list, limitsFrom({ cpus: 1.5 })), [
    scalarOfName('cpus', 1.5),
    scalarOfName('mem', 8),
    ports,
  ]);
  assert.deepEqual(shrinkToLimits(list, limitsFrom({ cpus: 0 })), [scalarOfName('mem', 8), ports]);
});
