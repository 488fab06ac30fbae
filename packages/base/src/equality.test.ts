import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isDeepEqual } from './equality.js';

test('plain data is equal by its values, whatever the order of keys; an undefined field equals a missing one', () => {
  const equal: readonly (readonly [unknown, unknown])[] = [
    [1, 1],
    [undefined, undefined],
    [10n, 10n],
    [
      { a: 1, b: [2] },
      { b: [2], a: 1 },
    ],
    [{ a: undefined }, {}],
    [{ a: { b: undefined } }, { a: {} }],
    [[], []],
  ];
  const different: readonly (readonly [unknown, unknown])[] = [
    [1, '1'],
    [10n, 11n],
    [null, undefined],
    [null, {}],
    [{}, 'a'],
    [[], {}],
    [[1, 2], [1]],
    [
      [1, 2],
      [2, 1],
    ],
    [{ a: 1 }, { a: 1, b: 2 }],
    [{ a: { b: 1 } }, { a: { b: 2 } }],
  ];
  for (const [a, b] of equal) assert.deepEqual([isDeepEqual(a, b), isDeepEqual(b, a)], [true, true]);
  for (const [a, b] of different) assert.deepEqual([isDeepEqual(a, b), isDeepEqual(b, a)], [false, false]);
});
