import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { decodeText, decodeUtf8, encodeText } from './utf8.js';

const bytesOf = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text));
/** The text between other bytes, as fields of a message stand. */
const decoded = (bytes: Uint8Array): string => {
  const buffer = Uint8Array.from([0x62, 0xc3, ...bytes, 0xa9, 0x61]);
  return decodeUtf8(buffer, 2, 2 + bytes.length);
};

test('text of bytes: a byte order mark stays, what is no UTF-8 becomes U+FFFD', () => {
  const table: readonly (readonly [bytes: readonly number[], text: string])[] = [
    [[0xef, 0xbb, 0xbf, 0x61], '\ufeffa'],
    [[], ''],
    [[0x7f], '\u007f'],
    [[0xc2, 0x80], '\u0080'],
    [[0x61, 0xff, 0x62], 'a\ufffdb'],
    [[0xc3], '\ufffd'],
    [[0xed, 0xa0, 0x80], '\ufffd\ufffd\ufffd'],
    [[0xf0, 0x9f, 0x98, 0x80], '\u{1f600}'],
  ];
  for (const [bytes, text] of table) {
    assert.equal(decodeText(Uint8Array.from(bytes), 0, bytes.length), text);
    for (let time = 0; time < 2; time++) assert.equal(decoded(Uint8Array.from(bytes)), text);
  }
});

test('text is read back as it was written, at every length, the first time and again', () => {
  for (let length = 0; length <= 50; length++) {
    for (const text of ['a'.repeat(length), `${'a'.repeat(length)}é`, `é${'a'.repeat(length)}`]) {
      for (let time = 0; time < 2; time++) assert.equal(decoded(bytesOf(text)), text);
    }
  }
  fc.assert(fc.property(fc.string({ unit: 'grapheme' }), (text) => assert.equal(decoded(encodeText(text)), text)));
});

test('texts that share a place in the table of known ones are told apart', () => {
  const digits = 'abcdefghijklmnopqrstu';
  const all = [...digits].flatMap((x) => [...digits].flatMap((y) => [...digits].map((z) => `${x}${y}${z}`)));
  for (const text of [...all, ...all]) assert.equal(decoded(bytesOf(text)), text);
});

test('half of a surrogate pair is written as U+FFFD', () => {
  for (const text of ['\ud800', 'a\udfff', '\ude00\ud83d']) {
    assert.deepEqual(encodeText(text), bytesOf(text.replaceAll(/[\ud800-\udfff]/g, '\ufffd')));
  }
});
