import assert from 'node:assert/strict';
import { test } from 'node:test';
import { authorizationOf, baseUrlOf } from './addresses.js';

test('the header of basic authentication is the base64 of the UTF-8 text, however long the secret', () => {
  for (const secret of ['sécret', 'x'.repeat(1_000_000)]) {
    const { Authorization } = authorizationOf({ principal: 'me', secret });
    assert.equal(Authorization, `Basic ${Buffer.from(`me:${secret}`).toString('base64')}`);
  }
  assert.deepEqual(authorizationOf(undefined), {});
});

test('an address without a scheme is one of plain HTTP', () => {
  assert.equal(baseUrlOf('10.0.0.1:5050'), 'http://10.0.0.1:5050');
  assert.equal(baseUrlOf('https://10.0.0.1:5050//'), 'https://10.0.0.1:5050');
});
