import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseKeyed, parseNumber, parseProcessIds } from './parse.js';

test('process ids: a part of a number at a cut is left out, as is anything else', () => {
  assert.deepEqual(parseProcessIds('1\n23\n45'), [1, 23]);
  assert.deepEqual(parseProcessIds('x\n0\n-4\n7\n'), [7]);
  assert.deepEqual(parseProcessIds(''), []);
});

test('numbers: max is unlimited', () => {
  for (const [text, value] of [
    ['max\n', Infinity],
    ['12\n', 12],
    ['-1', -1],
    ['', undefined],
    ['1.5', undefined],
  ] as const) {
    assert.equal(parseNumber(text), value, text);
  }
  assert.equal(parseNumber(undefined), undefined);
});

test('keys with numbers: lines in another form are left out', () => {
  assert.deepEqual(
    [...parseKeyed('oom 0\noom_kill 3\nx\n\n8:0 rbytes=1\n')],
    [
      ['oom', 0],
      ['oom_kill', 3],
    ],
  );
});
