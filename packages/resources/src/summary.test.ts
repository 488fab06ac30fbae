import assert from 'node:assert/strict';
import test from 'node:test';
import type { Resource } from '@meseta/wire';
import { parseResources } from './parse.js';
import { summarize } from './summary.js';
import { scalarOfName } from './testing.js';

const parsed = (text: string) => {
  const list = parseResources(text);
  assert.ok(list.ok);
  return list.value;
};

test('summaries are the objects of v0 endpoints', () => {
  const list = [
    ...parsed('cpus:4;cpus(web):1;mem:4096;ports:[31000-31999];things:{a,b}'),
    scalarOfName('cpus', 2, { revocable: {} }),
  ];
  assert.deepEqual(Object.entries(summarize(list)), [
    ['cpus', 5],
    ['cpus_revocable', 2],
    ['disk', 0],
    ['gpus', 0],
    ['mem', 4096],
    ['ports', '[31000-31999]'],
    ['things', '{a, b}'],
  ]);
  assert.deepEqual(summarize([]), { cpus: 0, disk: 0, gpus: 0, mem: 0 });
});

test('of a name with two types a summary has the last', () => {
  const set: Resource = { name: 'x', type: 'SET', set: { item: ['a'] } };
  assert.equal(summarize([scalarOfName('x', 1), set])['x'], '{a}');
  assert.equal(summarize([set, scalarOfName('x', 1)])['x'], 1);
});

test('a summary merges the ranges and items of all resources of a name', () => {
  const to = (role: string): Partial<Resource> => ({ reservations: [{ role, type: 'DYNAMIC' }] });
  const ports = (begin: number, end: number, role: string): Resource => ({
    name: 'ports',
    type: 'RANGES',
    ranges: { range: [{ begin, end }] },
    ...to(role),
  });
  const things = (item: readonly string[], role: string): Resource => ({
    name: 'things',
    type: 'SET',
    set: { item },
    ...to(role),
  });
  const list = [
    ports(7, 9, 'a'),
    things(['x', 'y'], 'a'),
    ports(1, 3, 'b'),
    things(['y', 'z'], 'b'),
    ports(4, 5, 'c'),
    scalarOfName('cpus', 0.1, to('a')),
    scalarOfName('cpus', 0.2, to('b')),
  ];
  const { cpus, ports: allPorts, things: allThings } = summarize(list);
  assert.deepEqual([cpus, allPorts, allThings], [0.3, '[1-5, 7-9]', '{x, y, z}']);
});
