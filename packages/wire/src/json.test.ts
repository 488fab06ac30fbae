import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  jsonArray,
  jsonBool,
  jsonDouble,
  jsonIfSet,
  jsonMap,
  jsonNumber,
  jsonObject,
  jsonSigned,
  jsonString,
  jsonUnsigned,
} from './json.js';

test('a double gives the same value when read, and never has the form of an integer', () => {
  const table: readonly (readonly [number, string])[] = [
    [32, '32.0'],
    [0.1, '0.1'],
    [-0, '-0.0'],
    [1e15, '1000000000000000.0'],
    [1e20, '100000000000000000000.0'],
    [1e21, '1e21'],
    [1.5e300, '1.5e300'],
    [1e-7, '1e-7'],
    [Number.POSITIVE_INFINITY, '"Infinity"'],
    [Number.NEGATIVE_INFINITY, '"-Infinity"'],
    [Number.NaN, 'null'],
  ];
  for (const [value, text] of table) assert.equal(jsonDouble(value), text);
  fc.assert(
    fc.property(fc.double({ noNaN: true, noDefaultInfinity: true }), (value) => {
      const text = jsonDouble(value);
      assert.ok(Object.is(JSON.parse(text), value) && /[.e]/.test(text) && !text.includes('+'), text);
    }),
  );
});

test('integers of 64 bits have all digits and stay in their range', () => {
  assert.equal(jsonSigned(2 ** 63), '9223372036854775807');
  assert.equal(jsonSigned(-(2 ** 63)), '-9223372036854775808');
  assert.equal(jsonSigned(-(2 ** 64)), '-9223372036854775808');
  assert.equal(jsonSigned(1763858538123456789n), '1763858538123456789');
  assert.equal(jsonSigned(2 ** 60), '1152921504606846976');
  assert.equal(jsonUnsigned(2 ** 64), '18446744073709551615');
  assert.equal(jsonUnsigned(0), '0');
});

test('a string is written as by JSON.stringify', () => {
  for (const units of ['binary', 'grapheme', 'binary-ascii'] as const) {
    fc.assert(fc.property(fc.string({ unit: units }), (text) => assert.equal(jsonString(text), JSON.stringify(text))));
  }
  assert.equal(jsonString('\ud800'), '"\\ud800"');
});

test('objects, lists, maps and scalars as JSON text', () => {
  const table: readonly (readonly [text: string | undefined, wanted: string | undefined])[] = [
    [jsonArray([], String), '[]'],
    [jsonArray([1, 2], String), '[1,2]'],
    [jsonMap({}, String), '{}'],
    [jsonMap({ a: 1, '"': 2 }, String), '{"a":1,"\\"":2}'],
    [jsonObject([]), '{}'],
    [
      jsonObject([
        ['a', undefined],
        ['b', '1'],
        ['c', '2'],
      ]),
      '{"b":1,"c":2}',
    ],
    [jsonBool(true), 'true'],
    [jsonBool(false), 'false'],
    [jsonNumber(1.5), '1.5'],
    [jsonNumber(Infinity), 'null'],
    [jsonSigned(-5), '-5'],
    [jsonSigned(2 ** 62), '4611686018427387904'],
    [jsonSigned(2 ** 53 + 2), '9007199254740994'],
    [jsonSigned(-(2 ** 62)), '-4611686018427387904'],
    [jsonSigned(1e20), '9223372036854775807'],
    [jsonUnsigned(2 ** 63), '9223372036854775808'],
    [jsonUnsigned(1e21), '18446744073709551615'],
    [jsonIfSet(undefined, String), undefined],
    [jsonIfSet(0, String), '0'],
  ];
  for (const [text, wanted] of table) assert.equal(text, wanted);
});
