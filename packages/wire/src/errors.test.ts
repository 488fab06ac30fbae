// What a refusal says, and the small rules of JSON, names and uuids that it rests on.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { base64ToBytes } from './base64.js';
import { codec } from './codec.js';
import * as codecs from './codecs.js';
import { enumNumber } from './enums.js';
import { jsonArray, jsonBool, jsonMap, jsonNumber, jsonObject, jsonSigned, jsonUnsigned, present } from './json.js';
import { parseExactJson, setEntry } from './json-parser.js';
import {
  readBigint,
  readBool,
  readBytes,
  readDouble,
  readEnum,
  readInt32,
  readInt64,
  readList,
  readMap,
  readObject,
  readRequiredEnum,
  readString,
  readUint32,
  readUint64,
} from './json-reader.js';
import { decodeMessage, encodeMessage, wireNameOf } from './libprocess-codec.js';
import { accepts, bodyType, MEDIA_TYPES, RECORDIO_TYPE } from './media.js';
import { encodeRecord, recordHead, recordReader } from './recordio.js';
import { decodeText, decodeUtf8, encodeText } from './utf8.js';
import { isUuidBytes, uuidBase64, uuidText } from './uuid.js';
import { missing, renderWireError, WireFailure, within } from './wire-error.js';

const outcomeOf = (read: () => unknown): unknown => {
  try {
    return read();
  } catch (error) {
    assert.ok(error instanceof WireFailure, String(error));
    const at = error.path === '' ? '' : `${error.path}: `;
    return `${at}${error.code}: expected ${error.expected}, found ${error.found}`;
  }
};

const wrong = (expected: string, found: string) => `type: expected ${expected}, found ${found}`;
const outside = (expected: string, found: string) => `value: expected ${expected} within its range, found ${found}`;
const JSON_VALUES: readonly (readonly [read: (json: unknown) => unknown, json: unknown, wanted: unknown])[] = [
  [readString, 'a', 'a'],
  [readString, null, wrong('a string', 'null')],
  [readString, [], wrong('a string', 'a list')],
  [readString, {}, wrong('a string', 'an object')],
  [readString, 5, wrong('a string', '5')],
  [readString, true, wrong('a string', 'true')],
  [readBytes, ' YQ', 'YQ=='],
  [readBytes, 1, wrong('a base64 string', '1')],
  [readBytes, 'hunter2!', wrong('a base64 string', 'other text')],
  [readInt32, '~', wrong('a 32-bit integer', '"~"')],
  [readInt32, '~'.repeat(58), wrong('a 32-bit integer', `"${'~'.repeat(58)}"`)],
  [readInt32, '~'.repeat(59), wrong('a 32-bit integer', `"${'~'.repeat(59)}...`)],
  [readBool, true, true],
  [readBool, false, false],
  [readBool, ' true ', true],
  [readBool, ' false ', false],
  [readBool, 'yes', wrong('a boolean', '"yes"')],
  [readBool, 0, wrong('a boolean', '0')],
  [readDouble, 1.5, 1.5],
  [readDouble, '1.5e1', 15],
  [readDouble, 'Infinity', Infinity],
  [readDouble, '-Infinity', -Infinity],
  [readDouble, 12n, 12],
  [readDouble, null, wrong('a number', 'null')],
  ...['01', '1.', '.5', '1e', '1x', 'x1', '--1', '', '1 2', '0x1'].map(
    (text) => [readDouble, text, wrong('a number', JSON.stringify(text))] as const,
  ),
  ...(
    [
      ['-0', -0],
      ['0', 0],
      ['10', 10],
      ['1e5', 1e5],
      ['1E+5', 1e5],
      ['125e-2', 1.25],
      [' -12.25 ', -12.25],
    ] as const
  ).map(([text, number]) => [readDouble, text, number] as const),
  [readInt32, 2 ** 31 - 1, 2 ** 31 - 1],
  [readInt32, 2 ** 31, outside('a 32-bit integer', '2147483648')],
  [readInt32, -(2 ** 31), -(2 ** 31)],
  [readInt32, -(2 ** 31) - 1, outside('a 32-bit integer', '-2147483649')],
  [readInt32, -0.9, 0],
  [readInt32, '7.9', 7],
  [readInt32, '', wrong('a 32-bit integer', '""')],
  [readInt32, Number.NaN, outside('a 32-bit integer', 'NaN')],
  [readUint32, 2 ** 32 - 1, 2 ** 32 - 1],
  [readUint32, 2 ** 32, outside('a 32-bit unsigned integer', '4294967296')],
  [readUint32, 0, 0],
  [readUint32, -1, outside('a 32-bit unsigned integer', '-1')],
  [readUint32, {}, wrong('a 32-bit unsigned integer', 'an object')],
  [readInt64, 2 ** 63, 2 ** 63],
  [readInt64, 2 ** 63 + 2048, outside('a 64-bit integer', '9223372036854778000')],
  [readInt64, -(2 ** 63), -(2 ** 63)],
  [readInt64, -(2 ** 63) - 2048, outside('a 64-bit integer', '-9223372036854778000')],
  [readInt64, 1234567890123456789n, 1234567890123456800],
  [readInt64, [], wrong('a 64-bit integer', 'a list')],
  [readUint64, 2 ** 64, 2 ** 64],
  [readUint64, 2 ** 64 + 4096, outside('a 64-bit unsigned integer', '18446744073709556000')],
  [readUint64, -1, outside('a 64-bit unsigned integer', '-1')],
  [readUint64, null, wrong('a 64-bit unsigned integer', 'null')],
  [readBigint, 5, 5n],
  [readBigint, ' -5 ', -5n],
  [readBigint, '1e2', 100n],
  [readBigint, 2n ** 63n - 1n, 2n ** 63n - 1n],
  [readBigint, 2n ** 63n, wrong('a 64-bit integer', '9223372036854775808')],
  [readBigint, '9223372036854775808', wrong('a 64-bit integer', '9223372036854775808')],
  [readBigint, '1x', wrong('a 64-bit integer', '"1x"')],
  [readBigint, 'x1', wrong('a 64-bit integer', '"x1"')],
];

