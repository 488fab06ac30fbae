import assert from 'node:assert/strict';
import test from 'node:test';
import type { Resource } from '@meseta/wire';
import { ResourceCodec } from '@meseta/wire/codecs';
import fc from 'fast-check';
import { equals, subtract } from './algebra.js';
import { formatResources } from './format.js';
import { parseAttributes, parseResourceList, parseResources } from './parse.js';
import { summarizeAttributes } from './summary.js';

const parsed = (text: string, role?: string) => {
  const list = parseResources(text, role);
  assert.ok(list.ok, list.ok ? '' : `${text}: ${list.error}`);
  return list.value;
};

test('resources are parsed from a flag and formatted as Mesos does', () => {
  const table: readonly (readonly [flag: string, printed: string])[] = [
    ['cpus:4;mem:1024', 'cpus:4; mem:1024'],
    [' cpus : 4 ; mem:1 024; ', 'cpus:4; mem:1024'],
    ['mem(role):1024', 'mem(reservations: [(STATIC,role)]):1024'],
    ['mem( a/b ):1', 'mem(reservations: [(STATIC,a/b)]):1'],
    ['mem(*):1', 'mem:1'],
    ['ports:[31000-32000]', 'ports:[31000-32000]'],
    ['ports:[5-6, 1-2,3-4]', 'ports:[1-6]'],
    ['ports:[]', '{}'],
    ['disks:{a,b}', 'disks:{a, b}'],
    ['cpus:1;cpus:0.5', 'cpus:1.5'],
    ['cpus:0x10', 'cpus:16'],
    ['cpus:1e3', 'cpus:1000'],
    ['cpus:0', '{}'],
    ['', '{}'],
    ['[{"name":"cpus","type":"SCALAR","scalar":{"value":2},"role":"web"}]', 'cpus(reservations: [(STATIC,web)]):2'],
    [
      '[{"name":"disk","type":"SCALAR","scalar":{"value":2},"disk":{"source":{"type":"MOUNT","mount":{"root":"/m"}}}}]',
      'disk[MOUNT:/m]:2',
    ],
  ];
  for (const [flag, printed] of table) assert.equal(formatResources(parsed(flag)), printed, flag);
});

test('resources without a role are reserved to the default role', () => {
  assert.equal(
    formatResources(parsed('cpus:1;mem(db):2;disk(*):3', 'web')),
    'cpus(reservations: [(STATIC,web)]):1; mem(reservations: [(STATIC,db)]):2; disk:3',
  );
  assert.equal(
    formatResources(parsed('[{"name":"cpus","type":"SCALAR","scalar":{"value":2}}]', 'web')),
    'cpus(reservations: [(STATIC,web)]):2',
  );
});

test('a parsed list has resources of amount zero', () => {
  const list = parseResourceList('gpus:0;cpus:1');
  assert.deepEqual(list.ok && list.value.map((r) => r.name), ['gpus', 'cpus']);
});

