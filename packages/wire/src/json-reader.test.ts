// What the JSON readers accept and refuse, as Mesos does; an error names the field and the expected value.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as codecs from './codecs.js';
import { enumNumber } from './enums.js';
import {
  readBigint,
  readBool,
  readBytes,
  readDouble,
  readEnum,
  readId,
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
import { renderWireError, type WireErrorCode, WireFailure } from './wire-error.js';

const call = (subscribe: unknown): string => JSON.stringify({ type: 'SUBSCRIBE', subscribe });

const info = { user: 'root', name: 'x' };

const REFUSED: readonly (readonly [text: string, code: WireErrorCode, path: string])[] = [
  ['', 'malformed', ''],
  ['hello', 'malformed', ''],
  ['{"type":', 'malformed', ''],
  ['[]', 'type', ''],
  ['7', 'type', ''],
  ['null', 'type', ''],
  ['{"type": 1}', 'type', 'type'],
  [call({}), 'missing', 'subscribe.framework_info'],
  [call([]), 'type', 'subscribe'],
  [call('x'), 'type', 'subscribe'],
  [call({ framework_info: { user: 'root' } }), 'missing', 'subscribe.framework_info.name'],
  [call({ framework_info: { user: null, name: 'x' } }), 'missing', 'subscribe.framework_info.user'],
  [call({ framework_info: { user: 1, name: 'x' } }), 'type', 'subscribe.framework_info.user'],
  [call({ framework_info: { ...info, checkpoint: 1 } }), 'type', 'subscribe.framework_info.checkpoint'],
  [call({ framework_info: { ...info, failover_timeout: true } }), 'type', 'subscribe.framework_info.failover_timeout'],
  [call({ framework_info: { ...info, failover_timeout: 'x' } }), 'type', 'subscribe.framework_info.failover_timeout'],
  [call({ framework_info: { ...info, failover_timeout: '' } }), 'type', 'subscribe.framework_info.failover_timeout'],
  [call({ framework_info: { ...info, roles: ['a', 2] } }), 'type', 'subscribe.framework_info.roles[1]'],
  [
    call({ framework_info: { ...info, offer_filters: { 'a/b': [] } } }),
    'type',
    'subscribe.framework_info.offer_filters["a/b"]',
  ],
  [
    JSON.stringify({ accept: { offer_ids: [{ value: 'o' }], operations: [{}, { launch: { task_infos: [{}] } }] } }),
    'missing',
    'accept.operations[1].launch.task_infos[0].name',
  ],
  [
    JSON.stringify({ acknowledge: { agent_id: { value: 'a' }, task_id: { value: 't' }, uuid: '~' } }),
    'type',
    'acknowledge.uuid',
  ],
];

for (const [text, code, path] of REFUSED) {
  test(`a call is refused with the field: ${text}`, () => {
    const read = codecs.SchedulerCallCodec.parse(text);
    assert.ok(!read.ok);
    assert.deepEqual([read.error.code, read.error.path], [code, path]);
    const line = renderWireError(read.error);
    assert.ok(line.includes(path) && line.includes(read.error.expected) && !line.includes('\n'), line);
  });
}

const TAKEN: readonly (readonly [what: string, given: object, taken: object])[] = [
  ['an unknown field is ignored', { surprise: { a: [1] } }, {}],
  ['null is unset', { checkpoint: null, roles: null, id: null }, {}],
  ['numbers may be strings', { failover_timeout: ' 1e3 ' }, { failover_timeout: 1000 }],
  ['an infinity is a string', { failover_timeout: '-Infinity' }, { failover_timeout: -Infinity }],
  ['booleans may be strings', { checkpoint: 'true' }, { checkpoint: true }],
  ['a single value is a list of one', { roles: 'a' }, { roles: ['a'] }],
  ['an empty list is unset, a null in a list dropped', { roles: [null], capabilities: [] }, {}],
  ['an unknown name in an optional enum field is unset', { capabilities: [{ type: 'DANCE' }] }, { capabilities: [{}] }],
];

for (const [what, given, taken] of TAKEN) {
  test(what, () => {
    const read = codecs.FrameworkInfoCodec.read({ ...info, ...given });
    assert.deepEqual(read, { ok: true, value: { ...info, ...taken } });
  });
}

test('an unknown enum name is dropped from a list, and refused if it is required', () => {
  const services = codecs.CSIPluginContainerInfoCodec.read({ services: ['NODE_SERVICE', 'DANCE'] });
  assert.deepEqual(services, { ok: true, value: { services: ['NODE_SERVICE'] } });
  const resource = codecs.ResourceCodec.read({ name: 'cpus', type: 'DANCE' });
  assert.ok(!resource.ok && resource.error.path === 'type' && resource.error.expected.includes('SCALAR'));
});

test('integers: fractions are truncated; numbers out of range are refused', () => {
  const port = (value: unknown) => codecs.AddressCodec.read({ port: value });
  assert.deepEqual(port(1.9), { ok: true, value: { port: 1 } });
  assert.deepEqual(port('5051'), { ok: true, value: { port: 5051 } });
  assert.equal(port(2 ** 31).ok, false);
  assert.equal(codecs.ValueRangeCodec.read({ begin: -1, end: 2 }).ok, false);
});

test('absolute times keep all digits in JSON text, values and bytes', () => {
  for (const nanoseconds of [1763858538123456789n, -9223372036854775808n, 9223372036854775807n, 0n, 12n]) {
    const value = { start: { nanoseconds } };
    const text = `{"x": [1234567890123456789, "\\"\\u0041", {"": true}], "start":{"nanoseconds": ${nanoseconds} }, "y":-1.5e3}`;
    assert.deepEqual(codecs.UnavailabilityCodec.parse(text), { ok: true, value });
    assert.deepEqual(codecs.UnavailabilityCodec.read({ start: { nanoseconds: String(nanoseconds) } }), {
      ok: true,
      value,
    });
    assert.deepEqual(codecs.UnavailabilityCodec.parse(codecs.UnavailabilityCodec.write(value)), { ok: true, value });
    assert.deepEqual(codecs.UnavailabilityCodec.decode(codecs.UnavailabilityCodec.encode(value)), { ok: true, value });
  }
  assert.equal(codecs.UnavailabilityCodec.parse('{"start":{"nanoseconds":9223372036854775808}}').ok, false);
});

test('the nesting of messages, lists and JSON text has a limit', () => {
  const nested = (levels: number): unknown => {
    let value: unknown = { value: 'c' };
    for (let i = 0; i < levels; i++) value = { value: 'c', parent: value };
    return value;
  };
  assert.equal(codecs.ContainerIDCodec.read(nested(90)).ok, true);
  const deep = codecs.ContainerIDCodec.read(nested(10_000));
  assert.ok(!deep.ok && deep.error.code === 'depth');
  const lists = codecs.FrameworkInfoCodec.parse(`{"roles":${'['.repeat(50_000)}${']'.repeat(50_000)}}`);
  assert.ok(!lists.ok && lists.error.code === 'depth');
  const long = codecs.FrameworkInfoCodec.parse(`[1234567890123456789,${'['.repeat(50_000)}${']'.repeat(50_000)}]`);
  assert.ok(!long.ok && long.error.code === 'depth');
});

test('the path of an error quotes only the beginning of a long key', () => {
  const read = codecs.QuotaConfigCodec.read({ role: 'r', limits: { ['x'.repeat(1_000_000)]: 1 } });
  assert.equal(read.ok ? '' : read.error.path, `limits["${'x'.repeat(200)}"... (1000000 characters)]`);
});

test('an error about text that is not JSON is one line', () => {
  const read = codecs.QuotaConfigCodec.parse('{\n"role": x}');
  assert.ok(!read.ok);
  const line = renderWireError(read.error);
  assert.ok(line.startsWith('mesos.v1.quota.QuotaConfig: expected JSON, found ') && !line.includes('\n'), line);
});

test('keys of a map such as __proto__ are data', () => {
  const text = '{"role":"r","limits":{"__proto__":{"value":1},"constructor":{"value":2}}}';
  const read = codecs.QuotaConfigCodec.parse(text);
  assert.ok(read.ok);
  assert.deepEqual(Object.keys(read.value.limits ?? {}), ['__proto__', 'constructor']);
  const again = codecs.QuotaConfigCodec.decode(codecs.QuotaConfigCodec.encode(read.value));
  assert.deepEqual(again, read);
  assert.equal(codecs.QuotaConfigCodec.write(read.value), text.replaceAll(/\d/g, '$&.0'));
});

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
  [(json) => readId(json, true), 'a', 'a'],
  [(json) => readId(json, true), 5, wrong('a string', '5')],
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
  [readDouble, '1e10', 1e10],
  [readInt64, true, wrong('a 64-bit integer', 'true')],
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

test('JSON values: what a field of each kind accepts, and the error for all else', () => {
  for (const [read, json, wanted] of JSON_VALUES) {
    const label = `${read.name} of ${typeof json === 'bigint' ? json : JSON.stringify(json)}`;
    assert.deepEqual(
      outcomeOf(() => read(json)),
      wanted,
      label,
    );
  }
});

test('names of enum values: an unknown name is unset, or an error if it is required', () => {
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

test('objects, lists and maps: nesting, elements, and the path of an error', () => {
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

test('the limit of items holds for a list that is assembled from lists within lists', () => {
  const tooMany = 'tooLarge: expected at most 3 items, found more';
  const read = (json: unknown, limited: boolean) => readList(json, 0, readString, 3, limited);
  for (const [json, items] of [
    [['a', ['b', ['c']]], 3],
    [[['a', 'b', 'c'], 'd'], 4],
    [
      [
        ['a', 'b'],
        ['c', 'd'],
      ],
      4,
    ],
    [[[['a', 'b', 'c'], 'd', 'e'], 'f', 'g'], 7],
  ] as const) {
    const found = outcomeOf(() => read(json, true));
    assert.ok(
      items > 3 ? String(found).endsWith(tooMany) : (found as readonly unknown[]).length === items,
      JSON.stringify(json),
    );
    assert.equal(read(json, false)?.length, items);
  }
});
