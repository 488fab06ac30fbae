// The writer of protobuf, against varints of big integers.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { BinaryReader } from './binary-reader.js';
import { BinaryWriter, sharedWriter } from './binary-writer.js';
import { varint } from './testing/varint.js';

const written = (write: (writer: BinaryWriter) => void): number[] => {
  const writer = new BinaryWriter();
  writer.start();
  write(writer);
  return [...writer.finish()];
};

const readerOf = (bytes: readonly number[]): BinaryReader => new BinaryReader(Uint8Array.from(bytes));

/** The integers around each power of two, where the number of bytes or of 32-bit halves changes. */
const edges = Array.from({ length: 54 }, (_, power) => 2 ** power).flatMap((edge) => [edge - 1, edge, edge + 1]);

const safeEdges = edges.filter(Number.isSafeInteger);

test('integers of 64 bits are written as varints and read back, at every power of two', () => {
  for (const value of safeEdges) {
    const bytes = varint(BigInt(value));
    assert.deepEqual(
      written((writer) => writer.unsigned64(value)),
      bytes,
      `unsigned ${value}`,
    );
    assert.equal(readerOf(bytes).unsigned64(), value);
    for (const signed of [value, -value]) {
      const own = varint(BigInt(signed));
      assert.deepEqual(
        written((writer) => writer.signed64(signed)),
        own,
        `signed ${signed}`,
      );
      assert.equal(readerOf(own).signed64(), signed + 0);
      assert.deepEqual(
        written((writer) => writer.bigint(BigInt(signed))),
        own,
      );
      assert.equal(readerOf(own).bigint(), BigInt(signed));
      assert.equal(readerOf(own).bool(), signed !== 0);
    }
  }
});

test('integers of 32 bits are written as varints and read back, at every power of two', () => {
  for (const value of safeEdges.filter((edge) => edge < 2 ** 32)) {
    const bytes = varint(BigInt(value));
    assert.deepEqual(
      written((writer) => writer.unsigned(value)),
      bytes,
      `unsigned ${value}`,
    );
    assert.equal(readerOf(bytes).unsigned(), value);
    for (const signed of [value, -value].filter((it) => it === (it | 0))) {
      const own = varint(BigInt(signed));
      assert.deepEqual(
        written((writer) => writer.signed32(signed)),
        own,
        `signed ${signed}`,
      );
      assert.equal(readerOf(own).signed32(), signed + 0);
    }
  }
});

test('a number beyond 64 bits is written as the nearest number in the range', () => {
  const ends: readonly (readonly [write: (writer: BinaryWriter) => void, value: bigint])[] = [
    [(writer) => writer.unsigned64(2 ** 64), 2n ** 64n - 1n],
    [(writer) => writer.unsigned64(2 ** 65), 2n ** 64n - 1n],
    [(writer) => writer.unsigned64(2 ** 64 - 2048), 2n ** 64n - 2048n],
    [(writer) => writer.signed64(2 ** 63), 2n ** 63n - 1n],
    [(writer) => writer.signed64(2 ** 70), 2n ** 63n - 1n],
    [(writer) => writer.signed64(2 ** 63 - 1024), 2n ** 63n - 1024n],
    [(writer) => writer.signed64(-(2 ** 63)), -(2n ** 63n)],
    [(writer) => writer.signed64(-(2 ** 70)), -(2n ** 63n)],
    [(writer) => writer.signed64(-(2 ** 63) + 1024), -(2n ** 63n) + 1024n],
  ];
  for (const [write, value] of ends) assert.deepEqual(written(write), varint(value), String(value));
});

test('tags of one and two bytes are written and read back', () => {
  for (const tag of [8, 0x7f, 0x80, 0xff, 0x100, 0x3fff]) {
    const bytes = varint(BigInt(tag));
    assert.deepEqual(
      written((writer) => writer.tag(tag)),
      bytes,
    );
    const reader = readerOf([...bytes, 0xff]);
    assert.equal(reader.tag(), tag);
    assert.equal(reader.position, bytes.length);
  }
});

