// What the limits of cgroups do to real containers on the kernel of this machine. Needs root and the controllers.
import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import type { ContainerId } from '@meseta/base';
import { createFiles } from '@meseta/platform/files';
import { until } from '@meseta/platform/testing/until';
import type { Resource } from '@meseta/wire';
import { findHierarchies } from '../cgroups/container-cgroups.js';
import { readCgroupLayout } from '../cgroups/host.js';
import { cgroupsOptions, testCgroup as root } from '../testing/isolation.js';
import {
  events,
  next,
  nextEvent,
  output,
  read,
  type StartOptions,
  spec,
  start,
  root as testRoot,
} from '../testing/launcher.js';
import type { Usage } from './isolator.js';
import type { IsolationOptions } from './select.js';

const files = createFiles();
const layout = readCgroupLayout(files, '/sys/fs/cgroup');
const NEEDED = ['cpu', 'cpuacct', 'memory', 'pids'];
const found = findHierarchies(layout, { 1: NEEDED, 2: undefined });
const hierarchies = found.ok ? found.value : new Map();
const skip = process.getuid?.() !== 0 ? 'needs root' : !found.ok && found.error;
const kernel = { skip };
const placeOf = (controller: string, id: string): string => `${hierarchies.get(controller)?.mountPoint}/${root}/${id}`;
const control = (controller: string, id: string, file: string): string =>
  read(`${placeOf(controller, id)}/${file}`).trim();

const isolation = (names: string, flags: Partial<IsolationOptions['cgroups']> = {}): StartOptions => ({
  launcher: 'linux',
  isolation: { names, cgroups: { ...cgroupsOptions, root, ...flags } },
});
const resources = (cpus: number, mem: number): readonly Resource[] => [
  { name: 'cpus', type: 'SCALAR', scalar: { value: cpus } },
  { name: 'mem', type: 'SCALAR', scalar: { value: mem } },
];
const ALL = 'cgroups/cpu,cgroups/mem,cgroups/pids';
/** Allocates and touches that much memory. */
const allocate = (megabytes: number): string => `head -c ${megabytes}m /dev/zero | tail >/dev/null`;

test('CGROUPS-MEM-3: a container over its limit ends with a limitation that names the usage', kernel, async () => {
  const containers = await start(isolation(ALL));
  // The process that the kernel kills is not the first one, which would run on.
  const it = spec('hog', { value: `${allocate(200)}; exec sleep 600` }, { resources: resources(0.1, 48) });
  containers.launch(it);
  const { limitation, status } = await next('exited', 'hog');
  assert.equal(limitation?.reason, 'REASON_CONTAINER_LIMITATION_MEMORY');
  assert.match(limitation?.message ?? '', /^Memory limit exceeded: Requested: 48MB Maximum Used: 48MB/);
  assert.deepEqual(status, { kind: 'signaled', signal: 9 });
  // CGROUPS-1.
  for (const controller of NEEDED) assert.equal(existsSync(placeOf(controller, 'hog')), false, controller);
});

test('CGROUPS-MEM-3: also when the kernel has killed the first process, and when no agent ran', kernel, async () => {
  const containers = await start(isolation(ALL));
  const hog = { shell: false, value: 'tail', arguments: ['tail', '/dev/zero'] };
  containers.launch(spec('first', hog, { resources: resources(0.1, 48) }));
  assert.equal((await next('exited', 'first')).limitation?.reason, 'REASON_CONTAINER_LIMITATION_MEMORY');

  const it = spec(
    'alone',
    { value: 'while [ ! -e go ]; do sleep 0.02; done; exec tail /dev/zero' },
    { resources: resources(0.1, 48) },
  );
  containers.launch(it);
  const { pid } = await next('started', 'alone');
  await containers.close();
  mkdirSync(`${it.sandbox}/go`);
  await until('the end of the process', () => !existsSync(`/proc/${pid}/fd/0`));
  await until('the record of its end', () => read(`${testRoot}/run/containers/alone.record`).includes('signaled 9'));
  const second = await start(isolation(ALL));
  const recovered = await second.recover();
  const limited = recovered.find(({ containerId }) => containerId === 'alone');
  assert.equal(limited?.state === 'ended' && limited.limitation?.reason, 'REASON_CONTAINER_LIMITATION_MEMORY');
  assert.equal(existsSync(placeOf('memory', 'alone')), false);
});

