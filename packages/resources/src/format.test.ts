import assert from 'node:assert/strict';
import test from 'node:test';
import type { Resource } from '@meseta/wire';
import { formatResource, formatResources, formatValue } from './format.js';
import { scalarOfName } from './testing.js';

const disk = (more: object): Resource => scalarOfName('disk', 1, { disk: more as NonNullable<Resource['disk']> });

test('a resource is formatted as in Mesos’ logs', () => {
  const reserved = (reservation: object) => scalarOfName('cpus', 1, { reservations: [reservation] });
  const table: readonly (readonly [Resource, text: string])[] = [
    [scalarOfName('cpus', 0.5), 'cpus:0.5'],
    [scalarOfName('cpus', 1, { allocation_info: {} }), 'cpus(allocated: ):1'],
    [scalarOfName('cpus', 1, { allocation_info: { role: 'a' } }), 'cpus(allocated: a):1'],
    [reserved({}), 'cpus(reservations: [(UNKNOWN,)]):1'],
    [reserved({ type: 'STATIC', role: 'a' }), 'cpus(reservations: [(STATIC,a)]):1'],
    [reserved({ type: 'DYNAMIC', role: 'a', principal: 'p' }), 'cpus(reservations: [(DYNAMIC,a,p)]):1'],
    [reserved({ type: 'DYNAMIC', role: 'a', labels: {} }), 'cpus(reservations: [(DYNAMIC,a,{})]):1'],
    [
      reserved({ type: 'DYNAMIC', role: 'a', labels: { labels: [{ key: 'k' }, { key: 'l', value: 'v' }] } }),
      'cpus(reservations: [(DYNAMIC,a,{k, l: v})]):1',
    ],
    [{ ...scalarOfName('cpus', 1), reservations: [] }, 'cpus:1'],
    [scalarOfName('cpus', 1, { revocable: {} }), 'cpus{REV}:1'],
    [disk({}), 'disk[]:1'],
    [disk({ source: { type: 'PATH' } }), 'disk[PATH]:1'],
    [disk({ source: { type: 'PATH', path: { root: '/p' }, mount: { root: '/m' } } }), 'disk[PATH:/p]:1'],
    [disk({ source: { type: 'MOUNT', path: { root: '/p' }, mount: { root: '/m' } } }), 'disk[MOUNT:/m]:1'],
    [disk({ source: { type: 'MOUNT' } }), 'disk[MOUNT]:1'],
    [disk({ source: { type: 'RAW', path: { root: '/p' } } }), 'disk[RAW]:1'],
    [disk({ source: { type: 'RAW', id: 'i' } }), 'disk[RAW(,i,)]:1'],
    [disk({ source: { type: 'RAW', profile: 'f' } }), 'disk[RAW(,,f)]:1'],
    [disk({ source: { type: 'RAW', vendor: 'v', id: 'i', profile: 'f' } }), 'disk[RAW(v,i,f)]:1'],
    [disk({ source: { type: 'RAW', vendor: 'v' } }), 'disk[RAW]:1'],
    [disk({ persistence: { id: 'x' } }), 'disk[x]:1'],
    [disk({ persistence: { id: 'x' }, source: { type: 'PATH' } }), 'disk[PATH,x]:1'],
    [disk({ persistence: { id: 'x' }, volume: { container_path: 'c', mode: 'RO' } }), 'disk[x:c]:1'],
    [
      disk({ persistence: { id: 'x' }, volume: { container_path: 'c', mode: 'RO', host_path: '/h' } }),
      'disk[x:/h:c:ro]:1',
    ],
    [{ name: 'x', type: 'SCALAR' }, 'x:0'],
    [{ name: 'x', type: 'RANGES' }, 'x:[]'],
    [{ name: 'x', type: 'SET' }, 'x:{}'],
    [{ name: 'x', type: 'SET', set: { item: ['b', 'a'] } }, 'x:{b, a}'],
    [
      {
        name: 'x',
        type: 'RANGES',
        ranges: {
          range: [
            { begin: 1, end: 2 },
            { begin: 5, end: 5 },
          ],
        },
      },
      'x:[1-2, 5-5]',
    ],
  ];
  for (const [resource, text] of table) assert.equal(formatResource(resource), text);
});

test('a list is shown with its resources separated by semicolons, a shared resource once', () => {
  const shared = { ...scalarOfName('disk', 1), shared: {} };
  assert.equal(formatResources([]), '{}');
  assert.equal(formatResources([scalarOfName('a', 1), shared, shared]), 'a:1; disk<SHARED>:1');
  assert.equal(formatValue({ type: 'SCALAR', scalar: { value: -1.0005 } }), '-1.001');
});

test('every field of a resource is formatted', () => {
  const resource = scalarOfName('disk', 64, {
    allocation_info: { role: 'web' },
    reservations: [
      { role: 'web', type: 'STATIC' },
      { principal: 'p', labels: { labels: [{ key: 'k', value: 'v' }, { key: 'l' }] }, role: 'web/a', type: 'DYNAMIC' },
    ],
    disk: {
      persistence: { id: 'v1' },
      volume: { container_path: 'data', mode: 'RW' },
      source: { type: 'PATH', path: { root: '/d' } },
    },
    shared: {},
  });
  const expected =
    'disk(allocated: web)(reservations: [(STATIC,web),(DYNAMIC,web/a,p,{k: v, l})])[PATH:/d,v1:data]<SHARED>:64';
  assert.equal(formatResources([resource, resource]), expected);
  assert.equal(formatResources([scalarOfName('cpus', 1, { revocable: {} })]), 'cpus{REV}:1');
});
