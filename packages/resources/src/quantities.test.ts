import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import { contains } from './algebra.js';
import { isIndivisible } from './kinds.js';
import { parseNumber } from './numbers.js';
import {
  addQuantities,
  containsQuantities,
  limit,
  limitsFrom,
  noQuantities,
  parseQuantities,
  type Quantities,
  quantitiesFrom,
  quantitiesFromAmounts,
  quantitiesOf,
  quantitiesToRecord,
  quantity,
  subtractQuantities,
  sumOfQuantities,
  withinLimits,
} from './quantities.js';
import { shrinkToLimits } from './shrink.js';
import { anyResources, scalarOfName } from './testing.js';

const names = ['a', 'b', 'c', 'd'];
/** Few names and amounts, so that some are equal, missing or zero. */
const amounts = fc.dictionary(fc.constantFrom(...names), fc.integer({ min: 0, max: 3 }));
const quantitiesIn = (by: Record<string, number>): Quantities => quantitiesFromAmounts(new Map(Object.entries(by)));
/** The amounts of all names. */
const amountsIn = (q: Quantities): number[] => names.map((name) => quantity(q, name));

test('sums and differences are those of the amounts of each name, sorted, without zeros', () => {
  const operations: readonly (readonly [
    name: string,
    of: (a: Quantities, b: Quantities) => Quantities,
    by: (x: number, y: number) => number,
  ])[] = [
    ['add', addQuantities, (x, y) => x + y],
    ['sum', (a, b) => sumOfQuantities([a, b]), (x, y) => x + y],
    ['subtract', subtractQuantities, (x, y) => Math.max(0, x - y)],
  ];
  fc.assert(
    fc.property(amounts, amounts, (a, b) => {
      const [x, y] = [quantitiesIn(a), quantitiesIn(b)];
      for (const [name, of, by] of operations) {
        const expected = names
          .map((it) => [it, by(a[it] ?? 0, b[it] ?? 0)] as const)
          .filter(([, amount]) => amount !== 0);
        const result = { names: expected.map(([it]) => it), amounts: expected.map(([, amount]) => amount) };
        assert.deepEqual(of(x, y), result, name);
      }
    }),
    { numRuns: 500 },
  );
});

test('quantities contain others, and are within limits, if they do for each name', () => {
  fc.assert(
    fc.property(amounts, amounts, (a, b) => {
      const [x, y] = [quantitiesIn(a), quantitiesIn(b)];
      const [ofX, ofY] = [amountsIn(x), amountsIn(y)];
      assert.equal(
        containsQuantities(x, y),
        ofX.every((amount, i) => amount >= (ofY[i] as number)),
      );
      assert.equal(
        withinLimits(limitsFrom(quantitiesToRecord(y)), x),
        y.names.every((name) => quantity(x, name) <= quantity(y, name)),
      );
    }),
    { numRuns: 500 },
  );
});

test('quantities without amounts are one object, and all quantities are frozen', () => {
  assert.deepEqual(noQuantities, { names: [], amounts: [] });
  assert.equal(quantitiesFrom({}), noQuantities);
  assert.equal(quantitiesFrom({ cpus: 0, mem: { value: 0.0001 } }), noQuantities);
  const some = quantitiesFrom({ mem: 1, cpus: 0 });
  assert.deepEqual(some, { names: ['mem'], amounts: [1000] });
  assert.equal(subtractQuantities(some, some), noQuantities);
  assert.equal(addQuantities(some, noQuantities), some);
  assert.equal(addQuantities(noQuantities, some), some);
  assert.equal(subtractQuantities(some, noQuantities), some);
  assert.ok(Object.isFrozen(some) && Object.isFrozen(some.names) && Object.isFrozen(some.amounts));
  const twice = addQuantities(some, some);
  assert.ok(Object.isFrozen(twice) && Object.isFrozen(twice.amounts));
});

test('limits are sorted by name and keep zeros; a name without a limit is not limited', () => {
  const limits = limitsFrom({ mem: 0, disk: 3, cpus: { value: 2 } });
  assert.deepEqual(limits, { names: ['cpus', 'disk', 'mem'], amounts: [2000, 3000, 0] });
  assert.deepEqual([limit(limits, 'mem'), limit(limits, 'cpus'), limit(limits, 'gpus')], [0, 2000, undefined]);
});

test('quantities of a list are sums of scalars by name; copies of a shared resource count once', () => {
  const shared = scalarOfName('disk', 8, { shared: {}, disk: { persistence: { id: 'v' } } });
  const list = [
    scalarOfName('cpus', 1),
    scalarOfName('cpus', 2, { revocable: {} }),
    { name: 'ports', type: 'RANGES' as const, ranges: { range: [{ begin: 1, end: 2 }] } },
    { name: 'odd', type: 'SET' as const, scalar: { value: 5 } },
    shared,
    shared,
  ];
  assert.deepEqual(quantitiesToRecord(quantitiesOf(list)), { cpus: 3, disk: 8 });
});

