import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { createSlicedSort } from './sliced-sort.js';

interface Item {
  readonly key: number;
  readonly place: number;
}

const byKey = (a: Item, b: Item): number => a.key - b.key;

test('the result is the beginning of a stable sort', () => {
  const lengths = fc.integer({ min: 0, max: 6_000 });
  const most = fc.oneof(fc.integer({ min: 0, max: 3_000 }), fc.constant(Number.MAX_SAFE_INTEGER));
  fc.assert(
    fc.property(lengths, most, fc.integer({ min: 1, max: 1_000 }), (length, kept, factor) => {
      const items = Array.from({ length }, (_, place): Item => ({ key: (place * factor) % 997, place }));
      const sort = createSlicedSort(byKey, kept);
      for (const item of items) for (const _ of sort.add(item));
      for (const _ of sort.end());
      assert.deepEqual(sort.sorted(), items.sort(byKey).slice(0, kept));
    }),
    { numRuns: 40 },
  );
});

test('SLICED-SORT-1: between two pauses items are compared a bounded number of times', () => {
  let comparisons = 0;
  let most = 0;
  const sort = createSlicedSort<number>((a, b) => {
    comparisons++;
    return a - b;
  }, Number.MAX_SAFE_INTEGER);
  const pause = (): void => {
    most = Math.max(most, comparisons);
    comparisons = 0;
  };
  for (let i = 0; i < 50_000; i++) for (const _ of sort.add((i * 7_919) % 50_000)) pause();
  for (const _ of sort.end()) pause();
  assert.ok(most > 0 && most < 15_000, `${most} comparisons`);
});
