import assert from 'node:assert/strict';
import { test } from 'node:test';
import { accumulate, amount, bitOf, differs } from './vectors.js';

test('amounts beyond the end of a vector are zero', () => {
  assert.deepEqual([amount([5, 6], 1), amount([5, 6], 2)], [6, 0]);
  const target = [1, 2];
  accumulate(target, [10, 20, 30], 1);
  assert.deepEqual(target, [11, 22, 30]);
  accumulate(target, [1], -1);
  assert.deepEqual(target, [10, 22, 30]);
  for (const [a, b, isDifferent] of [
    [[1, 0], [1], false],
    [[1], [1, 0], false],
    [[1, 2], [1], true],
    [[1], [1, 2], true],
    [[], [], false],
  ] as const) {
    assert.equal(differs(a, b), isDifferent, `${a} and ${b}`);
  }
});

test('each of the first thirty dimensions has a separate bit, the others share one', () => {
  const bits = Array.from({ length: 40 }, (_, d) => bitOf(d));
  assert.deepEqual(
    bits.slice(0, 31),
    Array.from({ length: 31 }, (_, d) => 2 ** d),
  );
  assert.deepEqual(new Set(bits.slice(30)), new Set([2 ** 30]));
});
