// What a message from outside may hold, in both formats: at the limit it is read, beyond it the error names the field and
// the limit, and nothing is made of it.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LIMITS } from '@meseta/base';
import type { Codec } from './codec.js';
import * as codecs from './codecs.js';
import { parseExactJson } from './json-parser.js';
import { renderWireError } from './wire-error.js';

const times = <T>(count: number, item: T): T[] => Array<T>(count).fill(item);
const ports = (count: number) => ({ range: Array.from({ length: count }, (_, i) => ({ begin: 2 * i, end: 2 * i })) });
const cpus = { name: 'cpus', type: 'SCALAR', scalar: { value: 1 } } as const;
const quantity = (count: number) => ({
  quantities: Object.fromEntries(Array.from({ length: count }, (_, i) => [`k${i}`, { value: 1 }])),
});

interface Case {
  readonly what: string;
  readonly codec: Codec<unknown>;
  readonly most: number;
  readonly value: (count: number) => unknown;
  readonly path: string;
}

const of = <T>(codec: Codec<T>, what: string, most: number, value: (count: number) => T, path: string): Case => ({
  what,
  codec: codec as Codec<unknown>,
  most,
  value,
  path,
});

const cases: readonly Case[] = [
  of(
    codecs.ResourceCodec,
    'ranges',
    LIMITS.ranges.most,
    (n) => ({ name: 'p', type: 'RANGES' as const, ranges: ports(n) }),
    'ranges.range',
  ),
  of(codecs.LabelsCodec, 'labels', LIMITS.labels.most, (n) => ({ labels: times(n, { key: 'k' }) }), 'labels'),
  of(
    codecs.AgentInfoCodec,
    'resources',
    LIMITS.resources.most,
    (n) => ({ hostname: 'h', resources: times(n, cpus) }),
    'resources',
  ),
  of(
    codecs.FrameworkInfoCodec,
    'roles',
    LIMITS.frameworkRoles.most,
    (n) => ({ user: 'u', name: 'n', roles: times(n, 'r') }),
    'roles',
  ),
  of(
    codecs.OfferFiltersMinAllocatableResourcesCodec,
    'the sets of a minimum',
    LIMITS.minimumSets.most,
    (n) => ({ quantities: times(n, quantity(1)) }),
    'quantities',
  ),
  of(codecs.CommandInfoCodec, 'arguments', LIMITS.recordField.most, (n) => ({ arguments: times(n, 'a') }), 'arguments'),
  of(codecs.OfferFiltersResourceQuantitiesCodec, 'entries of a map', LIMITS.recordField.most, quantity, 'quantities'),
];

