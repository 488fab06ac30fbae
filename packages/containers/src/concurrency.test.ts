import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createConcurrencyLimit } from './concurrency.js';

test('at most the limit of pieces run at a time, they start in order, and a piece that fails makes room for the next', async () => {
  const limitConcurrency = createConcurrencyLimit(2);
  const started: number[] = [];
  const finish: (() => void)[] = [];
  const work = (number: number): Promise<number> =>
    limitConcurrency(async () => {
      started.push(number);
      await new Promise<void>((resolve) => finish.push(resolve));
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
    assert.deepEqual(started, expected);
    finish.shift()?.();
  }
  assert.deepEqual(
    (await all).map((each) => (each.status === 'fulfilled' ? each.value : 'failed')),
    ['failed', 2, 3, 4],
  );
});