interface Kind {
  readonly any: fc.Arbitrary<unknown>;
  readonly write: (writer: BinaryWriter, value: never) => void;
  readonly read: (reader: BinaryReader, limit: number) => unknown;
}

const kind = <T>(
  any: fc.Arbitrary<T>,
  write: (writer: BinaryWriter, value: T) => void,
  read: (reader: BinaryReader, limit: number) => T,
): Kind => ({ any, write, read });

const KINDS: readonly Kind[] = [
  kind(
    fc.boolean(),
    (writer, value) => writer.bool(value),
    (reader) => reader.bool(),
  ),
  kind(
    fc.nat(),
    (writer, value) => writer.unsigned(value),
    (reader) => reader.unsigned(),
  ),
  kind(
    fc.integer(),
    (writer, value) => writer.signed32(value),
    (reader) => reader.signed32(),
  ),
  kind(
    fc.maxSafeInteger(),
    (writer, value) => writer.signed64(value),
    (reader) => reader.signed64(),
  ),
  kind(
    fc.maxSafeNat(),
    (writer, value) => writer.unsigned64(value),
    (reader) => reader.unsigned64(),
  ),
  kind(
    fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
    (writer, value) => writer.bigint(value),
    (reader) => reader.bigint(),
  ),
  kind(
    fc.double({ noNaN: true }),
    (writer, value) => writer.double(value),
    (reader) => reader.double(),
  ),
  kind(
    fc.string({ unit: 'grapheme', maxLength: 300 }),
    (writer, value) => writer.string(value),
    (reader, limit) => reader.string(limit),
  ),
  kind(
    fc.string({ unit: 'grapheme-ascii', maxLength: 300 }),
    (writer, value) => writer.string(value),
    (reader, limit) => reader.string(limit),
  ),
  kind(
    fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes).toString('base64')),
    (writer, value) => writer.bytes(value),
    (reader, limit) => reader.bytes(limit),
  ),
];

/** A kind by its index in the table, and a value of it. */
const anyValue = fc.nat(KINDS.length - 1).chain((at) => fc.tuple(fc.constant(at), (KINDS[at] as Kind).any));

test('values of all kinds are read in the reverse order of writing, wherever the buffer grows', () => {
  fc.assert(
    fc.property(fc.array(anyValue, { minLength: 1, maxLength: 20 }), fc.nat(140), (values, free) => {
      const writer = new BinaryWriter();
      writer.start();
      const filling = 64 * 1024 - free - 10;
      writer.string('x'.repeat(filling));
      for (const [at, value] of [...values].reverse()) (KINDS[at] as Kind).write(writer, value as never);
      const bytes = writer.finish();
      const reader = new BinaryReader(bytes);
      for (const [at, value] of values) assert.deepEqual((KINDS[at] as Kind).read(reader, bytes.length), value);
      assert.equal(reader.string(bytes.length).length, filling);
      reader.finish(bytes.length);
    }),
  );
});

test('BINARY-WRITER-1: values of each kind and tags are complete where the buffer grows', () => {
  const examples: readonly unknown[] = [
    true,
    2 ** 28,
    -1,
    -1,
    Number.MAX_SAFE_INTEGER,
    -1n,
    0.1,
    'é'.repeat(70),
    'x'.repeat(150),
    Buffer.alloc(150, 7).toString('base64'),
  ];
  const tag = 0x3fff;
  for (const [at, { write, read }] of KINDS.entries()) {
    for (const freeBytes of [98, 99, 100, 101, 102]) {
      const writer = new BinaryWriter();
      writer.start();
      // The length takes three bytes.
      const filling = 'x'.repeat(64 * 1024 - freeBytes - 3);
      writer.string(filling);
      for (let n = 0; n < 120; n++) {
        write(writer, examples[at] as never);
        writer.tag(tag);
      }
      const bytes = writer.finish();
      const reader = new BinaryReader(bytes);
      for (let n = 0; n < 120; n++) {
        assert.equal(reader.tag(), tag);
        assert.deepEqual(read(reader, bytes.length), examples[at]);
      }
      assert.equal(reader.string(bytes.length), filling);
      reader.finish(bytes.length);
    }
  }
});

