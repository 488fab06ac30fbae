import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Resource } from '@meseta/wire';
import { checkMix, checkPersistence, checkResources } from './resources.js';

const scalar = (name: string, value: number, more: Partial<Resource> = {}): Resource => ({
  name,
  type: 'SCALAR',
  scalar: { value },
  allocation_info: { role: 'web' },
  ...more,
});
const reservations = [{ type: 'DYNAMIC', role: 'web' }] as const;
const mount = { container_path: 'data', mode: 'RW' } as const;
const volume = (id: string, more: Partial<Resource> = {}): Resource =>
  scalar('disk', 1, { reservations, disk: { persistence: { id }, volume: mount }, ...more });

test('the resources of a task are valid or refused with the rule that they break', () => {
  const table: readonly (readonly [list: readonly Resource[] | undefined, problem: string | undefined])[] = [
    [undefined, undefined],
    [[], undefined],
    [[scalar('cpus', 1), scalar('gpus', 2)], undefined],
    [[scalar('cpus', -1)], 'f[0].scalar.value: expected a number >= 0, got -1'],
    [[scalar('cpus', 1), scalar('gpus', 1.5)], 'f: expected a whole number of gpus, got 1.5'],
    [[scalar('disk', 1, { disk: { volume: mount } })], 'f: disk.volume: is only possible with disk.persistence'],
    [[scalar('disk', 1, { disk: {} })], 'f: disk: expected persistence or source'],
    [[scalar('disk', 1, { disk: { source: { type: 'MOUNT', mount: { root: '/m' } } } })], undefined],
    [[volume('v')], undefined],
    [[volume('v', { revocable: {} })], 'f: disk.persistence: must not be set for revocable resources'],
    [
      [scalar('disk', 1, { disk: { persistence: { id: 'v' }, volume: mount } })],
      'f: disk.persistence: must not be set for unreserved resources',
    ],
    [[volume('v', { disk: { persistence: { id: 'v' } } })], 'f: disk.volume: is missing'],
    [
      [volume('v', { disk: { persistence: { id: 'v' }, volume: { ...mount, host_path: '/x' } } })],
      'f: disk.volume.host_path: must not be set',
    ],
    [
      [scalar('cpus', 1), scalar('mem', 1), scalar('cpus', 1, { revocable: {} })],
      'f: revocable and non-revocable cpus are mixed',
    ],
    [[volume('v'), volume('v')], "f: the volume 'v' is used twice"],
    [
      [scalar('cpus', 1), scalar('mem', 1, { allocation_info: { role: 'db' } })],
      'f: resources of more than one role: web, db',
    ],
  ];
  for (const [list, problem] of table) assert.equal(checkResources('f', list), problem, JSON.stringify(list));
});

test('revocable and non-revocable resources of different names can be mixed', () => {
  assert.equal(checkMix('f', [scalar('cpus', 1, { revocable: {} }), scalar('mem', 1)]), undefined);
  assert.equal(checkMix('f', [scalar('cpus', 1, { revocable: {} }), scalar('cpus', 1, { revocable: {} })]), undefined);
  assert.equal(checkMix('f', [scalar('cpus', 1), scalar('cpus', 1)]), undefined);
});

test('a volume is identified by its id and its role; a shared one can be used several times', () => {
  const other = [{ type: 'DYNAMIC', role: 'db' }] as const;
  assert.equal(checkPersistence('f', [volume('v'), volume('w'), scalar('disk', 1), scalar('disk', 1)]), undefined);
  assert.equal(checkPersistence('f', [volume('v'), volume('v', { reservations: other })]), undefined);
  assert.equal(checkPersistence('f', [volume('v', { shared: {} }), volume('v', { shared: {} })]), undefined);
  assert.equal(checkPersistence('f', [volume('w'), volume('v'), volume('w')]), "f: the volume 'w' is used twice");
});
