import assert from 'node:assert/strict';
import { test } from 'node:test';
import { backoffBoundMs, backoffPauseMs } from './backoff.js';
import { seededRandom } from './random.js';

test('the bound of a pause doubles with each failed attempt, up to the longest', () => {
  const limits = { firstMs: 250, longestMs: 10_000 };
  assert.deepEqual(
    [0, 1, 2, 5, 6, 100_000].map((failures) => backoffBoundMs(limits, failures)),
    [250, 500, 1000, 8000, 10_000, 10_000],
  );
  assert.equal(backoffBoundMs({ firstMs: 0, longestMs: 1000 }, 100_000), 0);
  assert.equal(backoffBoundMs({ firstMs: 60_000, longestMs: 1000 }, 0), 1000);
});

test('pauses are spread from 0 to the bound', () => {
  const random = seededRandom(1);
  const pauses = Array.from({ length: 1000 }, () => backoffPauseMs({ firstMs: 500, longestMs: 4000 }, 2, random));
  assert.ok(pauses.every((ms) => ms >= 0 && ms < 2000));
  assert.ok(Math.min(...pauses) < 100 && Math.max(...pauses) > 1900);
});