test('JSON values: what each kind of field takes, and what a refusal says', () => {
  for (const [read, json, wanted] of JSON_VALUES) {
    const label = `${read.name} of ${typeof json === 'bigint' ? json : JSON.stringify(json)}`;
    assert.deepEqual(
      outcomeOf(() => read(json)),
      wanted,
      label,
    );
  }
});

test('names of enum values, known, unknown and missing', () => {
  const numbers = new Map([
    ['A', 1],
    ['B', 2],
  ] as const);
  assert.equal(readEnum('A', numbers), 'A');
  assert.equal(readEnum('C', numbers), undefined);
  assert.equal(
    outcomeOf(() => readEnum(1, numbers)),
    'type: expected the name of an enum value, found 1',
  );
  assert.equal(
    outcomeOf(() => readRequiredEnum('C', numbers)),
    'value: expected one of A, B, found "C"',
  );
  assert.equal(enumNumber(numbers, 'B'), 2);
  assert.throws(() => enumNumber(numbers, 'C' as 'A'), /no enum value C/);
});

test('objects, lists and maps: how deep, of what, and where the refusal is', () => {
  assert.deepEqual(readObject({ a: 1 }, 100), { a: 1 });
  assert.deepEqual(readList(['a', [null, 'b']], 0, readString, 1000, true), ['a', 'b']);
  assert.deepEqual(readList('a', 0, readString, 1000, true), ['a']);
  assert.equal(readList([], 0, readString, 1000, true), undefined);
  assert.equal(readMap({}, 0, readString, 1000, true), undefined);
  assert.deepEqual(readMap({ a: 'b' }, 0, readString, 1000, true), { a: 'b' });
  const tooDeep = 'depth: expected at most 100 levels of nesting, found undefined';
  const table: readonly (readonly [found: unknown, wanted: string])[] = [
    [outcomeOf(() => readObject(null, 0)), 'type: expected an object, found null'],
    [outcomeOf(() => readObject([], 0)), 'type: expected an object, found a list'],
    [outcomeOf(() => readObject({}, 101)), tooDeep],
    [outcomeOf(() => readList([], 101, readString, 1000, true)), tooDeep],
    [outcomeOf(() => readList(['a', ['b', 1]], 0, readString, 1000, true)), '[1][1]: type: expected a string, found 1'],
    [
      outcomeOf(() => readMap({ a: 'b', 'c"': 1 }, 0, readString, 1000, true)),
      '["c\\""]: type: expected a string, found 1',
    ],
    [outcomeOf(() => readMap([], 0, readString, 1000, true)), 'type: expected an object, found a list'],
  ];
  for (const [found, wanted] of table) assert.equal(found, wanted);
  assert.deepEqual(readList([[]], 99, readString, 1000, true), undefined);
});

test('an error that passes through readers collects its path, and no other error is changed', () => {
  const failure = missing('name', 'a string');
  assert.equal(within(failure, 'info'), failure);
  within(failure, '[2]');
  within(failure, '');
  within(failure, 'infos');
  assert.equal(failure.path, 'infos[2].info.name');
  const other = new Error('other');
  assert.equal(within(other, 'x'), other);
  assert.equal((other as { path?: string }).path, undefined);
  assert.equal(failure.name, 'WireFailure');
  assert.equal(failure.message, 'a string');
});

