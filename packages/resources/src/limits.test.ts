// Quantities and limits against a plain map of amounts by name.
import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import { parseNumber } from './numbers.js';
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
  quantitiesFromAmounts,
  quantitiesOf,
  quantitiesToRecord,
  quantity,
  scaleQuantities,
  subtractQuantities,
  withinLimits,
} from './quantities.js';
import { shrinkToLimits, shrinkToQuantities } from './shrink.js';
import { scalarOfName } from './testing.js';

const names = ['a', 'b', 'c', 'd'];
/** Few names and amounts, so that some are equal, some missing, some zero. */
const amounts = fc.dictionary(fc.constantFrom(...names), fc.integer({ min: 0, max: 3 }));
const quantitiesIn = (by: Record<string, number>): Quantities => quantitiesFromAmounts(new Map(Object.entries(by)));
/** The amounts of all names. */
const all = (q: Quantities): number[] => names.map((name) => quantity(q, name));

test('every operation is the operation of numbers, name by name', () => {
  const operations: readonly (readonly [
    name: string,
    of: (a: Quantities, b: Quantities) => Quantities,
    by: (x: number, y: number) => number,
  ])[] = [
    ['add', addQuantities, (x, y) => x + y],
    ['subtract', subtractQuantities, (x, y) => Math.max(0, x - y)],
    ['difference', differenceOf, (x, y) => x - y],
    ['min', minQuantities, Math.min],
    ['max', maxQuantities, Math.max],
    ['scale', (a) => scaleQuantities(a, 1.5), (x) => Math.round(x * 1.5)],
  ];
  fc.assert(
    fc.property(amounts, amounts, (a, b) => {
      const [x, y] = [quantitiesIn(a), quantitiesIn(b)];
      for (const [name, of, by] of operations) {
        const wanted = names
          .map((it) => [it, by(a[it] ?? 0, b[it] ?? 0)] as const)
          .filter(([, amount]) => amount !== 0);
        assert.deepEqual(
          of(x, y),
          { names: wanted.map(([it]) => it), amounts: wanted.map(([, amount]) => amount) },
          name,
        );
      }
    }),
    { numRuns: 500 },
  );
});

test('containing, equality and limits compare name by name', () => {
  fc.assert(
    fc.property(amounts, amounts, (a, b) => {
      const [x, y] = [quantitiesIn(a), quantitiesIn(b)];
      const every = (holds: (x: number, y: number) => boolean) =>
        all(x).every((it, i) => holds(it, all(y)[i] as number));
      assert.equal(
        containsQuantities(x, y),
        every((it, other) => it >= other),
      );
      assert.equal(
        equalQuantities(x, y),
        every((it, other) => it === other),
      );
      const limits = limitsFrom(quantitiesToRecord(y));
      assert.equal(
        withinLimits(limits, x),
        y.names.every((name) => quantity(x, name) <= quantity(y, name)),
      );
    }),
    { numRuns: 500 },
  );
});

test('what may still be used is the least of what is there and what the limit leaves', () => {
  fc.assert(
    fc.property(amounts, amounts, amounts, (a, most, used) => {
      const limits = limitsFrom(Object.fromEntries(Object.entries(most).map(([name, it]) => [name, it / 1000])));
      const cut = cutToLimits(quantitiesIn(a), limits, quantitiesIn(used));
      for (const name of names) {
        const there = a[name] ?? 0;
        const left = most[name] === undefined ? there : Math.max(0, (most[name] as number) - (used[name] ?? 0));
        assert.equal(quantity(cut, name), Math.min(there, left), name);
      }
    }),
    { numRuns: 500 },
  );
});

test('nothing is one object, and a name with nothing of it is no name', () => {
  assert.deepEqual(noQuantities, { names: [], amounts: [] });
  assert.equal(quantitiesFrom({}), noQuantities);
  assert.equal(quantitiesFrom({ cpus: 0, mem: { value: 0.0001 } }), noQuantities);
  const some = quantitiesFrom({ mem: 1, cpus: 0 });
  assert.deepEqual(some, { names: ['mem'], amounts: [1000] });
  assert.equal(subtractQuantities(some, some), noQuantities);
  assert.equal(addQuantities(some, noQuantities), some);
  assert.equal(addQuantities(noQuantities, some), some);
  assert.equal(subtractQuantities(some, noQuantities), some);
  assert.equal(differenceOf(some, noQuantities), some);
  assert.ok(Object.isFrozen(some) && Object.isFrozen(some.names) && Object.isFrozen(some.amounts));
  const twice = addQuantities(some, some);
  assert.ok(Object.isFrozen(twice) && Object.isFrozen(twice.amounts));
});

test('limits are sorted by name and keep a zero', () => {
  const limits = limitsFrom({ mem: 0, disk: 3, cpus: { value: 2 } });
  assert.deepEqual(limits, { names: ['cpus', 'disk', 'mem'], amounts: [2000, 3000, 0] });
  assert.equal(limit(limits, 'gpus'), undefined);
  assert.equal(cutToLimits(quantitiesFrom({ cpus: 1 }), limitsFrom({}), noQuantities).amounts[0], 1000);
});

test('scalars of a list are added up by name, ranges and sets are not, copies count once', () => {
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
  assert.deepEqual(shrinkToQuantities(list, quantitiesFrom({ cpus: 1.5, ports: 1, odd: 9 })), [
    scalarOfName('cpus', 1),
    scalarOfName('cpus', 0.5, { revocable: {} }),
  ]);
  assert.equal(shrinkToLimits(list, limitsFrom({})), list);
  const exact = scalarOfName('cpus', 2);
  assert.equal(shrinkToQuantities([exact], quantitiesFrom({ cpus: 2 }))[0], exact, 'what fits is not copied');
});

test('quantities as text: added up, spaces ignored, and what is refused', () => {
  const table: readonly (readonly [text: string, printed: string])[] = [
    ['cpus:1;mem:32', 'cpus:1; mem:32'],
    [' cpus : 1 ;; mem:3 2; ', 'cpus:1; mem:32'],
    ['cpus:1;cpus:0.5', 'cpus:1.5'],
    ['cpus:0', '{}'],
    ['', '{}'],
    ['cpus:0x10', 'cpus:16'],
  ];
  for (const [text, printed] of table) {
    const parsed = parseQuantities(text);
    assert.equal(parsed.ok && formatQuantities(parsed.value), printed, text);
  }
  for (const text of ['cpus', ' cpus : ', ':1', 'cpus:1:2', 'cpus:-1', 'cpus:x', 'mem:1;cpus']) {
    const parsed = parseQuantities(text);
    const entry = JSON.stringify(text.split(';').at(-1)?.trim());
    assert.equal(
      parsed.ok ? '' : parsed.error,
      `expected name:number with a number >= 0 (as in cpus:1;mem:32), got ${entry}`,
      text,
    );
  }
});

test('numbers as flags write them', () => {
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
  for (const text of [
    '',
    ' 1',
    '1 ',
    'x1',
    '1x',
    '.',
    '1e',
    '.e1',
    '0x',
    '0xg1',
    'y0x1',
    '0x1z',
    '--1',
    '.x5',
    '1e99999',
  ])
    assert.equal(parseNumber(text), undefined, text);
});
