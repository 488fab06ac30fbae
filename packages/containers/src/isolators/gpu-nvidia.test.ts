// GPUs of real containers by both versions of cgroups. The devices are files with the numbers of NVIDIA's: without its driver
// an open that is allowed fails with ENXIO, one that is not with EPERM. Needs root.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';
import { type ContainerId, err } from '@meseta/base';
import { createFiles } from '@meseta/platform/files';
import { createNvidiaDriver } from '@meseta/platform/nvidia';
import { until } from '@meseta/platform/testing/until';
import type { Resource } from '@meseta/wire';
import type { Containerizer } from '../containerizer.js';
import { MACHINE, openGpus } from '../gpus/gpus.js';
import { isRoot, programs, unified, versions } from '../testing/device-cgroups.js';
import { cgroupsOptions, testCgroup } from '../testing/isolation.js';
import { events, next, nextEvent, output, read, root, spec, start } from '../testing/launcher.js';
import type { ContainerSpec } from '../types.js';

const DEVICES = { nvidiactl: [195, 255], 'nvidia-uvm': [511, 0], nvidia0: [195, 0], nvidia1: [195, 1] };

/** A directory with the devices of two GPUs. */
function makeDevices(): string {
  const directory = `${root}/dev`;
  mkdirSync(directory, { recursive: true });
  for (const [name, numbers] of Object.entries(DEVICES)) {
    rmSync(`${directory}/${name}`, { force: true });
    execFileSync('mknod', ['-m', '666', `${directory}/${name}`, 'c', ...numbers.map(String)]);
  }
  return directory;
}

const gpus = (value: number): readonly Resource[] => [{ name: 'gpus', type: 'SCALAR', scalar: { value } }];

/** Writes the names of the devices that can be opened, but for the missing driver. */
const probe = (directory: string): string =>
  `seen() { for d in ${Object.keys(DEVICES).join(' ')}; do (: <${directory}/$d) 2>&1 | grep -q "No such device" && printf "$d "; done; echo; }; seen`;

async function refusal(containers: Containerizer, it: ContainerSpec): Promise<string> {
  containers.launch(it);
  for (;;) {
    const found = events.find(({ containerId, kind }) => containerId === it.containerId && kind !== 'started');
    if (found !== undefined) return found.kind === 'launchFailed' ? found.message : found.kind;
    await nextEvent();
  }
}

for (const { version, hierarchy, kernel } of versions) {
  const startWithGpus = (): Promise<Containerizer> =>
    start({
      launcher: 'linux',
      isolation: {
        names: 'filesystem/linux,cgroups/devices,gpu/nvidia',
        cgroups: { ...cgroupsOptions, root: testCgroup, hierarchy, devicePrograms: programs },
      },
      gpus: { ...MACHINE, minors: [0, 1], deviceDirectory: makeDevices() },
    });

  test(
    `GPUS-1: a container opens as many GPUs as it has, which no other one has (version ${version})`,
    kernel,
    async () => {
      const containers = await startWithGpus();
      const script = (then: string) => ({ value: `${probe(`${root}/dev`)}; ${then}` });
      const none = spec('none', script('true'));
      containers.launch(none);
      await next('exited', 'none');
      assert.equal(output(none), 'nvidiactl nvidia-uvm \n');
      const [one, two] = [
        spec('one', script('exec sleep 600'), { resources: gpus(1) }),
        spec('two', script('exec sleep 600'), { resources: gpus(1) }),
      ];
      for (const it of [one, two]) {
        containers.launch(it);
        await until('the devices of a container', () => read(`${it.sandbox}/stdout`).endsWith('\n'));
      }
      assert.deepEqual(
        [output(one), output(two)],
        ['nvidiactl nvidia-uvm nvidia0 \n', 'nvidiactl nvidia-uvm nvidia1 \n'],
      );
      const third = spec('third', { value: 'true' }, { resources: gpus(1) });
      assert.match(await refusal(containers, third), /cgroups\/devices: gpus: 1 are wanted, 0 are free$/);
      containers.destroy(one.containerId);
      await next('exited', 'one');
      const again = spec('again', script('true'), { resources: gpus(1) });
      containers.launch(again);
      await next('exited', 'again');
      assert.equal(output(again), 'nvidiactl nvidia-uvm nvidia0 \n');
      containers.destroy(two.containerId);
      await next('exited', 'two');
      assert.deepEqual(readdirSync(`${root}/run/isolators/gpu`), []);
    },
  );

  test(
    `GPUS-2: GPUs follow the resources of a running container, also after a restart (version ${version})`,
    kernel,
    async () => {
      const first = await startWithGpus();
      const command = { value: `${probe(`${root}/dev`)}; while :; do sleep 0.05; seen >now; mv now devices; done` };
      const it = spec('grows', command, { resources: gpus(1) });
      first.launch(it);
      await next('started', 'grows');
      const untilSeen = (expected: string): Promise<void> =>
        until(expected, () => read(`${it.sandbox}/devices`) === `nvidiactl nvidia-uvm ${expected}\n`);
      await untilSeen('nvidia0 ');
      await first.close();
      const containers = await startWithGpus();
      await containers.recover();
      const other = spec('other', { value: 'exec sleep 600' }, { resources: gpus(2) });
      assert.match(await refusal(containers, other), /gpus: 2 are wanted, 1 are free$/);
      containers.update(it.containerId, { resources: gpus(2) });
      await untilSeen('nvidia0 nvidia1 ');
      containers.update(it.containerId, { resources: gpus(0) });
      await untilSeen('');
      containers.destroy('grows' as ContainerId);
      await next('exited', 'grows');
    },
  );
}

