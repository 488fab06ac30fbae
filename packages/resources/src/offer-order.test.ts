import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Resource } from '@meseta/wire';
import { allocate } from './lists.js';
import { offerOrder } from './offer-order.js';
import { parseResources } from './parse.js';

function parsed(text: string): readonly Resource[] {
  const result = parseResources(text);
  assert.ok(result.ok, text);
  return result.value;
}

const cases: readonly (readonly [rule: string, total: string, offered: string, order: string])[] = [
  [
    'ranges come before scalars',
    'cpus:4;mem:8;disk:9;ports:[1-2]',
    'cpus:4;mem:8;disk:9;ports:[1-2]',
    'ports cpus mem disk',
  ],
  ["an agent's own order is kept", 'disk:9;mem:8;cpus:4', 'cpus:1;mem:8;disk:9', 'disk mem cpus'],
  [
    'used-up ports leave the others in place',
    'cpus:4;mem:8;disk:9;ports:[1-2]',
    'cpus:1;mem:8;disk:9',
    'cpus mem disk',
  ],
  ['the last entry replaces used-up cpus', 'cpus:4;mem:8;disk:9', 'mem:8;disk:9', 'disk mem'],
  ['so it does where two are used up', 'cpus:4;mem:8;disk:9;ports:[1-2]', 'mem:8;disk:9', 'disk mem'],
  [
    'reserved scalars come before unreserved ones',
    'cpus:4;mem:8;cpus(web):1',
    'cpus:4;mem:8;cpus(web):1',
    'cpus(web) cpus mem',
  ],
  [
    'a reservation of another role keeps its place',
    'cpus(ads):1;mem:8;disk:9;cpus:4',
    'cpus:4;mem:8;disk:9',
    'mem disk cpus',
  ],
  [
    'a used-up reservation is replaced by the last entry',
    'mem(web):1;disk(web):2;cpus(web):4',
    'cpus(web):4;disk(web):2',
    'cpus(web) disk(web)',
  ],
];

const shown = (total: string, offered: string, guaranteed: readonly string[]): string => {
  const list = allocate(parsed(offered), 'web');
  const names = offerOrder(list, parsed(total), guaranteed).map((at) => {
    const { name, reservations } = list[at] as Resource;
    return reservations?.length ? `${name}(web)` : name;
  });
  return names.join(' ');
};

for (const [rule, total, offered, expected] of cases) {
  test(`the order of an offer: ${rule}`, () => assert.equal(shown(total, offered, []), expected));
}

test('the order of an offer: unreserved scalars that serve a guarantee come first', () => {
  const total = 'cpus:4;mem:8;disk:9;ports:[1-2];cpus(web):1;disk(web):3';
  assert.equal(shown(total, total, ['disk', 'gpus']), 'disk ports cpus(web) disk(web) cpus mem');
  assert.equal(shown(total, total, ['mem', 'cpus']), 'cpus mem ports cpus(web) disk(web) disk');
});