test(
  'a container that uses what it may have ends by itself, and one below its limit above the request does too',
  kernel,
  async () => {
    const containers = await start(isolation(ALL));
    const it = spec(
      'burst',
      { value: `${allocate(80)}; cat /proc/self/oom_score_adj` },
      {
        resources: resources(0.1, 32),
        limits: { mem: { value: 256 }, cpus: { value: Infinity } },
      },
    );
    containers.launch(it);
    await next('started', 'burst');
    assert.equal(control('memory', 'burst', 'memory.limit_in_bytes'), String(256 * 2 ** 20));
    assert.equal(control('memory', 'burst', 'memory.soft_limit_in_bytes'), String(32 * 2 ** 20));
    assert.equal(control('cpu', 'burst', 'cpu.cfs_quota_us'), '-1');
    assert.deepEqual((await next('exited', 'burst')).status, { kind: 'exited', code: 0 });
    assert.match(output(it), /^9\d\d\n$/);
  },
);

test(
  'the resources of a running container are raised at once, and its hard memory limit is not lowered',
  kernel,
  async () => {
    const containers = await start(isolation(ALL, { enableCfs: true }));
    const it = spec('grows', { value: 'exec sleep 600' }, { resources: resources(0.5, 64) });
    containers.launch(it);
    await next('started', 'grows');
    const limits = (): readonly string[] => [
      control('cpu', 'grows', 'cpu.shares'),
      control('cpu', 'grows', 'cpu.cfs_quota_us'),
      control('memory', 'grows', 'memory.limit_in_bytes'),
      control('memory', 'grows', 'memory.soft_limit_in_bytes'),
    ];
    const megabytes = (count: number): string => String(count * 2 ** 20);
    const untilLimits = (expected: readonly string[]): Promise<void> =>
      until(
        () => `${limits()}, expected ${expected}`,
        () => limits().join() === expected.join(),
        5000,
      );
    assert.deepEqual(limits(), ['512', '50000', megabytes(64), megabytes(64)]);
    containers.update(it.containerId, { resources: resources(1, 128) });
    await untilLimits(['1024', '100000', megabytes(128), megabytes(128)]);
    containers.update(it.containerId, { resources: resources(0.25, 32) });
    await untilLimits(['256', '25000', megabytes(128), megabytes(32)]);
    containers.destroy(it.containerId);
    await next('exited', 'grows');
    // Before it runs.
    containers.launch(spec('early', { value: 'exec sleep 600' }, { resources: resources(0.5, 64) }));
    containers.update('early' as ContainerId, { resources: resources(2, 64) });
    await until('the shares of its later resources', () => control('cpu', 'early', 'cpu.shares') === '2048', 5000);
    containers.destroy('early' as ContainerId);
    await next('exited', 'early');
  },
);

test('a container has no more processes than --cgroups_pids_limit', kernel, async () => {
  const containers = await start(isolation(ALL, { pidsLimit: 20 }));
  const bomb = 'i=0; while [ $i -lt 60 ]; do sleep 600 & i=$((i+1)); done 2>error; echo done >ready; wait';
  const it = spec('bomb', { value: bomb }, { resources: resources(0.5, 64) });
  containers.launch(it);
  await next('started', 'bomb');
  await until('forks that failed', () => control('pids', 'bomb', 'pids.events') > 'max 0');
  assert.equal(control('pids', 'bomb', 'pids.max'), '20');
  assert.ok(Number(control('pids', 'bomb', 'pids.current')) <= 20);
  containers.destroy(it.containerId);
  await next('exited', 'bomb');
});