const processes = { run: async () => err({ code: 'ENOENT', message: 'nvidia-modprobe is missing' }) };

test('a device that is missing, or no device, is named', { skip: isRoot ? false : 'needs root' }, async () => {
  const open = async (minors: readonly number[]): Promise<string> => {
    const options = { ...MACHINE, minors, deviceDirectory: `${root}/dev` };
    const opened = await openGpus(options, `${root}/gpus`, createFiles(), processes);
    return opened.ok ? `${opened.value.controls.length} and ${opened.value.all.length}` : opened.error;
  };
  const directory = makeDevices();
  assert.equal(await open([1, 0]), '2 and 2');
  assert.match(await open([2]), /ENOENT.*dev\/nvidia2/);
  writeFileSync(`${directory}/nvidia2`, '');
  assert.match(await open([2]), /dev\/nvidia2 is no character device$/);
  rmSync(`${directory}/nvidia-uvm`);
  assert.match(await open([0]), /ENOENT.*dev\/nvidia-uvm/);
});

test('an agent whose GPUs can not be limited does not start', { skip: isRoot ? false : 'needs root' }, async () => {
  const options = { ...MACHINE, minors: [0], deviceDirectory: makeDevices() };
  const failure = async (names: string, launcher: 'linux' | 'posix', hierarchy = '/sys/fs/cgroup'): Promise<string> => {
    const cgroups = { ...cgroupsOptions, root: testCgroup, hierarchy };
    return start({ launcher, isolation: { names, cgroups }, gpus: options }).then(
      () => 'started',
      (error: unknown) => (error instanceof Error ? error.message : ''),
    );
  };
  const all = 'filesystem/linux,cgroups/devices,gpu/nvidia';
  assert.match(await failure(all, 'posix'), /^--isolation=gpu\/nvidia: needs --launcher=linux/);
  assert.match(await failure('cgroups/devices,gpu/nvidia', 'linux'), /expected filesystem\/linux in --isolation$/);
  assert.match(
    await failure('filesystem/linux,gpu/nvidia', 'linux'),
    /expected cgroups\/devices or cgroups\/all in --isolation$/,
  );
  if (unified !== undefined) {
    assert.match(
      await failure(all, 'linux', unified),
      /GPUs can't be limited: --isolation: cgroups\/devices has no effect/,
    );
  }
});

test("without NVIDIA's library its absence is the error", () => {
  const driver = createNvidiaDriver();
  if (driver.ok) assert.ok(driver.value.count >= 0);
  else assert.match(driver.error, /^NVIDIA's management library/);
});
