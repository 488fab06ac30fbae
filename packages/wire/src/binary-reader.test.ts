// Bytes that no writer of ours makes: other writers' forms, unknown fields, and lies about lengths.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Codec } from './codec.js';
import * as codecs from './codecs.js';
import type { WireErrorCode } from './wire-error.js';

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
  test(`refused: ${what}`, () => {
    const decoded = codec.decode(hex(bytes));
    assert.ok(!decoded.ok, JSON.stringify(decoded));
    assert.deepEqual([decoded.error.code, decoded.error.path], [code, path]);
  });
}

test('nesting has a limit, of messages and of unknown groups', () => {
  let bytes = codecs.ContainerIDCodec.encode({ value: 'c' });
  for (let i = 0; i < 2000; i++) {
    bytes = Uint8Array.from([0x0a, 1, 0x63, 0x12, ...varint(bytes.length), ...bytes]);
  }
  for (const hostile of [bytes, new Uint8Array(100_000).fill(0x1b)]) {
    const decoded = codecs.ContainerIDCodec.decode(hostile);
    assert.ok(!decoded.ok && decoded.error.code === 'depth');
  }
});

function varint(value: number): readonly number[] {
  return value < 0x80 ? [value] : [(value & 0x7f) | 0x80, ...varint(value >>> 7)];
}

test('whole numbers beyond 53 bits are rounded, and the ends of the range stay in it', () => {
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
