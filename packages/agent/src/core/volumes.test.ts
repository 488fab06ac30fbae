// Where persistent volumes lie and what containers see of them. The layout is Mesos', so that a Mesos agent's data is found.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Resource, ResourceDiskInfoSource } from '@meseta/wire';
import type { Context } from './context.js';
import { registeredWorld } from './testing.js';
import { changeVolumes, persistentVolumes } from './volumes.js';

const volumeOf = (id: string, source?: ResourceDiskInfoSource, more: Partial<Resource> = {}): Resource => ({
  name: 'disk',
  type: 'SCALAR',
  scalar: { value: 64 },
  reservations: [{ type: 'DYNAMIC', role: 'a/b' }],
  disk: {
    persistence: { id },
    volume: { mode: 'RW', container_path: 'data' },
    ...(source === undefined ? {} : { source }),
  },
  ...more,
});

test('the directory of a volume is below work_dir or the root of its disk, and a mounted disk is the volume itself', () => {
  const table: readonly (readonly [ResourceDiskInfoSource | undefined, string])[] = [
    [undefined, '/w/volumes/roles/a b/v'],
    [{ type: 'PATH', path: { root: '/disk1' } }, '/disk1/volumes/roles/a b/v'],
    [{ type: 'PATH', path: { root: 'disk1' } }, '/w/disk1/volumes/roles/a b/v'],
    [{ type: 'PATH', path: {} }, '/w/volumes/roles/a b/v'],
    [{ type: 'PATH' }, '/w/volumes/roles/a b/v'],
    [{ type: 'MOUNT', mount: { root: '/mnt/disk2' } }, '/mnt/disk2'],
    [{ type: 'MOUNT', mount: {} }, '/w/volumes/roles/a b/v'],
    [{ type: 'MOUNT' }, '/w/volumes/roles/a b/v'],
    [{ type: 'RAW', mount: { root: '/mnt/disk2' } }, '/w/volumes/roles/a b/v'],
  ];
  for (const [source, expected] of table) {
    const [volume] = persistentVolumes('/w', [volumeOf('v', source)]);
    assert.ok(volume);
    const { root, names } = volume.place;
    assert.equal([root, ...names].join('/'), expected, JSON.stringify(source));
    assert.equal(volume.containerPath, 'data');
  }
});

test('a container sees the persistent volumes among its resources that have a path in it, and nothing else', () => {
  const { disk: _disk, ...plain } = volumeOf('v');
  const withoutPersistence: Resource = { ...plain, disk: { volume: { mode: 'RW', container_path: 'data' } } };
  const withoutVolume: Resource = { ...plain, disk: { persistence: { id: 'v' } } };
  assert.deepEqual(persistentVolumes('/w', [plain, withoutPersistence, withoutVolume]), []);
});

test('changeVolumes makes the directories of new volumes, deletes those of volumes that are gone, and leaves the others', () => {
  const { core, nowMs } = registeredWorld();
  const ctx: Context = { state: core.state, now: { monoMs: nowMs, wallMs: nowMs }, effects: [] };
  const shared = volumeOf('shared', undefined, { shared: {} });
  changeVolumes(ctx, [volumeOf('kept'), volumeOf('gone')], [volumeOf('kept'), shared]);
  const placeOf = (id: string) => ({ root: '/var/meseta', names: ['volumes', 'roles', 'a b', id] });
  assert.deepEqual(ctx.effects, [
    { kind: 'volume', place: placeOf('shared'), isShared: true, remove: false },
    { kind: 'volume', place: placeOf('gone'), isShared: false, remove: true },
  ]);
});
