import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { base64ToBytes, bytesToBase64, canonicalBase64, textOfBase64 } from './base64.js';

test('base64 is that of RFC 4648, with or without padding and white space', () => {
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

test('base64 with white space, or that ends early, is read; other characters are refused', () => {
  assert.deepEqual([...(base64ToBytes('YW\r\nJj') ?? [])], [97, 98, 99]);
  assert.deepEqual([...(base64ToBytes('YQ==YQ==') ?? [])], [97]);
  for (const text of ['~', 'YW-j', 'YW_j', 'é', 'YWJj\u0100']) assert.equal(base64ToBytes(text), undefined, text);
});

test('base64 of UTF-8 is text, other bytes and other characters are none', () => {
  for (const text of ['', 'a', 'ab', 'abc', 'abcd', 'ü', '€', '😀', '%41', 'a\nb', '\uFFFD', '\uFEFFa']) {
    assert.equal(textOfBase64(Buffer.from(text).toString('base64')), text);
  }
  for (const bad of ['~', '/w==', '4oI=']) assert.equal(textOfBase64(bad), undefined, bad);
  assert.equal(textOfBase64('YQ'), 'a');
});

test('canonical base64 is the text of the bytes that were read', () => {
  const text = fc.oneof(
    fc.string({ unit: fc.constantFrom(...'AQgwEB9+/=\n ~é'), maxLength: 12 }),
    fc.uint8Array({ maxLength: 20 }).map(bytesToBase64),
  );
  fc.assert(
    fc.property(text, (it) => {
      const bytes = base64ToBytes(it);
      assert.equal(canonicalBase64(it), bytes === undefined ? undefined : bytesToBase64(bytes));
    }),
    { numRuns: 2000 },
  );
});
