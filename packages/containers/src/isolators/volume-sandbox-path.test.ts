import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ContainerId } from '@meseta/base';
import type { Volume } from '@meseta/wire';
import type { ContainerSpec, PersistentVolume } from '../types.js';
import type { VolumeLink } from './isolator.js';
import { planLinks } from './volume-sandbox-path.js';

const volumeOf = (id: string): PersistentVolume => ({
  containerPath: 'data',
  place: { root: '/w', names: ['volumes', 'roles', 'a b', id] },
});

function linksOf(spec: ContainerSpec): readonly VolumeLink[] {
  const patch = planLinks(spec);
  assert.ok(patch.ok);
  return patch.value.links ?? [];
}

test('a SANDBOX_PATH volume shows a part of the sandbox, of the parent sandbox, or of a persistent volume in them', () => {
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
    volumes: [volumeOf('own')],
    ...(isNested
      ? { outer: { containerId: 'p' as ContainerId, sandbox: '/parent', volumes: [volumeOf('parents')] } }
      : {}),
  });
  type Type = 'SELF' | 'PARENT';
  const linked = (type: Type | undefined, path: string | undefined, isNested = true): string | undefined => {
    const sandbox_path = { ...(type === undefined ? {} : { type }), ...(path === undefined ? {} : { path }) };
    const volume: Volume = {
      mode: 'RW',
      container_path: 'x',
      source: { type: 'SANDBOX_PATH', sandbox_path: sandbox_path as { path: string } },
    };
    const [link] = linksOf(specWith(volume, isNested));
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
  const without: Volume = { mode: 'RW', container_path: 'x' };
  assert.deepEqual(linksOf({ ...specWith(without, true), container: undefined }), []);
  assert.deepEqual(linksOf(specWith(without, true)), []);
});
