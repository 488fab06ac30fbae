import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createTiming } from './timing.js';

test('a timing has no values before the first duration, then the last one and the distribution of the recent ones', () => {
  const timing = createTiming();
  assert.deepEqual(timing.values(), []);
  for (let duration = 1; duration <= 100; duration++) timing.add(duration);
  const values = new Map(timing.values());
  const shown = ['', '/count', '/min', '/max', '/p50', '/p90', '/p99'].map((suffix) => values.get(suffix));
  assert.deepEqual(shown, [100, 100, 1, 100, 51, 91, 100]);
  for (let index = 0; index < 1000; index++) timing.add(7);
  assert.deepEqual(new Set(timing.values().map(([suffix, value]) => (suffix === '/count' ? 7 : value))), new Set([7]));
});
