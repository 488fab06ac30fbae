// In a plain directory: without a kernel behind it, it is made and removed like a hierarchy.
import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { after, test } from 'node:test';
import { type ContainerId, err, ok } from '@meseta/base';
import { createFiles } from '@meseta/platform/files';
import type { ContainerRecord } from '../lifecycle.js';
import { createContainerCgroups, findHierarchies } from './container-cgroups.js';
import type { CgroupLayout } from './layout.js';

const directory = mkdtempSync(`${tmpdir()}/meseta-cgroups-`);
after(() => rmSync(directory, { recursive: true }));
const hierarchies = new Map([['memory', { version: 1, mountPoint: directory, isWritable: true } as const]]);

const record = (id: string, mem: number, shared?: string): ContainerRecord => ({
  containerId: id as ContainerId,
  sandbox: '',
  user: undefined,
  resources: [{ name: 'mem', type: 'SCALAR', scalar: { value: mem } }],
  volumes: [],
  ...(shared === undefined ? {} : { sharedCgroup: { containerId: shared as ContainerId, resources: [] } }),
});

test('CGROUPS-2: changes of one cgroup wait for each other, and each has the limits of all its containers', async () => {
  const log: string[] = [];
  const cgroups = createContainerCgroups(
    createFiles(),
    hierarchies,
    'turns',
    async ({ id }, { memoryBytes }, isNew) => {
      log.push(`${id} ${memoryBytes / 2 ** 20} ${isNew ? 'new' : 'changed'}`);
      await new Promise((resolve) => setTimeout(resolve, 5));
      log.push(`${id} done`);
      return ok(undefined);
    },
  );
  const calls = [
    cgroups.prepare(record('a', 10)),
    cgroups.prepare(record('b', 5, 'a')),
    cgroups.update(record('a', 20)),
    cgroups.cleanUp('b'),
  ];
  await Promise.all(calls);
  // All calls were made before the first change: it has what all of them lead to, and only the first change is new.
  assert.deepEqual(log, [
    'a 20 new',
    'a done',
    'a 20 changed',
    'a done',
    'a 20 changed',
    'a done',
    'a 20 changed',
    'a done',
  ]);
  await cgroups.cleanUp('a');
  assert.deepEqual(readdirSync(`${directory}/turns`), []);
});

test('a container whose limits can not be set is refused, and its cgroup is removed with it', async () => {
  const cgroups = createContainerCgroups(createFiles(), hierarchies, 'refused', async () => err('no such file'));
  assert.deepEqual(await cgroups.prepare(record('a', 1)), { ok: false, error: 'no such file' });
  await cgroups.cleanUp('a');
  assert.equal(existsSync(`${directory}/refused/a`), false);
  assert.equal(cgroups.cgroupOf('a'), undefined);
});

test('an isolator needs all its controllers in one version, in a hierarchy that is writable', () => {
  const layoutOf = (
    ...rows: readonly (readonly [name: string, version: 1 | 2, isWritable?: boolean])[]
  ): CgroupLayout => ({
    controllers: new Map(
      rows.map(([name, version, isWritable = true]) => [name, { version, mountPoint: `/${name}`, isWritable }]),
    ),
    unified: undefined,
  });
  const needed = { 1: ['cpu', 'cpuacct'], 2: ['cpu'] } as const;
  const find = (layout: CgroupLayout): string => {
    const found = findHierarchies(layout, needed);
    return found.ok
      ? [...found.value.values()].map(({ version, mountPoint }) => `${version}${mountPoint}`).join()
      : found.error;
  };
  assert.equal(find(layoutOf(['cpu', 1], ['cpuacct', 1])), '1/cpu,1/cpuacct');
  assert.equal(find(layoutOf(['cpu', 2])), '2/cpu');
  assert.match(find(layoutOf(['cpu', 1])), /version 1 are not mounted \(cpuacct\), nor those of version 2 \(cpu\)/);
  assert.match(find(layoutOf(['cpu', 1, false], ['cpuacct', 1])), /^\/cpu is mounted read-only/);
  const only = findHierarchies(layoutOf(), { 1: ['devices'], 2: undefined });
  assert.match(only.ok ? '' : only.error, /\(devices\), and version 2 has none/);
});