test('an error as one line', () => {
  const error = { code: 'type', message: 'M', path: '', expected: 'a string', found: undefined } as const;
  const table: readonly (readonly [line: string, wanted: string])[] = [
    [renderWireError(error), 'M: expected a string'],
    [renderWireError({ ...error, path: 'a.b' }), "field 'a.b' of M: expected a string"],
    [renderWireError({ ...error, found: '5' }), 'M: expected a string, found 5'],
    [
      renderWireError({ ...error, code: 'missing', path: 'a' }),
      "field 'a' of M is required but missing: expected a string",
    ],
  ];
  for (const [line, wanted] of table) assert.equal(line, wanted);
});

test('a codec answers what its reader refuses, and lets a broken invariant through', () => {
  const failing = (error: Error) =>
    codec<string>(
      'M',
      () => {},
      () => {
        throw error;
      },
      String,
      () => {
        throw error;
      },
    );
  const refused = { ok: false, error: { code: 'value', message: 'M', path: '', expected: 'x', found: 'y' } };
  const refusing = failing(new WireFailure('value', 'x', 'y'));
  assert.deepEqual(refusing.decode(new Uint8Array()), refused);
  assert.deepEqual(refusing.read(1), refused);
  assert.deepEqual(refusing.parse('1'), refused);
  assert.throws(() => failing(new RangeError('broken')).read(1), RangeError);
  const malformed = refusing.parse('{');
  assert.ok(!malformed.ok && malformed.error.found !== undefined && malformed.error.found.length > 0);
  assert.deepEqual(
    { ...malformed.error, found: '' },
    { code: 'malformed', message: 'M', path: '', expected: 'JSON', found: '' },
  );
});

test('a repeated field put together from parts is that of the whole message', () => {
  const ids = ['a', 'b', 'c'].map((value) => ({ value }));
  const whole = codecs.OfferIDCodec.encodeList(5, ids);
  assert.equal(Buffer.from(whole).toString('hex'), '2a030a01612a030a01622a030a0163');
  assert.equal(codecs.OfferIDCodec.encodeList(5, []).length, 0);
});

test('JSON with long integers is what JSON.parse gives, but for those integers', () => {
  const plain = (value: unknown): unknown =>
    JSON.parse(JSON.stringify(value, (_, part) => (typeof part === 'bigint' ? Number(part) : part)));
  const long = '1234567890123456';
  fc.assert(
    fc.property(fc.json({ maxDepth: 4 }), fc.constantFrom('', ' ', '\n\t\r '), (text, space) => {
      const spaced = `${space}[${space}${text}${space},${space}${long}]${space}`;
      const read = parseExactJson(spaced);
      assert.ok(read.ok);
      assert.deepEqual(plain(read.value), JSON.parse(spaced));
      assert.equal((read.value as unknown[])[1], BigInt(long));
    }),
  );
  const table: readonly (readonly [text: string, value: unknown])[] = [
    ['1234567890123456', 1234567890123456n],
    ['-123456789012345678', -123456789012345678n],
    ['[123456789012345, 1234567890123456]', [123456789012345, 1234567890123456n]],
    ['-12345678901234567', -12345678901234567n],
    ['[-12345678901234, 1234567890123456]', [-12345678901234, 1234567890123456n]],
    ['[1234567890123456.5]', [1234567890123456.5]],
    ['[12345678901234567e3]', [12345678901234567e3]],
    ['[1e5, 2.5E-3, -1e+2, 1234567890123456]', [1e5, 2.5e-3, -1e2, 1234567890123456n]],
    ['{"a":{}, "b" : [ ] , "c":1234567890123456}', { a: {}, b: [], c: 1234567890123456n }],
    ['["1234567890123456", true, false, null]', ['1234567890123456', true, false, null]],
    ['["\\"\\\\", "1234567890123456\\u0041"]', ['"\\', '1234567890123456A']],
  ];
  for (const [text, value] of table) assert.deepEqual(parseExactJson(text), { ok: true, value }, text);
});

test('JSON with long integers nests up to the limit', () => {
  const nested = (levels: number) => `${'['.repeat(levels)}1234567890123456${']'.repeat(levels)}`;
  assert.ok(parseExactJson(nested(200)).ok);
  const deep = parseExactJson(nested(201));
  assert.ok(!deep.ok);
  assert.deepEqual([deep.error.code, deep.error.found], ['malformed', 'nested more than 200 levels deep']);
  const objects = `${'{"a":'.repeat(201)}1234567890123456${'}'.repeat(201)}`;
  assert.equal(parseExactJson(objects).ok, false);
});

