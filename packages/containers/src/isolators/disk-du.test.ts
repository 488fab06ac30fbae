import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { afterEach, beforeEach, test } from 'node:test';
import type { ContainerId } from '@meseta/base';
import { createFiles } from '@meseta/platform/files';
import type { Resource } from '@meseta/wire';
import type { ContainerRecord } from '../lifecycle.js';
import type { Limitation } from '../types.js';
import { createDiskDu } from './disk-du.js';

const MB = 2 ** 20;
const id = 'c' as ContainerId;
let root = '';

beforeEach(() => {
  root = mkdtempSync(`${tmpdir()}/meseta-disk-du-`);
  for (const name of ['sandbox', 'volume']) mkdirSync(`${root}/${name}`);
});
afterEach(() => rmSync(root, { recursive: true }));

const disk = (value: number, more: Partial<Resource> = {}): Resource => ({
  name: 'disk',
  type: 'SCALAR',
  scalar: { value },
  ...more,
});
const volume = (value: number, type?: 'MOUNT'): Resource =>
  disk(value, {
    disk: {
      persistence: { id: 'v' },
      volume: { container_path: 'data', mode: 'RW' },
      ...(type === undefined ? {} : { source: { type } }),
    },
  });
const recordOf = (resources: readonly Resource[], hasVolume = false): ContainerRecord => ({
  containerId: id,
  sandbox: `${root}/sandbox`,
  user: undefined,
  resources,
  volumes: hasVolume ? [{ containerPath: 'data', place: { root, names: ['volume'] } }] : [],
});

/** Watches with a clock whose timers run on request. */
function watch(record: ContainerRecord, enforceDiskQuota = true) {
  let next: (() => void) | undefined;
  let waiting: (() => void)[] = [];
  const clock = {
    setTimer(_delayMs: number, callback: () => void) {
      next = callback;
      for (const resolve of waiting) resolve();
      waiting = [];
      return () => {
        next = undefined;
      };
    },
  };
  const limitations: Limitation[] = [];
  const isolator = createDiskDu({ files: createFiles(), clock, diskWatchIntervalMs: 15_000, enforceDiskQuota });
  const measured = (): Promise<void> => new Promise((resolve) => waiting.push(resolve));
  const first = measured();
  isolator.watch?.(record, (limitation) => void limitations.push(limitation));
  return {
    isolator,
    limitations,
    first,
    isPending: () => next !== undefined,
    async measureAgain() {
      const done = measured();
      next?.();
      await done;
    },
    usage: async () => (await isolator.usage?.(id, [])) ?? {},
  };
}

test('a sandbox over its disk resources is a limitation with these resources, when quotas are enforced', async () => {
  writeFileSync(`${root}/sandbox/big`, Buffer.alloc(2 * MB));
  for (const enforced of [true, false]) {
    const watched = watch(recordOf([disk(1), { name: 'mem', type: 'SCALAR', scalar: { value: 64 } }]), enforced);
    await watched.first;
    const used = await watched.usage();
    assert.ok((used.disk_used_bytes ?? 0) >= 2 * MB);
    assert.equal(used.disk_limit_bytes, MB);
    assert.deepEqual(used.disk_statistics, [{ limit_bytes: MB, used_bytes: used.disk_used_bytes }]);
    assert.equal(watched.limitations.length, enforced ? 1 : 0);
    if (!enforced) continue;
    const [{ reason, resources, message } = assert.fail('no limitation')] = watched.limitations;
    assert.deepEqual([reason, resources], ['REASON_CONTAINER_LIMITATION_DISK', [disk(1)]]);
    assert.match(message, /^Disk usage \(\d+[KM]?B\) exceeds quota \(1MB\)$/);
  }
});

test('a persistent volume has a quota of its own, and is not counted for the sandbox', async () => {
  symlinkSync(`${root}/volume`, `${root}/sandbox/data`);
  writeFileSync(`${root}/volume/big`, Buffer.alloc(3 * MB));
  const watched = watch(recordOf([disk(1), volume(2)], true));
  await watched.first;
  assert.deepEqual(
    watched.limitations.map(({ resources }) => resources),
    [[volume(2)]],
  );
  const used = await watched.usage();
  assert.ok((used.disk_used_bytes ?? MB) < MB);
  assert.deepEqual(used.disk_statistics?.[1]?.persistence, { id: 'v' });
});

test('DISK-DU-2: a mounted disk is measured and not limited; without disk resources nothing is measured', async () => {
  writeFileSync(`${root}/volume/big`, Buffer.alloc(3 * MB));
  const mounted = watch(recordOf([volume(2, 'MOUNT')], true));
  await mounted.first;
  assert.deepEqual(mounted.limitations, []);
  assert.ok(((await mounted.usage()).disk_statistics?.[0]?.used_bytes ?? 0) >= 3 * MB);
  const without = watch(recordOf([]));
  await without.first;
  assert.deepEqual(await without.usage(), { disk_statistics: [] });
});

test('a container is measured again at the interval, with the resources that it has then, until it is cleaned up', async () => {
  const watched = watch(recordOf([disk(1)]));
  await watched.first;
  assert.deepEqual(watched.limitations, []);
  writeFileSync(`${root}/sandbox/big`, Buffer.alloc(2 * MB));
  watched.isolator.update?.(recordOf([disk(8)]));
  await watched.measureAgain();
  assert.deepEqual(watched.limitations, []);
  watched.isolator.update?.(recordOf([disk(1)]));
  await watched.measureAgain();
  assert.equal(watched.limitations.length, 1);
  await watched.isolator.cleanUp?.(id);
  await watched.isolator.cleanUp?.('unknown' as ContainerId);
  assert.equal(watched.isPending(), false);
  assert.deepEqual(await watched.usage(), {});
});

test('DISK-DU-1: a link in the place of a sandbox or volume is not followed, and only one tree is open at a time', async () => {
  mkdirSync(`${root}/other`);
  writeFileSync(`${root}/other/big`, Buffer.alloc(3 * MB));
  rmSync(`${root}/volume`, { recursive: true });
  symlinkSync(`${root}/other`, `${root}/volume`);
  symlinkSync(`${root}/other`, `${root}/sandbox/other`);
  const watched = watch(recordOf([disk(1), volume(1)], true));
  await watched.first;
  assert.deepEqual(watched.limitations, []);
  assert.equal((await watched.usage()).disk_statistics?.[1]?.used_bytes, undefined);
});