test('without the flag the limit of processes is a share of those that the machine can have', kernel, async () => {
  const containers = await start(isolation(ALL));
  const it = spec('default', { value: 'exec sleep 600' }, { resources: resources(0.1, 32) });
  containers.launch(it);
  await next('started', 'default');
  const most = Math.min(
    ...['pid_max', 'threads-max'].map((name) => Number(readFileSync(`/proc/sys/kernel/${name}`, 'utf8'))),
  );
  assert.equal(Number(control('pids', 'default', 'pids.max')), Math.floor(most * 0.15));
  containers.destroy(it.containerId);
  await next('exited', 'default');
});

test(
  'a container with a quarter of the shares of its busy neighbour gets a fifth of the processor time',
  kernel,
  async () => {
    const containers = await start(isolation(ALL, { countProcesses: true }));
    // On one processor, so that they compete.
    const spin = 'exec taskset -c 0 sh -c "while :; do :; done"';
    const [small, large] = [
      spec('small', { value: spin }, { resources: resources(0.25, 32) }),
      spec('large', { value: spin }, { resources: resources(1, 32) }),
    ];
    for (const it of [small, large]) containers.launch(it);
    for (const it of [small, large]) await next('started', it.containerId);
    const secondsOf = async ({ containerId }: { readonly containerId: ContainerId }): Promise<number> => {
      const { cpus_user_time_secs: user = 0, cpus_system_time_secs: system = 0 } =
        (await containers.usage(containerId)) ?? {};
      return user + system;
    };
    await until('processor time of both', async () => (await secondsOf(small)) + (await secondsOf(large)) > 0.4);
    const share = (await secondsOf(small)) / ((await secondsOf(small)) + (await secondsOf(large)));
    assert.ok(share > 0.1 && share < 0.3, `its share is ${share}`);
    const usage: Usage = (await containers.usage(small.containerId)) ?? {};
    assert.deepEqual([usage.processes, usage.threads], [1, 1]);
    for (const it of [small, large]) containers.destroy(it.containerId);
    for (const it of [small, large]) await next('exited', it.containerId);
  },
);

test('a quota throttles a container on an idle machine, and its statistics say so', kernel, async () => {
  const containers = await start(isolation(ALL, { enableCfs: true }));
  const it = spec('throttled', { value: 'while :; do :; done' }, { resources: resources(0.1, 32) });
  containers.launch(it);
  await next('started', 'throttled');
  let usage: Usage = {};
  await until('throttled periods', async () => {
    usage = (await containers.usage(it.containerId)) ?? {};
    return (usage.cpus_nr_throttled ?? 0) > 5 && (usage.cpus_throttled_time_secs ?? 0) > 0;
  });
  const { cpus_user_time_secs: user = 0, cpus_system_time_secs: system = 0, cpus_nr_periods: periods = 0 } = usage;
  assert.equal(usage.cpus_limit, 0.1);
  // 10 ms in each period of 100 ms, whatever else the machine does.
  assert.ok(periods > 5 && user + system < 0.015 * (periods + 2), `${user + system} s in ${periods} periods`);
  assert.ok((usage.mem_total_bytes ?? 0) > 0);
  assert.equal(usage.mem_limit_bytes, 32 * 2 ** 20);
  assert.equal(usage.mem_low_pressure_counter, 0);
  containers.destroy(it.containerId);
  await next('exited', 'throttled');
});

