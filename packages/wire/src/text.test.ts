// The small conversions: base64, uuids, numbers and strings as JSON text.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { base64ToBytes, bytesToBase64 } from './base64.js';
import { jsonDouble, jsonSigned, jsonString, jsonUnsigned } from './json.js';
import { isUuid, uuidBase64, uuidText } from './uuid.js';

test('base64 is that of RFC 4648', () => {
  fc.assert(
    fc.property(
      fc.oneof(fc.uint8Array({ maxLength: 70 }), fc.uint8Array({ minLength: 16, maxLength: 16 })),
      (bytes) => {
        const text = bytesToBase64(bytes);
        assert.equal(text, Buffer.from(bytes).toString('base64'));
        assert.deepEqual([...(base64ToBytes(text) ?? [])], [...bytes]);
        assert.deepEqual(base64ToBytes(` ${text.replaceAll('=', '')}\n`), base64ToBytes(text));
      },
    ),
  );
});

test('base64 may hold white space and end anywhere, nothing else', () => {
  assert.deepEqual([...(base64ToBytes('YW\r\nJj') ?? [])], [97, 98, 99]);
  assert.deepEqual([...(base64ToBytes('YQ==YQ==') ?? [])], [97]);
  for (const text of ['~', 'YW-j', 'YW_j', 'é', 'YWJj\u0100']) assert.equal(base64ToBytes(text), undefined, text);
});

test('a uuid is 16 bytes with a version from 1 to 5', () => {
  const text = '82a7055f-0b15-46db-9d2d-ac08fd597e89';
  const base64 = uuidBase64(text) ?? '';
  assert.equal(Buffer.from(base64, 'base64').toString('hex'), text.replaceAll('-', ''));
  assert.equal(uuidText(base64), text);
  for (let version = 0; version < 16; version++) {
    const other = `82a7055f-0b15-${version.toString(16)}6db-9d2d-ac08fd597e89`;
    assert.equal(uuidBase64(other) !== undefined, version >= 1 && version <= 5, other);
  }
  for (const bytes of [0, 15, 17]) assert.ok(!isUuid(Buffer.alloc(bytes, 0x44).toString('base64')));
  assert.ok(isUuid(Buffer.alloc(16, 0x44).toString('base64')));
  assert.equal(uuidText('~'), undefined);
  assert.equal(uuidBase64(`${text}0`), undefined);
});

test('a double reads back the same and never looks like an integer', () => {
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

test('64-bit integers are whole digits within their range', () => {
  assert.equal(jsonSigned(2 ** 63), '9223372036854775807');
  assert.equal(jsonSigned(-(2 ** 63)), '-9223372036854775808');
  assert.equal(jsonSigned(1763858538123456789n), '1763858538123456789');
  assert.equal(jsonSigned(2 ** 60), '1152921504606846976');
  assert.equal(jsonUnsigned(2 ** 64), '18446744073709551615');
  assert.equal(jsonUnsigned(0), '0');
});

test('a string is that of JSON.stringify', () => {
  for (const units of ['binary', 'grapheme', 'binary-ascii'] as const) {
    fc.assert(fc.property(fc.string({ unit: units }), (text) => assert.equal(jsonString(text), JSON.stringify(text))));
  }
  assert.equal(jsonString('\ud800'), '"\\ud800"');
});
