import assert from 'node:assert/strict';
import { test } from 'node:test';
import { jsonWrapping } from './index.js';

test('JSONP accepts names of functions and nothing else', () => {
  assert.deepEqual(jsonWrapping(undefined), { before: '', after: '', contentType: 'application/json' });
  assert.equal(jsonWrapping('angular.callbacks._0')?.before, 'angular.callbacks._0(');
  assert.equal(jsonWrapping('alert(1);f'), undefined);
  assert.equal(jsonWrapping('<script>'), undefined);
});
