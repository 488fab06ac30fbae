import assert from 'node:assert/strict';
import { test } from 'node:test';
import { pushAll, smallest } from './lists.js';

test('lists of a million items are appended and compared, more than a call can have arguments', () => {
  const items = Array.from({ length: 1_000_000 }, (_, i) => 1_000_000 - i);
  const list = [7];
  pushAll(list, items);
  assert.deepEqual([list.length, list[0], list[1], list.at(-1)], [1_000_001, 7, 1_000_000, 1]);
  assert.equal(smallest(items), 1);
  assert.equal(smallest([]), Number.POSITIVE_INFINITY);
});
