import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MAX_JSON_BYTES, parseObject } from './operator-json.js';

const problemOf = (text: string): string => {
  const parsed = parseObject(text);
  return parsed.ok ? '' : parsed.error;
};

test('JSON has limits of size and depth; brackets in strings do not count', () => {
  const nested = (depth: number): string => `{"a":${'['.repeat(depth)}${']'.repeat(depth)}}`;
  assert.equal(parseObject(nested(31)).ok, true);
  assert.match(problemOf(nested(32)), /at most 32 lists and objects/);
  assert.match(problemOf(nested(100_000)), /at most 32 lists and objects/);
  assert.equal(parseObject(`{"a": "\\"${'['.repeat(100)}"}`).ok, true);
  assert.match(problemOf(`{"a": "${'x'.repeat(MAX_JSON_BYTES)}"}`), /at most 262144 bytes/);
});
