import assert from 'node:assert/strict';
import test from 'node:test';
import type { ValueRange } from '@meseta/wire';
import fc from 'fast-check';
import {
  addItems,
  addRanges,
  coalesce,
  containsItems,
  containsRanges,
  equalRanges,
  formatRanges,
  subtractItems,
  subtractRanges,
} from './ranges.js';

type Ranges = readonly ValueRange[];

const ranges = (...pairs: [begin: number, end: number][]): Ranges => pairs.map(([begin, end]) => ({ begin, end }));
const range = fc.tuple(fc.nat(24), fc.nat(4)).map(([begin, length]) => ({ begin, end: begin + length }));
/** Neither sorted nor apart. */
const anyRanges: fc.Arbitrary<Ranges> = fc.array(range, { maxLength: 6 });

/** What ranges mean: the numbers in them. */
const numbersIn = (list: Ranges): number[] => {
  const numbers = list.flatMap(({ begin, end }) => Array.from({ length: end - begin + 1 }, (_, i) => begin + i));
  return [...new Set(numbers)].sort((a, b) => a - b);
};

/** The one list of ranges of these numbers that is sorted and has no neighbours. */
const rangesOf = (numbers: readonly number[]): Ranges => {
  const made: { begin: number; end: number }[] = [];
  for (const number of numbers) {
    const last = made.at(-1);
    if (last !== undefined && last.end + 1 === number) last.end = number;
    else made.push({ begin: number, end: number });
  }
  return made;
};

test('ranges are coalesced, added and subtracted as the numbers in them', () => {
  fc.assert(
    fc.property(anyRanges, anyRanges, (a, b) => {
      const [x, y] = [numbersIn(a), numbersIn(b)];
      assert.deepEqual(coalesce(a), rangesOf(x));
      assert.deepEqual(addRanges(a, b), rangesOf(numbersIn([...a, ...b])));
      assert.deepEqual(subtractRanges(a, b), rangesOf(x.filter((number) => !y.includes(number))));
    }),
    { numRuns: 500 },
  );
});

test('ranges contain and equal each other as the numbers in them', () => {
  fc.assert(
    fc.property(anyRanges, anyRanges, fc.boolean(), (a, b, inside) => {
      const part = inside ? subtractRanges(a, b) : b;
      const [x, y] = [numbersIn(a), numbersIn(part)];
      assert.equal(
        containsRanges(a, part),
        y.every((number) => x.includes(number)),
      );
      assert.equal(equalRanges(a, part), String(x) === String(y));
      assert.ok(equalRanges(a, [...a].reverse()));
    }),
    { numRuns: 500 },
  );
});

test('ranges that are sorted and do not touch are returned by reference', () => {
  const table: readonly (readonly [given: Ranges, isNormal: boolean])[] = [
    [[], true],
    [ranges([1, 2]), true],
    [ranges([1, 2], [4, 5]), true],
    [ranges([1, 2], [3, 4]), false],
    [ranges([4, 5], [1, 2]), false],
    [ranges([1, 5], [2, 3]), false],
  ];
  for (const [given, isNormal] of table) assert.equal(coalesce(given) === given, isNormal, formatRanges(given));
});

test('ranges differ if one end of one range differs, or one has a range more', () => {
  const start = ranges([1, 2], [5, 6]);
  const table: readonly (readonly [other: Ranges, equal: boolean])[] = [
    [ranges([1, 2], [5, 6]), true],
    [ranges([1, 2], [5, 7]), false],
    [ranges([1, 2], [4, 6]), false],
    [ranges([0, 2], [5, 6]), false],
    [ranges([1, 2]), false],
    [ranges([1, 2], [5, 6], [9, 9]), false],
    [[], false],
  ];
  for (const [other, equal] of table) {
    assert.equal(equalRanges(start, other), equal, formatRanges(other));
    assert.equal(equalRanges(other, start), equal, formatRanges(other));
  }
});

test('a union of sets has the items of the first set first, and none twice', () => {
  assert.deepEqual(addItems(['b', 'a'], ['c', 'a']), ['b', 'a', 'c']);
  assert.deepEqual(subtractItems(['b', 'a', 'c'], ['a', 'x']), ['b', 'c']);
  const table: readonly (readonly [held: string[], expected: string[], contained: boolean])[] = [
    [['a', 'b'], [], true],
    [['a', 'b'], ['b'], true],
    [['a', 'b'], ['b', 'c'], false],
    [[], ['a'], false],
  ];
  for (const [held, expected, contained] of table)
    assert.equal(containsItems(held, expected), contained, String(expected));
});
