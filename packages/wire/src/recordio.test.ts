import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { encodeRecord, recordReader } from './recordio.js';

const LIMIT = 64;
const text = (value: string): Uint8Array => new TextEncoder().encode(value);

test('records come out as they went in, however the bytes are cut', () => {
  const records = fc.array(fc.uint8Array({ maxLength: LIMIT }), { maxLength: 8 });
  const cuts = fc.array(fc.nat({ max: 20 }), { minLength: 1 });
  fc.assert(
    fc.property(records, cuts, (sent, sizes) => {
      const bytes = Buffer.concat(sent.map((record) => encodeRecord(record)));
      const reader = recordReader(LIMIT);
      const got: Uint8Array[] = [];
      for (let at = 0, i = 0; at < bytes.length; i++) {
        const size = Math.max(sizes[i % sizes.length] ?? 0, i % sizes.length === 0 ? 1 : 0);
        const read = reader.push(bytes.subarray(at, at + size));
        assert.ok(read.ok);
        got.push(...read.value);
        at += size;
      }
      assert.deepEqual(
        got.map((record) => [...record]),
        sent.map((record) => [...record]),
      );
      assert.ok(reader.atBoundary);
    }),
  );
});

test('an empty record ends with its line feed', () => {
  const read = recordReader(LIMIT).push(text('0\n0\n1\na'));
  assert.ok(read.ok);
  assert.deepEqual(
    read.value.map((record) => record.length),
    [0, 0, 1],
  );
});

for (const [bytes, code] of [
  ['x', 'malformed'],
  ['-1\n', 'malformed'],
  [' 1\n', 'malformed'],
  ['1 \n', 'malformed'],
  ['\n', 'malformed'],
  ['1\r\n', 'malformed'],
  ['1'.repeat(21), 'malformed'],
  ['65\n', 'tooLarge'],
  ['18446744073709551615\n', 'tooLarge'],
] as const) {
  test(`refused for good: ${JSON.stringify(bytes)}`, () => {
    const reader = recordReader(LIMIT);
    const read = reader.push(text(bytes));
    assert.ok(!read.ok && read.error.code === code);
    assert.deepEqual(reader.push(text('1\na')), read);
    assert.ok(!reader.atBoundary);
  });
}

test('a stream that ends inside a frame is not at a boundary', () => {
  for (const bytes of ['1', '1\n', '2\na']) {
    const reader = recordReader(LIMIT);
    assert.ok(reader.push(text(bytes)).ok);
    assert.ok(!reader.atBoundary, bytes);
  }
});