test('a list shrunk to limits is within them, is part of the list, and has indivisible resources whole', () => {
  const anyLimits = fc.dictionary(fc.constantFrom('cpus', 'mem', 'disk', 'foo'), fc.integer({ min: 0, max: 5000 }));
  fc.assert(
    fc.property(anyResources, anyLimits, (list, by) => {
      const limits = limitsFrom(Object.fromEntries(Object.entries(by).map(([name, amount]) => [name, amount / 1000])));
      const shrunk = shrinkToLimits(list, (name) => limit(limits, name));
      assert.ok(contains(list, shrunk));
      const total = new Map<string, number>();
      for (const { name, scalar } of shrunk) {
        total.set(name, (total.get(name) ?? 0) + Math.round((scalar?.value ?? 0) * 1000));
      }
      for (const [name, amount] of total) assert.ok(amount <= (limit(limits, name) ?? amount), name);
      for (const resource of shrunk) assert.ok(!isIndivisible(resource) || list.includes(resource));
      const divisible = list.filter((resource) => resource.type === 'SCALAR' && !isIndivisible(resource));
      const most = quantitiesOf(divisible);
      const kept = quantitiesOf(shrinkToLimits(divisible, (name) => limit(limits, name)));
      for (const name of most.names) {
        const expected = Math.min(quantity(most, name), limit(limits, name) ?? quantity(most, name));
        assert.equal(quantity(kept, name), expected, `all of ${name} that the limit allows`);
      }
    }),
  );
});

test('shrinking to limits keeps non-scalars, names without a limit, and resources that fit as they are', () => {
  const ports = { name: 'ports', type: 'RANGES' as const, ranges: { range: [{ begin: 1, end: 9 }] } };
  const list = [scalarOfName('cpus', 4), scalarOfName('mem', 8), ports];
  const shrunk = (cpus: number | undefined) => shrinkToLimits(list, (name) => (name === 'cpus' ? cpus : undefined));
  assert.deepEqual(shrunk(1500), [scalarOfName('cpus', 1.5), scalarOfName('mem', 8), ports]);
  assert.deepEqual(shrunk(0), [scalarOfName('mem', 8), ports]);
  assert.deepEqual(shrunk(undefined), list);
  assert.equal(shrunk(4000)[0], list[0]);
});

test('quantities are parsed from text: a repeated name is added up, spaces are ignored', () => {
  const table: readonly (readonly [text: string, parsed: Record<string, number>])[] = [
    ['cpus:1;mem:32', { cpus: 1, mem: 32 }],
    [' cpus : 1 ;; mem:3 2; ', { cpus: 1, mem: 32 }],
    ['cpus:1;cpus:0.5', { cpus: 1.5 }],
    ['cpus:0', {}],
    ['', {}],
    ['cpus:0x10', { cpus: 16 }],
  ];
  for (const [text, expected] of table) {
    const parsed = parseQuantities(text);
    assert.deepEqual(parsed.ok && quantitiesToRecord(parsed.value), expected, text);
  }
  for (const text of ['cpus', ' cpus : ', ':1', 'cpus:1:2', 'cpus:-1', 'cpus:x', 'cpus:[1-2]', 'mem:1;cpus']) {
    const parsed = parseQuantities(text);
    const entry = JSON.stringify(text.split(';').at(-1)?.trim());
    assert.equal(
      parsed.ok ? '' : parsed.error,
      `expected name:number with a number >= 0 (as in cpus:1;mem:32), got ${entry}`,
      text,
    );
  }
});

test('numbers are decimal or hexadecimal, without spaces around them', () => {
  const good: readonly (readonly [string, number])[] = [
    ['1', 1],
    ['12.5', 12.5],
    ['3.', 3],
    ['.25', 0.25],
    ['+4', 4],
    ['-4', -4],
    ['1e3', 1000],
    ['1E+03', 1000],
    ['25e-10', 25e-10],
    ['0x1F', 31],
    ['0Xab', 171],
  ];
  for (const [text, number] of good) assert.equal(parseNumber(text), number, text);
  const bad = ['', ' 1', '1 ', 'x1', '1x', '.', '1e', '.e1', '0x', '0xg1', 'y0x1', '0x1z', '--1', '.x5', '1e99999'];
  for (const text of bad) assert.equal(parseNumber(text), undefined, text);
});
