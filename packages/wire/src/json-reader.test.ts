// What the JSON readers take and refuse, as Mesos does; a refusal names the field and what was expected.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as codecs from './codecs.js';
import { renderWireError, type WireErrorCode } from './wire-error.js';

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
  test(`refused: ${text}`, () => {
    const read = codecs.SchedulerCallCodec.parse(text);
    assert.ok(!read.ok);
    assert.deepEqual([read.error.code, read.error.path], [code, path]);
    const line = renderWireError(read.error);
    assert.ok(line.includes(path) && line.includes(read.error.expected) && !line.includes('\n'), line);
  });
}

const wholeInfo = { user: 'root', name: 'x' };
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
    const read = codecs.FrameworkInfoCodec.read({ ...wholeInfo, ...given });
    assert.deepEqual(read, { ok: true, value: { ...wholeInfo, ...taken } });
  });
}

test('an unknown name is dropped from a list of enums, and refused where one is required', () => {
  const services = codecs.CSIPluginContainerInfoCodec.read({ services: ['NODE_SERVICE', 'DANCE'] });
  assert.deepEqual(services, { ok: true, value: { services: ['NODE_SERVICE'] } });
  const resource = codecs.ResourceCodec.read({ name: 'cpus', type: 'DANCE' });
  assert.ok(!resource.ok && resource.error.path === 'type' && resource.error.expected.includes('SCALAR'));
});

test('integers: fractions are cut off, ranges hold', () => {
  const port = (value: unknown) => codecs.AddressCodec.read({ port: value });
  assert.deepEqual(port(1.9), { ok: true, value: { port: 1 } });
  assert.deepEqual(port('5051'), { ok: true, value: { port: 5051 } });
  assert.equal(port(2 ** 31).ok, false);
  assert.equal(codecs.ValueRangeCodec.read({ begin: -1, end: 2 }).ok, false);
});

test('absolute times keep every digit, in text, in values and in bytes', () => {
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

test('nesting has a limit', () => {
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

test("a map's keys are data, whatever they are", () => {
  const text = '{"role":"r","limits":{"__proto__":{"value":1},"constructor":{"value":2}}}';
  const read = codecs.QuotaConfigCodec.parse(text);
  assert.ok(read.ok);
  assert.deepEqual(Object.keys(read.value.limits ?? {}), ['__proto__', 'constructor']);
  const again = codecs.QuotaConfigCodec.decode(codecs.QuotaConfigCodec.encode(read.value));
  assert.deepEqual(again, read);
  assert.equal(codecs.QuotaConfigCodec.write(read.value), text.replaceAll(/\d/g, '$&.0'));
});
