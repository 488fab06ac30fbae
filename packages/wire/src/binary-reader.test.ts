// The reader of protobuf: the values that it accepts and refuses, and its limits.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LIMITS } from '@meseta/base';
import { BinaryReader } from './binary-reader.js';
import type { Codec } from './codec.js';
import * as codecs from './codecs.js';
import { varint } from './testing/varint.js';
import { type WireErrorCode, WireFailure } from './wire-error.js';

const hex = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text.replaceAll(' ', ''), 'hex'));

const TAKEN: readonly (readonly [what: string, codec: Codec<unknown>, bytes: string, value: unknown])[] = [
  [
    'unknown fields of every wire type are skipped',
    codecs.TaskIDCodec,
    'f80701 f10700000000000000ff f20701aa f50700000000 fb0708 01 fc07 0a0161',
    { value: 'a' },
  ],
  ['a known field of another wire type is unknown', codecs.TaskIDCodec, '0801 0a0161', { value: 'a' }],
  ['the last of several counts', codecs.TaskIDCodec, '0a0161 0a0162', { value: 'b' }],
  [
    'numbers in a list may be packed',
    codecs.HealthCheckHTTPCheckInfoCodec,
    '0850 2203 c80101 20c901',
    { port: 80, statuses: [200, 1, 201] },
  ],
  [
    'enums in a list may be packed; unknown ones are dropped',
    codecs.CSIPluginContainerInfoCodec,
    '0a03 016302 0801',
    { services: ['CONTROLLER_SERVICE', 'NODE_SERVICE', 'CONTROLLER_SERVICE'] },
  ],
  ['an unknown enum number is unset', codecs.SchedulerCallCodec, '1063', {}],
  ['an enum number may take ten bytes', codecs.SchedulerCallCodec, '10ffffffffffffffffff01', {}],
  ['a negative int32 takes ten bytes', codecs.AddressCodec, '18ffffffffffffffffff01', { port: -1 }],
  ['an int32 of 64 bits is cut to its low half', codecs.AddressCodec, '1885808080f001', { port: 5 }],
  ['any varint but 0 is true', codecs.PingAgentMessageCodec, '088080808010', { connected: true }],
  ['text that is no UTF-8 is replaced', codecs.TaskIDCodec, '0a0361ff62', { value: 'a\ufffdb' }],
  ['a byte order mark is text', codecs.TaskIDCodec, '0a03efbbbf', { value: '\ufeff' }],
  ['an entry without value or key is the default', codecs.LabelsCodec, '0a020a00', { labels: [{ key: '' }] }],
];

for (const [what, codec, bytes, value] of TAKEN) {
  test(what, () => assert.deepEqual(codec.decode(hex(bytes)), { ok: true, value }));
}

const REFUSED: readonly (readonly [
  what: string,
  codec: Codec<unknown>,
  bytes: string,
  code: WireErrorCode,
  path: string,
])[] = [
  ['text', codecs.SchedulerCallCodec, '7a7a7a', 'truncated', 'revive'],
  ['a length beyond the end', codecs.SchedulerCallCodec, '0a 7f 0a', 'truncated', 'framework_id'],
  ['a length of 4 GiB', codecs.SchedulerCallCodec, '1a ffffffff0f', 'truncated', 'subscribe'],
  [
    'a length beyond the message around it',
    codecs.SchedulerCallCodec,
    '0a02 0a03 616263',
    'truncated',
    'framework_id.value',
  ],
  ['a varint cut by its message', codecs.SchedulerEventCodec, '3202 0a80 01', 'truncated', 'message.agent_id'],
  ['a varint of 11 bytes', codecs.PingAgentMessageCodec, '08ffffffffffffffffffff01', 'malformed', 'connected'],
  ['a cut double', codecs.ValueScalarCodec, '09000000', 'truncated', 'value'],
  ['field 0', codecs.TaskIDCodec, '0001', 'malformed', ''],
  ['wire type 7', codecs.TaskIDCodec, '0f01', 'malformed', 'value'],
  ['the end of no group', codecs.TaskIDCodec, '0c', 'malformed', 'value'],
  ['the end of another group', codecs.TaskIDCodec, '13 1c', 'malformed', ''],
  ['a group without end', codecs.TaskIDCodec, '13', 'truncated', ''],
  [
    'a missing required field',
    codecs.SchedulerCallCodec,
    '1a0a 0a08 0a0161 1a030a0178',
    'missing',
    'subscribe.framework_info.name',
  ],
  ['an unknown number in a required enum', codecs.ResourceCodec, '0a0161 1063', 'missing', 'type'],
];