test('BINARY-WRITER-1: a string larger than twice the buffer is complete', () => {
  const writer = new BinaryWriter();
  writer.start();
  const text = `a${'x'.repeat(200_000)}z`;
  writer.string(text);
  assert.equal(new BinaryReader(writer.finish()).string(2 ** 20), text);
});

test('strings and bytes of sizes around that of the buffer are complete', () => {
  for (const size of [1, 1000, 65_400, 65_500, 65_536, 65_600, 200_000, 5_000_000]) {
    const writer = new BinaryWriter();
    for (const text of ['x'.repeat(size), `${'x'.repeat(size)}é`]) {
      writer.start();
      writer.string(text);
      const bytes = writer.finish();
      assert.equal(new BinaryReader(bytes).string(bytes.length), text);
      assert.deepEqual(
        [...bytes.subarray(0, 4)],
        [...varint(BigInt(Buffer.byteLength(text))), ...Buffer.from(text.slice(0, 4))].slice(0, 4),
      );
    }
    const base64 = Buffer.alloc(size, 7).toString('base64');
    writer.start();
    writer.bytes(base64);
    const bytes = writer.finish();
    assert.equal(new BinaryReader(bytes).bytes(bytes.length), base64);
    writer.start();
    writer.bool(true);
    assert.deepEqual([...writer.finish()], [1]);
  }
});

test('the length of an embedded message is that of the bytes written since its beginning', () => {
  const bytes = written((writer) => {
    writer.bool(true);
    const before = writer.written();
    assert.equal(before, 1);
    writer.string('ab');
    assert.equal(writer.written(), 4);
    writer.length(before);
  });
  assert.deepEqual(bytes, [3, 2, 0x61, 0x62, 1]);
});

test('copies of small messages share an allocation, copies of larger ones do not', () => {
  const writer = new BinaryWriter();
  const finished = (bytes: number): Uint8Array => {
    writer.start();
    for (let n = 0; n < bytes; n++) writer.bool(true);
    return writer.finish();
  };
  const [first, second, large] = [finished(3), finished(1024), finished(1025)];
  assert.equal(second?.buffer, first?.buffer);
  assert.notEqual(large?.buffer, first?.buffer);
  assert.equal(large?.buffer.byteLength, 1025);
});

test('bytes that are not base64 are a broken invariant', () => {
  assert.throws(() => written((writer) => writer.bytes('?')), /bytes fields hold base64/);
});

test('a finished message does not change when others are written', () => {
  const writer = new BinaryWriter();
  const sizes = [0, 1, 10, 1000, 1021, 1022, 1023, 1024, 1025, 3000];
  const finished = Array.from({ length: 60 }, (_, i) => {
    const text = String.fromCharCode(65 + (i % 26)).repeat(sizes[i % sizes.length] as number);
    writer.start();
    writer.string(text);
    return { text, bytes: writer.finish() };
  });
  for (const { text, bytes } of finished) {
    assert.equal(bytes.length, text.length + varint(BigInt(text.length)).length);
    assert.equal(new BinaryReader(bytes).string(bytes.length), text);
  }
  assert.equal(sharedWriter(), sharedWriter());
});

test('characters around the end of ASCII are written as UTF-8', () => {
  for (const text of ['\u007f', '\u0080', 'a\u007f', 'a\u0080\u007f']) {
    const bytes = [...Buffer.from(text)];
    assert.deepEqual(
      written((writer) => writer.string(text)),
      [bytes.length, ...bytes],
    );
  }
});
