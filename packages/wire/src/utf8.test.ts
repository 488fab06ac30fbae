import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { decodeText, decodeUtf8, encodeText } from './utf8.js';

const bytesOf = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text));

/** The string of bytes that are between other bytes, as in a message. */
const decoded = (bytes: Uint8Array): string => {
  const buffer = Uint8Array.from([0x62, 0xc3, ...bytes, 0xa9, 0x61]);
  return decodeUtf8(buffer, 2, 2 + bytes.length);
};

test('decoding keeps a byte order mark; bytes that are not UTF-8 become U+FFFD', () => {
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

test('a string of any length is decoded as it was encoded, the first time and from the table', () => {
  for (let length = 0; length <= 50; length++) {
    for (const text of ['a'.repeat(length), `${'a'.repeat(length)}é`, `é${'a'.repeat(length)}`]) {
      for (let time = 0; time < 2; time++) assert.equal(decoded(bytesOf(text)), text);
    }
  }
  fc.assert(fc.property(fc.string({ unit: 'grapheme' }), (text) => assert.equal(decoded(encodeText(text)), text)));
});

test('different strings in one slot of the table are distinguished', () => {
  const digits = 'abcdefghijklmnopqrstu';
  const all = [...digits].flatMap((x) => [...digits].flatMap((y) => [...digits].map((z) => `${x}${y}${z}`)));
  for (const text of [...all, ...all]) assert.equal(decoded(bytesOf(text)), text);
});

test('half of a surrogate pair is encoded as U+FFFD', () => {
  for (const text of ['\ud800', 'a\udfff', '\ude00\ud83d']) {
    assert.deepEqual(encodeText(text), bytesOf(text.replaceAll(/[\ud800-\udfff]/g, '\ufffd')));
  }
});

test('a short ASCII string is decoded once; long strings and other characters are decoded each time', (t) => {
  let decodings = 0;
  const { decode } = TextDecoder.prototype;
  TextDecoder.prototype.decode = function (...args) {
    decodings++;
    return decode.apply(this, args);
  };
  t.after(() => {
    TextDecoder.prototype.decode = decode;
  });
  const decodingsOf = (...texts: readonly string[]): number => {
    decodings = 0;
    for (const text of texts) assert.equal(decoded(bytesOf(text)), text);
    return decodings;
  };
  const cases: readonly (readonly [texts: readonly string[], expected: number])[] = [
    [['framework-1', 'framework-1', 'framework-1'], 1],
    [['ab1', 'ba1', 'ab1', 'ba1'], 2],
    [['', ''], 0],
    [['x'.repeat(48), 'x'.repeat(48)], 1],
    [['x'.repeat(49), 'x'.repeat(49)], 2],
    [['\u007f', '\u007f'], 1],
    [['\u0080', '\u0080'], 2],
    [['aé', 'aé'], 2],
  ];
  for (const [texts, expected] of cases) assert.equal(decodingsOf(...texts), expected, JSON.stringify(texts));
  const ids = Array.from({ length: 1000 }, (_, n) => `id-${n}`);
  decodingsOf(...ids);
  assert.ok(decodingsOf(...ids) < 300, 'the table has a slot for most of a thousand strings');
});

test('short strings that are decoded repeatedly stay distinct', () => {
  const texts = Array.from({ length: 20_000 }, (_, i) => `text ${i % 10_000}`);
  for (const text of [...texts, '', 'x'.repeat(48), 'y'.repeat(48), 'x'.repeat(49), 'é', 'ab', 'ba', 'é'.repeat(30)]) {
    const bytes = encodeText(`<${text}>`);
    assert.equal(decodeUtf8(bytes, 1, bytes.length - 1), text);
    assert.equal(decodeText(bytes, 1, bytes.length - 1), text);
  }
});
