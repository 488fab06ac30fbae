import assert from 'node:assert/strict';
import { test } from 'node:test';
import { uuid } from '@meseta/base';
import { cryptoRandom } from './crypto-random.js';

test('two generators give different ids, and one gives none twice, beyond the end of its pool', () => {
  const [one, other] = [cryptoRandom(), cryptoRandom()];
  const ids = new Set<string>();
  for (let n = 0; n < 1000; n++) {
    ids.add(uuid(one));
    ids.add(uuid(other));
  }
  assert.equal(ids.size, 2000);
});