for (const [what, codec, bytes, code, path] of REFUSED) {
  test(`a malformed message is refused: ${what}`, () => {
    const decoded = codec.decode(hex(bytes));
    assert.ok(!decoded.ok, JSON.stringify(decoded));
    assert.deepEqual([decoded.error.code, decoded.error.path], [code, path]);
  });
}

test('BINARY-READER-2: the nesting of messages and of unknown groups has a limit', () => {
  let bytes = codecs.ContainerIDCodec.encode({ value: 'c' });
  for (let i = 0; i < 2000; i++) {
    bytes = Uint8Array.from([0x0a, 1, 0x63, 0x12, ...varint(BigInt(bytes.length)), ...bytes]);
  }
  for (const hostile of [bytes, new Uint8Array(100_000).fill(0x1b)]) {
    const decoded = codecs.ContainerIDCodec.decode(hostile);
    assert.ok(!decoded.ok && decoded.error.code === 'depth');
  }
});

test('integers beyond 53 bits are rounded; the ends of the range stay in the range', () => {
  const ends: readonly (readonly [Codec<unknown>, string, number])[] = [
    [codecs.ValueRangeCodec, '0800 10ffffffffffffffffff01', 2 ** 64],
    [codecs.DurationInfoCodec, '08ffffffffffffffff7f', 2 ** 63],
    [codecs.DurationInfoCodec, '0880808080808080808001', -(2 ** 63)],
  ];
  for (const [codec, bytes, number] of ends) {
    const decoded = codec.decode(hex(bytes));
    assert.ok(decoded.ok);
    assert.ok(Object.values(decoded.value as object).includes(number));
    assert.equal(Buffer.from(codec.encode(decoded.value)).toString('hex'), bytes.replaceAll(' ', ''));
    assert.deepEqual(codec.parse(codec.write(decoded.value)), decoded);
  }
});

const readerOf = (bytes: readonly number[]): BinaryReader => new BinaryReader(Uint8Array.from(bytes));

const failureOf = (read: () => unknown): string => {
  try {
    return `gave ${String(read())}`;
  } catch (error) {
    assert.ok(error instanceof WireFailure);
    return `${error.code}: ${error.expected}${error.found === undefined ? '' : `, found ${error.found}`}`;
  }
};

test('BINARY-READER-2: a varint has at most ten bytes, of which 64 bits count', () => {
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

test('BINARY-READER-1: a truncated value, or one that extends beyond its message, is refused', () => {
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

test('unknown fields of each wire type are skipped', () => {
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

test('BINARY-READER-2: unknown groups nest up to the limit', () => {
  const nested = (levels: number) => [...Array(levels).fill(0x0b), ...Array(levels).fill(0x0c), 0x0c];
  const skip = (levels: number) => failureOf(() => readerOf(nested(levels)).skip(0x0b, 2 * levels + 1, 0));
  assert.equal(skip(99), 'gave undefined');
  assert.equal(skip(100), 'depth: at most 100 levels of nesting');
});

test('BINARY-READER-2: nesting, elements and items of a message from outside have limits; a trusted message has none', () => {
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
  // An entry of a map counts as eight.
  const reader = readerOf([]);
  for (let i = 0; i < Math.floor(elements / 8); i++) reader.entry(0, 1);
  assert.equal(
    failureOf(() => reader.entry(0, 1)),
    tooMany,
  );
  assert.equal(
    failureOf(() => readerOf([]).entry(7, 7)),
    'tooLarge: at most 7 items, found more',
  );
  const itemOf = (length: number, trusted = false) =>
    failureOf(() => new BinaryReader(new Uint8Array(), trusted).item(length, 7));
  assert.deepEqual([itemOf(6), itemOf(7, true)], ['gave undefined', 'gave undefined']);
  assert.equal(itemOf(7), 'tooLarge: at most 7 items, found more');
  const entered = (depth: number) => failureOf(() => readerOf([]).enter(depth));
  assert.deepEqual([entered(100), entered(101)], ['gave undefined', 'depth: at most 100 levels of nesting']);
});

test('BINARY-READER-2: the strings and bytes of a message together have a limit, unless the message is trusted', () => {
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

test('tags and numbers of one byte are read up to the end of the buffer; longer forms give the same value', () => {
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
