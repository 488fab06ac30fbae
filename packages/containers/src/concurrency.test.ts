import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createAtMost } from './concurrency.js';

test('no more pieces of work are under way than may be, and they begin in order; one that fails gives its place up', async () => {
  const atMost = createAtMost(2);
  const begun: number[] = [];
  const ends: (() => void)[] = [];
  const work = (number: number): Promise<number> =>
    atMost(async () => {
      begun.push(number);
      await new Promise<void>((resolve) => ends.push(resolve));
      if (number === 1) throw new Error('failed');
      return number;
    });
  const all = Promise.allSettled([1, 2, 3, 4].map(work));
  for (const expected of [
    [1, 2],
    [1, 2, 3],
    [1, 2, 3, 4],
    [1, 2, 3, 4],
  ]) {
    await new Promise((resolve) => setImmediate(resolve));
    assert.deepEqual(begun, expected);
    ends.shift()?.();
  }
  assert.deepEqual(
    (await all).map((each) => (each.status === 'fulfilled' ? each.value : 'failed')),
    ['failed', 2, 3, 4],
  );
});
