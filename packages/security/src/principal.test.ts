import assert from 'node:assert/strict';
import { test } from 'node:test';
import { principalOf, principalText } from './principal.js';

test('the text of a principal is its name, or all its claims as JSON', () => {
  assert.equal(principalText(principalOf('alice')), 'alice');
  assert.equal(principalText({ claims: { cid: 'c' } }), '{"claims":{"cid":"c"}}');
  assert.equal(principalText({ value: 'a', claims: { x: 'y' } }), '{"value":"a","claims":{"x":"y"}}');
  assert.equal(principalText({ claims: {} }), '{"claims":{}}');
});
