// The writer and the reader of protobuf alone, against varints made of big integers.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LIMITS } from '@meseta/base';
import fc from 'fast-check';
import { BinaryReader } from './binary-reader.js';
import { BinaryWriter, sharedWriter } from './binary-writer.js';
import { WireFailure } from './wire-error.js';

/** A varint of the low 64 bits. */
function varint(value: bigint): number[] {
  const bytes: number[] = [];
  let rest = BigInt.asUintN(64, value);
  for (; rest > 0x7fn; rest >>= 7n) bytes.push(Number(rest & 0x7fn) | 0x80);
  return [...bytes, Number(rest)];
}

const written = (write: (writer: BinaryWriter) => void): number[] => {
  const writer = new BinaryWriter();
  writer.start();
  write(writer);
  return [...writer.finish()];
};
const readerOf = (bytes: readonly number[]): BinaryReader => new BinaryReader(Uint8Array.from(bytes));

/** The whole numbers at which another byte, or another half of 64 bits, begins. */
const edges = Array.from({ length: 54 }, (_, power) => 2 ** power).flatMap((edge) => [edge - 1, edge, edge + 1]);
const safeEdges = edges.filter(Number.isSafeInteger);

test('whole numbers of 64 bits are written as varints and read back, at every edge', () => {
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

test('whole numbers of 32 bits are written as varints and read back, at every edge', () => {
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

test('what is beyond 64 bits is written as the end of the range', () => {
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

test('tags of one and of two bytes', () => {
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

/** A value of a kind, by the kind's place in the table. */
const anyValue = fc.nat(KINDS.length - 1).chain((at) => fc.tuple(fc.constant(at), (KINDS[at] as Kind).any));

test('values written one before the other are read one after the other, wherever the buffer has to grow', () => {
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

test('BINARY-WRITER-1: values of each kind, and tags, are written whole where the buffer has to grow', () => {
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
      // Three bytes are its length.
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

test('BINARY-WRITER-1: a string larger than twice the buffer is written whole', () => {
  const writer = new BinaryWriter();
  writer.start();
  const text = `a${'x'.repeat(200_000)}z`;
  writer.string(text);
  assert.equal(new BinaryReader(writer.finish()).string(2 ** 20), text);
});

test('a text or bytes of any size around that of the buffer are written whole', () => {
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

test('an embedded message has the length of what was written since', () => {
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

test('small messages share an allocation, larger ones do not', () => {
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

test('what was finished stays as it is, however much is written after it', () => {
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

const failureOf = (read: () => unknown): string => {
  try {
    return `gave ${String(read())}`;
  } catch (error) {
    assert.ok(error instanceof WireFailure);
    return `${error.code}: ${error.expected}${error.found === undefined ? '' : `, found ${error.found}`}`;
  }
};

test('a varint has at most ten bytes, of which only 64 bits count', () => {
  const ten = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff];
  assert.equal(readerOf([...ten, 0x01]).bigint(), -1n);
  assert.equal(readerOf([...ten, 0x7f]).bigint(), -1n);
  assert.equal(readerOf([...ten.fill(0x80), 0x7e]).bigint(), 0n);
  assert.equal(readerOf([...ten.fill(0x80), 0x01]).bigint(), -(2n ** 63n));
  assert.equal(
    failureOf(() => readerOf([...ten, 0x80, 0x01]).bigint()),
    'malformed: a varint of at most 10 bytes',
  );
});

test('what is cut, or reaches beyond its end, is refused', () => {
  const cut = 'truncated: more bytes';
  const table: readonly (readonly [found: string, wanted: string])[] = [
    [failureOf(() => readerOf([]).bool()), cut],
    [failureOf(() => readerOf([]).tag()), cut],
    [failureOf(() => readerOf([]).unsigned()), cut],
    [failureOf(() => readerOf([0x80]).unsigned()), cut],
    [failureOf(() => readerOf([1, 2, 3, 4, 5, 6, 7]).double()), cut],
    [failureOf(() => readerOf([0, 0, 0, 0, 0, 0, 0, 0]).double()), 'gave 0'],
    [failureOf(() => readerOf([2, 0x61, 0x62]).string(3)), 'gave ab'],
    [failureOf(() => readerOf([2, 0x61, 0x62]).string(2)), cut],
    [failureOf(() => readerOf([2, 0x61, 0x62]).bytes(2)), cut],
    [failureOf(() => readerOf([2, 0x61]).bytes(2)), cut],
    [failureOf(() => readerOf([0, 1]).tag()), 'malformed: a field number above 0'],
    [failureOf(() => readerOf([7]).tag()), 'malformed: a field number above 0'],
    [failureOf(() => readerOf([0x87, 0x00]).tag()), 'malformed: a field number above 0'],
    [failureOf(() => readerOf([8]).tag()), 'gave 8'],
    [failureOf(() => readerOf([1]).finish(0)), 'gave undefined'],
    [failureOf(() => readerOf([1]).finish(1)), cut],
  ];
  for (const [found, wanted] of table) assert.equal(found, wanted);
});

test('unknown fields: each wire type is passed over to where it ends', () => {
  const group = (...inner: number[]) => [...inner, 0x0c];
  const table: readonly (readonly [tag: number, bytes: number[], limit: number, wanted: string | number])[] = [
    [0x08, [0x80, 0x01, 9], 3, 2],
    [0x09, [1, 2, 3, 4, 5, 6, 7, 8, 9], 9, 8],
    [0x09, [1, 2, 3, 4, 5, 6, 7, 8], 8, 8],
    [0x09, [1, 2, 3, 4, 5, 6, 7, 8], 7, 'truncated: more bytes'],
    [0x0a, [2, 1, 1, 9], 4, 3],
    [0x0a, [2, 1, 1], 2, 'truncated: more bytes'],
    [0x0b, [...group(0x10, 0x05), 9], 9, 3],
    [0x0b, [...group(0x13, 0x14), 9], 9, 3],
    [0x0b, [0x10, 0x05], 2, 'truncated: more bytes'],
    [0x0b, [0x10, 0x05, 0x0c], 2, 'truncated: more bytes'],
    [0x0b, [0x14], 1, 'malformed: the end of group 1, found the end of group 2'],
    [0x0d, [1, 2, 3, 4, 9], 5, 4],
    [0x0d, [1, 2, 3, 4], 4, 4],
    [0x0d, [1, 2, 3, 4], 3, 'truncated: more bytes'],
    [0x0c, [1], 1, 'malformed: a field of a known wire type, found wire type 4'],
    [0x0e, [1], 1, 'malformed: a field of a known wire type, found wire type 6'],
    [0x0f, [1], 1, 'malformed: a field of a known wire type, found wire type 7'],
  ];
  for (const [tag, bytes, limit, wanted] of table) {
    const reader = readerOf(bytes);
    const failure = failureOf(() => reader.skip(tag, limit, 0));
    assert.equal(failure === 'gave undefined' ? reader.position : failure, wanted, `tag ${tag}: ${bytes}`);
  }
});

test('groups nest up to the limit and no deeper', () => {
  const nested = (levels: number) => [...Array(levels).fill(0x0b), ...Array(levels).fill(0x0c), 0x0c];
  const skip = (levels: number) => failureOf(() => readerOf(nested(levels)).skip(0x0b, 2 * levels + 1, 0));
  assert.equal(skip(99), 'gave undefined');
  assert.equal(skip(100), 'depth: at most 100 levels of nesting');
});

test('what a message from outside holds has limits, which count over the whole of it; what is trusted has none', () => {
  const elements = LIMITS.messageElements.most;
  const tooMany = `tooLarge: at most ${elements} elements in the message, found more`;
  const calls: readonly ((reader: BinaryReader) => void)[] = [
    (reader) => reader.enter(0),
    (reader) => reader.item(0, 1),
  ];
  for (const call of calls) {
    const [outside, trusted] = [readerOf([]), new BinaryReader(new Uint8Array(), true)];
    for (let i = 0; i < elements; i++) {
      call(outside);
      call(trusted);
    }
    for (const next of calls) {
      assert.equal(
        failureOf(() => next(outside)),
        tooMany,
      );
      assert.equal(
        failureOf(() => next(trusted)),
        'gave undefined',
      );
    }
  }
  const itemOf = (length: number, trusted = false) =>
    failureOf(() => new BinaryReader(new Uint8Array(), trusted).item(length, 7));
  assert.deepEqual([itemOf(6), itemOf(7, true)], ['gave undefined', 'gave undefined']);
  assert.equal(itemOf(7), 'tooLarge: at most 7 items, found more');
  const entered = (depth: number) => failureOf(() => readerOf([]).enter(depth));
  assert.deepEqual([entered(100), entered(101)], ['gave undefined', 'depth: at most 100 levels of nesting']);
});

test('the strings and bytes of a message together have a limit, unless the message is trusted', () => {
  const { most } = LIMITS.messageText;
  const length = most / 32;
  const bytes = new Uint8Array(varint(BigInt(length)).length + length);
  bytes.set(varint(BigInt(length)));
  for (const isTrusted of [false, true]) {
    const reader = new BinaryReader(bytes, isTrusted);
    const readAgain = (kind: 'string' | 'bytes'): string => {
      reader.position = 0;
      return failureOf(() => reader[kind](bytes.length).length);
    };
    for (let i = 0; i < 31; i++) assert.equal(readAgain('string'), `gave ${length}`);
    assert.equal(readAgain('bytes'), `gave ${Math.ceil(length / 3) * 4}`);
    const problem = `tooLarge: at most ${most} bytes of strings in the message, found more`;
    assert.equal(readAgain('string'), isTrusted ? `gave ${length}` : problem);
    assert.equal(readAgain('bytes'), isTrusted ? `gave ${Math.ceil(length / 3) * 4}` : problem);
  }
});

test('a tag and a number of one byte end at the end of what is read; a longer form of them is the same', () => {
  for (const [bytes, tag] of [
    [[8], 8],
    [[0x7f], 0x7f],
    [[0x88, 0x00], 8],
    [[0x80, 0x01], 0x80],
  ] as const) {
    const reader = readerOf(bytes);
    assert.deepEqual([reader.tag(), reader.position], [tag, bytes.length]);
    const again = readerOf(bytes);
    assert.deepEqual([again.unsigned(), again.position], [tag, bytes.length]);
  }
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
