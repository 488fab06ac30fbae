import assert from 'node:assert/strict';
import { test } from 'node:test';
import { agentEndpoints, masterEndpoints, methodsOf } from './index.js';

test('every endpoint has methods; an endpoint of calls has only POST', () => {
  for (const endpoint of [...Object.values(masterEndpoints), ...Object.values(agentEndpoints)]) {
    assert.ok(methodsOf(endpoint).length > 0, endpoint.path);
    if ('calls' in endpoint) assert.deepEqual(methodsOf(endpoint), ['POST']);
  }
});
