// The limits of messages from outside, in both formats: a message at the limit is read; one beyond it is refused with the
// field and the limit.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LIMITS } from '@meseta/base';
import type { Codec } from './codec.js';
import * as codecs from './codecs.js';
import { varint } from './testing/varint.js';
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
  readonly unit?: string;
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
  {
    ...of(codecs.AgentIDCodec, 'the text of an id', LIMITS.idText.most, (n) => ({ value: 'x'.repeat(n) }), 'value'),
    unit: 'bytes',
  },
];

test('the text of an id is limited in bytes', () => {
  const id = (length: number) => ({ value: 'é'.repeat(length) });
  assert.ok(codecs.TaskIDCodec.read(id(LIMITS.idText.most / 2)).ok);
  assert.ok(!codecs.TaskIDCodec.read(id(LIMITS.idText.most / 2 + 1)).ok);
});

for (const { what, codec, most, value, path, unit = 'items' } of cases) {
  test(`${what}: at most ${most}, as JSON and as protobuf`, () => {
    const [full, over] = [value(most), value(most + 1)];
    const encoded = [codec.encode(full), codec.encode(over)] as const;
    const written = [codec.write(full), codec.write(over)] as const;
    assert.deepEqual(codec.decode(encoded[0]), { ok: true, value: full });
    assert.ok(codec.parse(written[0]).ok);
    for (const read of [codec.decode(encoded[1]), codec.read(over)]) {
      assert.ok(!read.ok);
      assert.deepEqual([read.error.code, read.error.path.replace(/\[.*/, '')], ['tooLarge', path]);
      assert.match(renderWireError(read.error), new RegExp(`'${path}.*expected at most ${most} ${unit}`));
    }
    const parsed = codec.parse(written[1]);
    assert.equal(parsed.ok ? '' : parsed.error.code, 'tooLarge');
    assert.deepEqual(codec.decode(encoded[1], 'trusted'), { ok: true, value: over }, 'a client asked for it');
    assert.ok(codec.parse(written[1], 'trusted').ok);
    assert.equal(codec.read(over).ok, false, 'and the limit holds again');
  });
}

test('BINARY-READER-2: the elements of all lists of a message together have a limit', () => {
  const codec = codecs.SchedulerCallDeclineCodec;
  const offers = codec.encode({ offer_ids: times(30_000, { value: '' }) });
  assert.equal(codec.decode(offers).ok, true);
  // 15 lists of 40 000 elements, each within its own limit.
  const window = codecs.MaintenanceWindowCodec.encode({
    machine_ids: times(20_000, {}),
    unavailability: { start: { nanoseconds: 1n } },
  });
  const head = Uint8Array.of(0x0a, ...varint(BigInt(window.length)));
  const schedule = Buffer.concat(times(30, Buffer.concat([head, window])));
  const decoded = codecs.MaintenanceScheduleCodec.decode(schedule);
  assert.equal(decoded.ok ? '' : decoded.error.expected, 'at most 500000 elements in the message');
});

test('BINARY-READER-2: the strings of a message together have a limit', () => {
  const label = codecs.LabelsCodec.encode({ labels: [{ key: 'x'.repeat(2 ** 20) }] });
  assert.equal(codecs.LabelsCodec.decode(Buffer.concat(times(31, label))).ok, true);
  const decoded = codecs.LabelsCodec.decode(Buffer.concat(times(33, label)));
  assert.equal(decoded.ok ? '' : decoded.error.code, 'tooLarge');
});