test(
  'CGROUPS-1: nested containers share the cgroup of the outer one, unless share_cgroups is false; the last one removes it',
  kernel,
  async () => {
    const containers = await start(isolation(ALL));
    const beside = { containerId: 'pod' as ContainerId, sandbox: testRoot, volumes: [] };
    const outer = { ...beside, pod: { taskId: 't', container: undefined, resources: resources(0.1, 32) } };
    const separate = { type: 'MESOS' as const, linux_info: { share_cgroups: false } };
    for (const [id, container] of [
      ['one', undefined],
      ['two', undefined],
      ['own', separate],
    ] as const) {
      containers.launch(spec(id, { value: 'exec sleep 600' }, { outer, container, resources: resources(0.5, 64) }));
      await next('started', id);
    }
    const inner = { ...beside, containerId: 'one' as ContainerId };
    containers.launch(spec('inner', { value: 'exec sleep 600' }, { outer: inner }));
    const { pid } = await next('started', 'inner');
    assert.equal(control('memory', 'pod', 'cgroup.procs').split('\n').length, 3);
    assert.ok(control('memory', 'pod', 'cgroup.procs').split('\n').includes(String(pid)));
    assert.equal(control('memory', 'pod', 'memory.soft_limit_in_bytes'), String(160 * 2 ** 20));
    assert.equal(control('cpu', 'pod', 'cpu.shares'), String(Math.floor(1.1 * 1024)));
    assert.equal(control('memory', 'own', 'memory.limit_in_bytes'), String(64 * 2 ** 20));
    // What they use together is the usage of the pod, and of none of them.
    assert.ok(((await containers.usage('pod' as ContainerId))?.mem_total_bytes ?? 0) > 0);
    assert.equal((await containers.usage('one' as ContainerId))?.mem_total_bytes, undefined);
    assert.ok(((await containers.usage('own' as ContainerId))?.mem_total_bytes ?? 0) > 0);
    for (const id of ['one', 'inner', 'own']) {
      containers.destroy(id as ContainerId);
      await next('exited', id);
    }
    assert.equal(control('memory', 'pod', 'memory.soft_limit_in_bytes'), String(96 * 2 ** 20));
    containers.destroy('two' as ContainerId);
    await next('exited', 'two');
    assert.equal(existsSync(placeOf('memory', 'pod')), false);
  },
);

test(
  'CGROUPS-3: after a restart the cgroups of running containers are kept, and those without a container are removed',
  kernel,
  async () => {
    const first = await start(isolation(ALL));
    const it = spec('stays', { value: 'exec sleep 600' }, { resources: resources(0.1, 32) });
    first.launch(it);
    await next('started', 'stays');
    await first.close();
    mkdirSync(`${placeOf('memory', 'orphan')}/inner`, { recursive: true });
    const second = await start(isolation(ALL));
    await second.recover();
    assert.deepEqual(
      readdirSync(placeOf('memory', ''), { withFileTypes: true })
        .filter((entry) => entry.isDirectory())
        .map(({ name }) => name),
      ['stays'],
    );
    second.update(it.containerId, { resources: resources(0.1, 64) });
    await until('raised limits', () => control('memory', 'stays', 'memory.limit_in_bytes') === String(64 * 2 ** 20));
    assert.ok(((await second.usage(it.containerId))?.mem_total_bytes ?? 0) > 0);
    second.destroy(it.containerId);
    await next('exited', 'stays');
    assert.equal(existsSync(placeOf('memory', 'stays')), false);
  },
);

test(
  'a container whose launch fails had its cgroups, and leaves nothing of them when that is reported',
  kernel,
  async () => {
    const containers = await start(isolation(ALL));
    let existed = false;
    const server = createServer((_request, response) => {
      existed = existsSync(placeOf('memory', 'failed')) && existsSync(placeOf('pids', 'failed'));
      response.writeHead(404).end();
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const uri = { value: `http://127.0.0.1:${(server.address() as AddressInfo).port}/file` };
    containers.launch(spec('failed', { value: 'true' }, { resources: resources(0.1, 32), uris: [uri] }));
    while (!events.some(({ kind }) => kind === 'launchFailed')) await nextEvent();
    server.close();
    assert.equal(existed, true);
    for (const controller of ['cpu', 'memory', 'pids'])
      assert.equal(existsSync(placeOf(controller, 'failed')), false, controller);
  },
);