test('an entry is an own property whatever its key', () => {
  const record: Record<string, number> = {};
  setEntry(record, '__proto__', 1);
  setEntry(record, 'a', 2);
  assert.deepEqual(Object.entries(record), [
    ['__proto__', 1],
    ['a', 2],
  ]);
  assert.ok(Reflect.set(record, '__proto__', 3));
  assert.equal(Reflect.get(record, '__proto__'), 3);
  assert.equal(Object.getPrototypeOf(record), Object.prototype);
});

test('JSON put together from parts', () => {
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
    [present(undefined, String), undefined],
    [present(0, String), '0'],
  ];
  for (const [text, wanted] of table) assert.equal(text, wanted);
});

test('short texts that are read again and again stay apart', () => {
  const texts = Array.from({ length: 20_000 }, (_, i) => `text ${i % 10_000}`);
  for (const text of [...texts, '', 'x'.repeat(48), 'y'.repeat(48), 'x'.repeat(49), 'é', 'ab', 'ba', 'é'.repeat(30)]) {
    const bytes = encodeText(`<${text}>`);
    assert.equal(decodeUtf8(bytes, 1, bytes.length - 1), text);
    assert.equal(decodeText(bytes, 1, bytes.length - 1), text);
  }
});

test('uuids: text and bytes there and back, and what is none', () => {
  const text = '82a7055f-0b15-46db-9d2d-ac08fd597e89';
  for (const other of [text.toUpperCase(), text]) assert.equal(uuidText(uuidBase64(other) ?? ''), text);
  const bad = [
    `x${text}`,
    `${text}x`,
    text.slice(1),
    text.replace('-', ''),
    text.replaceAll('-', '_'),
    text.replace('8', 'g'),
  ];
  for (const other of bad) assert.equal(uuidBase64(other), undefined, other);
  const bytes = base64ToBytes(uuidBase64(text) ?? '') as Uint8Array;
  for (const [version, isUuid] of [
    [0x0f, false],
    [0x10, true],
    [0x5f, true],
    [0x60, false],
  ] as const)
    assert.equal(isUuidBytes(Uint8Array.from(bytes, (byte, i) => (i === 6 ? version : byte))), isUuid);
  assert.equal(isUuidBytes(new Uint8Array(0)), false);
  assert.equal(uuidText(Buffer.from(bytes.subarray(1)).toString('base64')), undefined);
});

test('media types', () => {
  assert.equal(RECORDIO_TYPE, 'application/recordio');
  assert.deepEqual(MEDIA_TYPES, ['application/json', 'application/x-protobuf']);
  assert.equal(bodyType(RECORDIO_TYPE), undefined);
  const table: readonly (readonly [accept: string | undefined, accepted: boolean])[] = [
    [undefined, true],
    ['application/recordio', true],
    ['application/*', true],
    ['*/*', true],
    ['*', false],
    ['application/recordio;q=0.001', true],
    ['application/recordio;q=-1', false],
    ['application/recordio;q=0;q=1', true],
    ['application/recordio;v=1;q=0', false],
    [' application/recordio\t;\nq = 0', false],
    ['application/recordio;q=0,application/recordio', false],
    ['application/*;q=0,*/*', false],
  ];
  for (const [accept, accepted] of table) assert.equal(accepts(accept, RECORDIO_TYPE), accepted, accept);
});

test('names of messages: an agent is a slave on the wire, and a call of a driver has a package of its own', () => {
  const table = [
    ['RegisterAgentMessage', 'mesos.internal.RegisterSlaveMessage'],
    ['AgentReregisteredMessage', 'mesos.internal.SlaveReregisteredMessage'],
    ['RunTaskMessage', 'mesos.internal.RunTaskMessage'],
    ['SchedulerCall', 'mesos.scheduler.Call'],
  ] as const;
  for (const [name, wireName] of table) assert.equal(wireNameOf(name), wireName);
  const shutdown = { name: 'ShutdownMessage', body: { message: 'x' } } as const;
  const { wireName, bytes } = encodeMessage(shutdown);
  assert.deepEqual(decodeMessage(wireName, bytes), { ok: true, value: shutdown });
  const unknown = decodeMessage('mesos.internal.X', bytes);
  assert.equal(
    unknown.ok ? '' : renderWireError(unknown.error),
    'mesos.internal.X: expected the name of a message between masters, agents and drivers',
  );
});

test('records: what their heads may be, and what a refusal says', () => {
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
  assert.deepEqual(reader.push(Buffer.from('\n')), { ok: true, value: [new Uint8Array()] });
  assert.ok(reader.atBoundary);
});