test('refused flags have an error with what was expected', () => {
  const table: readonly (readonly [string, RegExp])[] = [
    ['cpus', /expected name:value or name\(role\):value, got "cpus"/],
    ['cpus:1:2', /expected name:value/],
    ['cpus(a:1', /expected name:value/],
    [':1', /expected name:value/],
    ['cpus:-1', /cpus: expected a number >= 0/],
    ['cpus:many', /cpus: expected a number >= 0/],
    ['cpus:inf', /cpus: expected a number >= 0/],
    ['cpus:0.0001', /resources\[0\].scalar.value: expected 0 or at least 0.001/],
    ['ports:[1-18446744073709551614]', /up to 9007199254740990, or 18446744073709551615 for a range without end/],
    ['ports:[18446744073709551615-18446744073709551615]', /up to 9007199254740990/],
    ['ports:[1-x]', /ports: expected ranges such as/],
    ['ports:[1', /ports: expected ranges such as/],
    ['ports:[2-1]', /ports: expected begin <= end, got 2-1/],
    ['disks:{a', /disks: expected a set/],
    ['disks:{a,a}', /resources\[0\].set.item: expected each item once/],
    ['cpus(a b):1', /resources\[0\].role: role "a b"/],
    ['cpus:1;cpus:[1-2]', /cpus: expected one type, got SCALAR and RANGES/],
    ['[{"name":"cpus"}]', /resources\[0\]: field 'type'/],
    ['[{]', /expected a JSON array/],
    ['[{"name":"cpus","type":"SCALAR","scalar":{"value":1},"revocable":{}}]', /revocable/],
    ['[{"name":"cpus","type":"SCALAR","scalar":{"value":1},"role":"a","reservation":{}}]', /DYNAMIC/],
    [
      '[{"name":"disk","type":"SCALAR","scalar":{"value":1},"role":"a","disk":{"persistence":{"id":"v"}}}]',
      /persistent volume/,
    ],
  ];
  for (const [flag, why] of table) {
    const answer = parseResources(flag);
    assert.ok(!answer.ok, flag);
    assert.match(answer.error, why);
  }
});

test('formatted resources without reservations can be parsed', () => {
  const entry = fc.oneof(
    fc.tuple(fc.constantFrom('cpus', 'mem'), fc.integer({ min: 1, max: 1e9 })).map(([n, a]) => `${n}:${a / 1000}`),
    fc.tuple(fc.nat(9), fc.nat(9)).map(([a, b]) => `ports:[${a}-${a + b}]`),
    fc.uniqueArray(fc.constantFrom('a', 'b', 'c'), { minLength: 1 }).map((items) => `disks:{${items}}`),
  );
  fc.assert(
    fc.property(fc.array(entry, { minLength: 1, maxLength: 6 }), (entries) => {
      const list = parsed(entries.join(';'));
      assert.ok(equals(parsed(formatResources(list)), list));
    }),
  );
});

test('attributes are parsed in their order', () => {
  const attributes = parseAttributes('rack:r1;size:10;span:[1-5]\nurl:http://x:80;rack:r2;low:-5');
  assert.deepEqual(attributes, {
    ok: true,
    value: [
      { name: 'rack', type: 'TEXT', text: { value: 'r1' } },
      { name: 'size', type: 'SCALAR', scalar: { value: 10 } },
      { name: 'span', type: 'RANGES', ranges: { range: [{ begin: 1, end: 5 }] } },
      { name: 'url', type: 'TEXT', text: { value: 'http://x:80' } },
      { name: 'rack', type: 'TEXT', text: { value: 'r2' } },
      { name: 'low', type: 'TEXT', text: { value: '-5' } },
    ],
  });
  const list = attributes.ok ? attributes.value : [];
  assert.deepEqual(Object.entries(summarizeAttributes(list.slice(0, 3))), [
    ['rack', 'r1'],
    ['size', 10],
    ['span', '[1-5]'],
  ]);
  for (const bad of ['rack', ':x', 'rack:', 'rack:{a,b}', 'rack:[1-'])
    assert.equal(parseAttributes(bad).ok, false, bad);
});

test('a range without end is formatted with its largest number, and can be subtracted from', () => {
  const open = parseResources('ids:[0-18446744073709551615]');
  const some = parseResources('ids:[5-9]');
  const rest = parseResources('ids:[10-18446744073709551615]');
  assert.ok(open.ok && some.ok && rest.ok);
  assert.equal(formatResources(open.value), 'ids:[0-18446744073709551615]');
  assert.equal(formatResources(subtract(open.value, some.value)), 'ids:[0-4, 10-18446744073709551615]');
  assert.equal(formatResources(subtract(open.value, rest.value)), 'ids:[0-9]');
  assert.deepEqual(subtract(open.value, open.value), []);
  assert.deepEqual(ResourceCodec.decode(ResourceCodec.encode(open.value[0] as Resource)), {
    ok: true,
    value: open.value[0],
  });
});
