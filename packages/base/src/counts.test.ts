import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { createCounts } from './counts.js';

test('a key with the largest count is found after any additions and subtractions', () => {
  const steps = fc.array(fc.tuple(fc.boolean(), fc.integer({ min: 0, max: 5 })), { maxLength: 60 });
  fc.assert(
    fc.property(steps, (changes) => {
      const counts = createCounts<number>();
      const expected = new Map<number, number>();
      for (const [isAddition, key] of changes) {
        const count = Math.max(0, (expected.get(key) ?? 0) + (isAddition ? 1 : -1));
        if (isAddition) counts.add(key);
        else counts.subtract(key);
        if (count === 0) expected.delete(key);
        else expected.set(key, count);
        const largest = counts.largest();
        assert.equal(counts.has(key), count > 0);
        assert.equal(largest === undefined, expected.size === 0);
        if (largest !== undefined) assert.equal(expected.get(largest), Math.max(...expected.values()));
      }
    }),
  );
});

test('of several keys with the largest count, the one whose count is unchanged for longest is returned', () => {
  const counts = createCounts<string>();
  for (const key of ['a', 'b', 'c', 'b', 'a']) counts.add(key);
  assert.equal(counts.largest(), 'b');
  counts.subtract('b');
  assert.equal(counts.largest(), 'a');
  counts.subtract('a');
  assert.equal(counts.largest(), 'c');
});

test('COUNTS-1: no operation visits the keys', (t) => {
  const counts = createCounts<number>();
  for (let key = 0; key < 20_000; key++) counts.add(key);
  const iterators = [new Map().values(), new Set().values()].map((it) => Object.getPrototypeOf(it));
  const steps = iterators.map((prototype) => t.mock.method(prototype, 'next'));
  for (let key = 0; key < 1000; key++) {
    counts.subtract(counts.largest() as number);
    counts.add(20_000 + key);
  }
  const visited = steps.reduce((sum, { mock }) => sum + mock.callCount(), 0);
  assert.ok(visited <= 1000, `${visited} steps of iterators for 1000 changes`);
});
