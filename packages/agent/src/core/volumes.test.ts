// Where persistent volumes lie and what containers see of them. The layout is Mesos', so that a Mesos agent's data is found.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ContainerId } from '@meseta/base';
import type { ContainerSpec } from '@meseta/containers/types';
import type { Resource, ResourceDiskInfoSource, Volume } from '@meseta/wire';
import type { Context } from './context.js';
import { registeredWorld } from './testing.js';
import { changeVolumes, sandboxLinks, volumeLinks } from './volumes.js';

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
    const [link] = volumeLinks('/w', [volumeOf('v', source)]);
    assert.ok(link);
    const { root, names } = link.place;
    assert.equal([root, ...names].join('/'), expected, JSON.stringify(source));
    assert.deepEqual([link.containerPath, link.isPersistent], ['data', true]);
  }
});

test('a container sees the persistent volumes among its resources that have a path in it, and nothing else', () => {
  const { disk: _disk, ...plain } = volumeOf('v');
  const withoutPersistence: Resource = { ...plain, disk: { volume: { mode: 'RW', container_path: 'data' } } };
  const withoutVolume: Resource = { ...plain, disk: { persistence: { id: 'v' } } };
  assert.deepEqual(volumeLinks('/w', [plain, withoutPersistence, withoutVolume]), []);
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

test('a SANDBOX_PATH volume shows a part of the sandbox, of the parent sandbox, or of a persistent volume in them', () => {
  const own = volumeLinks('/w', [volumeOf('own')]);
  const parents = volumeLinks('/w', [volumeOf('parents')]);
  const specWith = (volume: Volume, isNested: boolean): ContainerSpec => ({
    containerId: 'c' as ContainerId,
    sandbox: '/sandbox',
    user: undefined,
    rlimits: undefined,
    command: {},
    environment: {},
    uris: [],
    resources: [],
    container: { type: 'MESOS', volumes: [volume] },
    ...(isNested ? { outer: { sandbox: '/parent' } } : {}),
  });
  type Type = 'SELF' | 'PARENT';
  const linked = (type: Type | undefined, path: string | undefined, isNested = true): string | undefined => {
    const sandbox_path = { ...(type === undefined ? {} : { type }), ...(path === undefined ? {} : { path }) };
    const volume: Volume = {
      mode: 'RW',
      container_path: 'x',
      source: { type: 'SANDBOX_PATH', sandbox_path: sandbox_path as { path: string } },
    };
    const [link] = sandboxLinks(specWith(volume, isNested), own, parents);
    return link && [link.place.root, ...link.place.names, link.containerPath, String(link.isPersistent)].join('/');
  };
  const table: readonly (readonly [Parameters<typeof linked>, string | undefined])[] = [
    [['SELF', 'a/./b//c'], '/sandbox/a/b/c/x/false'],
    [['PARENT', 'a'], '/parent/a/x/false'],
    [['PARENT', 'a', false], undefined],
    [['SELF', 'data'], '/w/volumes/roles/a b/own/x/false'],
    [['SELF', 'data/sub'], '/w/volumes/roles/a b/own/sub/x/false'],
    [['SELF', 'data2'], '/sandbox/data2/x/false'],
    [['PARENT', 'data/sub'], '/w/volumes/roles/a b/parents/sub/x/false'],
    [['SELF', '../x'], undefined],
    [[undefined, 'a'], undefined],
  ];
  for (const [wish, expected] of table) assert.equal(linked(...wish), expected, JSON.stringify(wish));
  assert.deepEqual(
    sandboxLinks({ ...specWith({ mode: 'RW', container_path: 'x' }, true), container: undefined }, own, parents),
    [],
  );
  assert.deepEqual(sandboxLinks(specWith({ mode: 'RW', container_path: 'x' }, true), own, parents), []);
});
