import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type CgroupLayout, findCgroups } from './layout.js';

const controllers = `#subsys_name	hierarchy	num_cgroups	enabled
cpu	1	1	1
cpuacct	1	1	1
memory	4	56	1
pids	8	1	0
freezer	6	1	1
`;
const v1 = (name: string, options: string, flags = 'rw,relatime'): string =>
  `32 31 0:29 / /sys/fs/cgroup/${name} ${flags} shared:9 - cgroup cgroup rw,${options}\n`;
const v2 = (point: string): string => `41 31 0:38 / ${point} rw,relatime - cgroup2 cgroup2 rw,nsdelegate\n`;
const tmpfs = '31 23 0:28 / /sys/fs/cgroup ro,nosuid shared:4 - tmpfs tmpfs ro,mode=755\n';

const find = (mountInfo: string, unified = '', hierarchy = '/sys/fs/cgroup'): CgroupLayout =>
  findCgroups({ mountInfo, controllers, hierarchy, unifiedControllers: () => unified });
const shown = ({ controllers: found, unified }: CgroupLayout): unknown => [
  [...found].map(([name, { version, mountPoint }]) => `${name} ${version} ${mountPoint}`),
  unified?.mountPoint,
];

test('controllers of version 1 are found by the options of their mounts; named hierarchies and disabled controllers are not', () => {
  const mounts = tmpfs + v1('cpu,cpuacct', 'cpu,cpuacct') + v1('pids', 'pids') + v1('systemd', 'xattr,name=systemd');
  const at = '/sys/fs/cgroup/cpu,cpuacct';
  assert.deepEqual(shown(find(mounts)), [[`cpu 1 ${at}`, `cpuacct 1 ${at}`], undefined]);
});

test('controllers of version 2 are those of its hierarchy', () => {
  const root = '/sys/fs/cgroup';
  assert.deepEqual(shown(find(v2(root), 'cpuset cpu io memory\n')), [
    ['cpuset', 'cpu', 'io', 'memory'].map((name) => `${name} 2 ${root}`),
    root,
  ]);
});

test('a hybrid host has both: a controller is of one version', () => {
  const found = find(v1('memory', 'memory') + v2('/sys/fs/cgroup/unified'), 'pids memory');
  assert.deepEqual(shown(found), [
    ['memory 1 /sys/fs/cgroup/memory', 'pids 2 /sys/fs/cgroup/unified'],
    '/sys/fs/cgroup/unified',
  ]);
});

test('mounts outside of the given directory do not count, and of several mounts the first does', () => {
  const elsewhere = v1('memory', 'memory').replace('/sys/fs/cgroup/memory', '/sys/fs/cgroup2/memory');
  assert.deepEqual(shown(find(elsewhere + v2('/mnt'))), [[], undefined]);
  const twice = v1('memory', 'memory') + v1('other', 'memory');
  assert.deepEqual(shown(find(twice)), [['memory 1 /sys/fs/cgroup/memory'], undefined]);
});

test('a mount that is read-only here is found as such, and escaped spaces are resolved', () => {
  const found = find(v1('my\\040memory', 'memory', 'ro,nosuid'));
  assert.deepEqual(found.controllers.get('memory'), {
    version: 1,
    mountPoint: '/sys/fs/cgroup/my memory',
    isWritable: false,
  });
});

test('text in another form is no mount', () => {
  assert.deepEqual(shown(find('\n - \n1 2 3 - cgroup cgroup rw,memory\nx')), [[], undefined]);
});
