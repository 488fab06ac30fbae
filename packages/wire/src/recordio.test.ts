import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { encodeRecord, recordHead, recordReader } from './recordio.js';

const LIMIT = 64;

const text = (value: string): Uint8Array => new TextEncoder().encode(value);

test('records are read as they were written, with chunks of any size', () => {
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
  test(`RECORDIO-1: a stream is refused for all further calls: ${JSON.stringify(bytes)}`, () => {
    const reader = recordReader(LIMIT);
    const read = reader.push(text(bytes));
    assert.ok(!read.ok && read.error.code === code);
    assert.deepEqual(reader.push(text('1\na')), read);
    assert.ok(!reader.atBoundary);
  });
}

test('a stream inside a frame is not at a boundary', () => {
  for (const bytes of ['1', '1\n', '2\na']) {
    const reader = recordReader(LIMIT);
    assert.ok(reader.push(text(bytes)).ok);
    assert.ok(!reader.atBoundary, bytes);
  }
});

test('RECORDIO-1: the bytes of an unfinished record are copied, so that the reader keeps no chunk, however short', () => {
  const record = 'a record in many chunks';
  const reader = recordReader(LIMIT);
  const chunk = new Uint8Array(1);
  const got: string[] = [];
  for (const byte of encodeRecord(text(record))) {
    chunk[0] = byte;
    const read = reader.push(chunk);
    assert.ok(read.ok);
    for (const each of read.value) got.push(Buffer.from(each).toString());
  }
  assert.deepEqual(got, [record]);
});

test('RECORDIO-1: the length of a record has at most 20 digits and a limit, and the error names both', () => {
  assert.equal(Buffer.from(encodeRecord(Buffer.from('abc'))).toString(), '3\nabc');
  assert.equal(Buffer.from(recordHead(0)).toString(), '0\n');
  const table: readonly (readonly [bytes: string, expected: string, found: string, code: string])[] = [
    ['/', "a record's length in decimal digits and a line feed", 'byte 47', 'malformed'],
    [':', "a record's length in decimal digits and a line feed", 'byte 58', 'malformed'],
    ['1'.repeat(21), "a record's length in decimal digits and a line feed", 'byte 49', 'malformed'],
    ['\n', "a record's length in decimal digits", 'an empty line', 'malformed'],
    ['11\n', 'at most 10 bytes a record', '11', 'tooLarge'],
  ];
  for (const [bytes, expected, found, code] of table) {
    const read = recordReader(10).push(Buffer.from(bytes));
    assert.deepEqual(read, { ok: false, error: { code, message: 'RecordIO', path: '', expected, found } });
  }
  for (const bytes of ['10\n0123456789', '0009\n123456789', '00000000000000000001\nx'])
    assert.ok(recordReader(10).push(Buffer.from(bytes)).ok, bytes);
  const reader = recordReader(10);
  assert.ok(reader.atBoundary);
  assert.deepEqual(reader.push(Buffer.from('3\nab')), { ok: true, value: [] });
  assert.equal(reader.atBoundary, false);
  assert.deepEqual(reader.push(Buffer.from('c0')), { ok: true, value: [new Uint8Array(Buffer.from('abc'))] });
  assert.equal(reader.atBoundary, false);
  assert.deepEqual(reader.push(Buffer.from('\n')), { ok: true, value: [Buffer.alloc(0)] });
  assert.ok(reader.atBoundary);
});