for (const { what, codec, most, value, path } of cases) {
  test(`${what}: at most ${most}, as JSON and as protobuf`, () => {
    const [full, over] = [value(most), value(most + 1)];
    const encoded = [codec.encode(full), codec.encode(over)] as const;
    const written = [codec.write(full), codec.write(over)] as const;
    assert.deepEqual(codec.decode(encoded[0]), { ok: true, value: full });
    assert.ok(codec.parse(written[0]).ok);
    for (const read of [codec.decode(encoded[1]), codec.read(over)]) {
      assert.ok(!read.ok);
      assert.deepEqual([read.error.code, read.error.path.replace(/\[.*/, '')], ['tooLarge', path]);
      assert.match(renderWireError(read.error), new RegExp(`'${path}.*expected at most ${most} items`));
    }
    const parsed = codec.parse(written[1]);
    assert.equal(parsed.ok ? '' : parsed.error.code, 'tooLarge');
    assert.deepEqual(codec.decode(encoded[1], 'trusted'), { ok: true, value: over }, 'a client asked for it');
    assert.ok(codec.parse(written[1], 'trusted').ok);
    assert.equal(codec.read(over).ok, false, 'and the limit holds again');
  });
}

test('the elements of a protobuf message, all lists together', () => {
  const codec = codecs.SchedulerCallDeclineCodec;
  const offers = codec.encode({ offer_ids: times(30_000, { value: '' }) });
  assert.equal(codec.decode(offers).ok, true);
  // 15 lists of 40 000 elements, each within its own limit.
  const window = codecs.MaintenanceWindowCodec.encode({
    machine_ids: times(20_000, {}),
    unavailability: { start: { nanoseconds: 1n } },
  });
  const head = Uint8Array.of(0x0a, ...varint(window.length));
  const schedule = Buffer.concat(times(30, Buffer.concat([head, window])));
  const decoded = codecs.MaintenanceScheduleCodec.decode(schedule);
  assert.equal(decoded.ok ? '' : decoded.error.expected, 'at most 500000 elements in the message');
});

test('the strings of a protobuf message, together', () => {
  const label = codecs.LabelsCodec.encode({ labels: [{ key: 'x'.repeat(2 ** 20) }] });
  assert.equal(codecs.LabelsCodec.decode(Buffer.concat(times(31, label))).ok, true);
  const decoded = codecs.LabelsCodec.decode(Buffer.concat(times(33, label)));
  assert.equal(decoded.ok ? '' : decoded.error.code, 'tooLarge');
});

function varint(value: number): readonly number[] {
  return value < 0x80 ? [value] : [(value & 0x7f) | 0x80, ...varint(value >>> 7)];
}

const { most: mostElements } = LIMITS.jsonElements;
const { most: mostFields } = LIMITS.jsonFields;
const fields = (count: number): string => Array.from({ length: count }, (_, i) => `"k${i}":1`).join(',');
const json: readonly (readonly [what: string, text: string, taken: true | string])[] = [
  ['a list of all the values there may be', `[${times(mostElements - 2, '1').join()}]`, true],
  ['a list of more', `[${times(mostElements + 2, '1').join()}]`, `${mostElements} values`],
  ['lists of more', `[${times(mostElements, '[]').join()}]`, `${mostElements} values`],
  ['commas in strings', `["${','.repeat(2 * mostElements)}"]`, true],
  ['brackets in strings', `["${'['.repeat(2 * mostElements)}"]`, true],
  ['commas behind escaped quotes', `["${'\\"'.repeat(7)}${','.repeat(2 * mostElements)}"]`, true],
  [
    'commas behind escaped backslashes',
    `["${'\\\\'.repeat(7)}"${',1'.repeat(2 * mostElements)}]`,
    `${mostElements} values`,
  ],
  ['an object of all the fields there may be', `{${fields(mostFields)}}`, true],
  ['an object of more', `{${fields(mostFields + 1)}}`, `${mostFields} fields an object`],
  ['an object of more, within others', `[{"a":{${fields(mostFields + 1)}}}]`, `${mostFields} fields an object`],
  ['many objects of few fields', `[${times(40_000, '{"a":1,"b":2,"c":3}').join()}]`, true],
  ['200 levels', `${' '.repeat(5 * mostFields)}${'['.repeat(200)}${']'.repeat(200)}`, true],
  ['201 levels', `${' '.repeat(5 * mostFields)}${'['.repeat(201)}${']'.repeat(201)}`, '200 levels of nesting'],
  ['millions of levels', '['.repeat(3_000_000), '200 levels of nesting'],
  ['16 MiB', `"${'x'.repeat(LIMITS.jsonText.most - 2)}"`, true],
  ['more than 16 MiB', `"${'x'.repeat(LIMITS.jsonText.most - 1)}"`, '16777216 bytes'],
];
for (const [what, text, taken] of json) {
  test(`JSON: ${what}`, () => {
    const parsed = parseExactJson(text);
    if (taken === true) assert.ok(parsed.ok, parsed.ok ? '' : parsed.error.expected);
    else assert.equal(parsed.ok ? '' : parsed.error.expected, `JSON with at most ${taken}`);
    if (text.length < 10_000_000 && !text.endsWith('[')) assert.ok(parseExactJson(text, 'trusted').ok);
  });
}

test('integers: exact where 64 bits hold them, and any number of digits is read in no time', () => {
  const read = (text: string): unknown => {
    const parsed = parseExactJson(`{"a":${text}}`);
    return parsed.ok && (parsed.value as { readonly a: unknown }).a;
  };
  assert.equal(read('9007199254740993'), 9007199254740993n);
  assert.equal(read('18446744073709551615'), 18446744073709551615n);
  assert.equal(read('-9223372036854775808'), -9223372036854775808n);
  assert.equal(read('123456789012345678901'), 123456789012345680000);
  assert.equal(read('9'.repeat(1_000_000)), Number.POSITIVE_INFINITY);
  const time = codecs.TimeInfoCodec.read({ nanoseconds: '9'.repeat(1_000_000) });
  assert.equal(time.ok ? '' : time.error.path, 'nanoseconds');
  const shown = time.ok ? '' : (time.error.found ?? '');
  assert.ok(shown.length < 100, shown);
});
