import assert from 'node:assert/strict';
import { test } from 'node:test';
import { faultUnless, isLarge, sumTo } from './counting';

test('the sum of the first numbers', () => {
  assert.equal(sumTo(0), 0);
  assert.equal(sumTo(4), 10);
});

test('five is not large', async () => {
  await Promise.resolve();
  assert.equal(isLarge(5), false);
});

test('what is mapped can be read', () => {
  faultUnless(true);
});
