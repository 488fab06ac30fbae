// Devices of real containers, by both versions of cgroups. Needs root and a hierarchy of each version.
import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readdirSync, rmdirSync } from 'node:fs';
import { test } from 'node:test';
import { type ContainerId, type DevicePrograms, err, ok } from '@meseta/base';
import { type DeviceRule, encodeDeviceProgram } from '../cgroups/device-rules.js';
import { programs, unified, versions } from '../testing/device-cgroups.js';
import { cgroupsOptions, testCgroup } from '../testing/isolation.js';
import { next, output, path, spec, start } from '../testing/launcher.js';
import { parseAllowedDevices } from './cgroups-devices.js';
import type { IsolationOptions } from './select.js';

const device = (name: string, access: object) => ({ device: { path: name }, access });
const probe = (sandbox: string): string =>
  'cd /dev; for d in null zero urandom kmsg mem; do (: <$d) 2>/dev/null && echo $d; done; ' +
  `(: >kmsg) 2>/dev/null && echo writes; mknod "${sandbox}/mine" c 1 3 && echo made; true`;

for (const { version, hierarchy, kernel } of versions) {
  const isolation = (flags: Partial<IsolationOptions['cgroups']>) => ({
    launcher: 'linux' as const,
    isolation: {
      names: 'cgroups/devices',
      cgroups: { ...cgroupsOptions, root: testCgroup, hierarchy, devicePrograms: programs, ...flags },
    },
  });

  test(
    `cgroups/devices: a container opens the devices that programs need and those of --allowed_devices, and no others (version ${version})`,
    kernel,
    async () => {
      const run = async (id: string, flags: Partial<IsolationOptions['cgroups']>): Promise<string> => {
        const containers = await start(isolation(flags));
        assert.deepEqual(containers.warnings, []);
        const it = spec(id, { value: 'true' });
        const command = { value: probe(it.sandbox) };
        containers.launch({ ...it, command });
        await next('exited', id);
        await containers.close();
        return output(it).replaceAll('\n', ' ');
      };
      const allowedDevices = JSON.stringify({ allowed_devices: [device('/dev/kmsg', { read: true })] });
      const writable = JSON.stringify({ allowed_devices: [device('/dev/kmsg', { write: true })] });
      assert.equal(await run('default', {}), 'null zero urandom made ');
      assert.equal(await run('allowed', { allowedDevices }), 'null zero urandom kmsg made ');
      assert.equal(await run('writable', { allowedDevices: writable }), 'null zero urandom writes made ');
    },
  );

  test(
    `cgroups/devices: health checks, nested containers and a restarted agent's containers are limited too (version ${version})`,
    kernel,
    async () => {
      const first = await start(isolation({}));
      const parent = spec('parent', { value: 'exec sleep 600' });
      first.launch(parent);
      await next('started', 'parent');
      await first.close();
      const containers = await start(isolation({}));
      await containers.recover();
      const command = { kind: 'command', command: { value: ': </dev/kmsg' }, environment: { PATH: path } } as const;
      const probed = await containers.probe(parent.containerId, command, 10_000);
      assert.ok(probed.kind === 'command' && probed.status.kind === 'exited' && probed.status.code !== 0);
      const outer = { containerId: parent.containerId, sandbox: parent.sandbox, volumes: [] };
      for (const isSession of [false, true]) {
        const id = `inner-${isSession}`;
        const sandbox = `${parent.sandbox}/containers/${id}`;
        const inner = {
          ...spec(id, { value: ': </dev/null && echo null; : </dev/kmsg' }, { outer, isSession }),
          sandbox,
        };
        containers.launch(inner);
        assert.notDeepEqual((await next('exited', id)).status, { kind: 'exited', code: 0 });
        assert.equal(output(inner), 'null\n');
      }
      containers.destroy('parent' as ContainerId);
      await next('exited', 'parent');
      const roots = readdirSync(`${version === 2 ? hierarchy : `${hierarchy}/devices`}/${testCgroup}`, {
        withFileTypes: true,
      });
      assert.deepEqual(
        roots.flatMap((entry) => (entry.isDirectory() ? [entry.name] : [])),
        [],
      );
    },
  );
}

const withPrograms = { skip: versions[1]?.kernel.skip ?? false };

test('the kernel takes a program of as many devices as the flag may name', withPrograms, () => {
  assert.ok(programs.ok && unified !== undefined);
  const directory = `${unified}/${testCgroup}-program`;
  mkdirSync(directory);
  try {
    const rules = Array.from({ length: 1014 }, (_, number): DeviceRule => {
      return {
        kind: number % 2 === 0 ? 'c' : 'b',
        major: number,
        minor: number % 3 === 0 ? undefined : 7,
        access: 'rw',
      };
    });
    assert.deepEqual(programs.value.attach(directory, encodeDeviceProgram(rules)), ok(undefined));
    const bad = programs.value.attach(directory, Buffer.alloc(8));
    assert.match(bad.ok ? '' : bad.error.message, /^load a program for devices \(bpf\): /);
    const missing = programs.value.attach(`${directory}/missing`, encodeDeviceProgram([]));
    assert.match(missing.ok ? '' : missing.error.message, /ENOENT/);
  } finally {
    rmdirSync(directory);
  }
  assert.equal(existsSync(directory), false);
});

test(
  'a program that can not be attached fails the launch; a kernel without programs has no such isolator',
  withPrograms,
  async () => {
    const cgroups = { ...cgroupsOptions, root: testCgroup, hierarchy: unified ?? '' };
    const without = await start({
      launcher: 'linux',
      isolation: { names: 'cgroups/devices', cgroups: { ...cgroups, devicePrograms: err('Operation not permitted') } },
    });
    const reason = 'version 2 of cgroups needs programs of the kernel: Operation not permitted';
    assert.deepEqual(without.warnings, [`--isolation: cgroups/devices has no effect: ${reason}`]);
    const refusing: DevicePrograms = { attach: () => err({ code: 'EPERM', message: 'attach: not permitted' }) };
    const failing = await start({
      launcher: 'linux',
      isolation: { names: 'cgroups/devices', cgroups: { ...cgroups, devicePrograms: ok(refusing) } },
    });
    failing.launch(spec('failed', { value: 'true' }));
    await assert.rejects(next('exited', 'failed'));
  },
);

test('--allowed_devices: paths are absolute, and their number is limited', () => {
  const textOf = (count: number, name: string) =>
    JSON.stringify({ allowed_devices: Array(count).fill(device(name, { read: true })) });
  assert.ok(parseAllowedDevices(textOf(1000, '/dev/kmsg')).ok);
  const relative = parseAllowedDevices(textOf(1, 'dev/kmsg'));
  assert.match(relative.ok ? '' : relative.error, /^allowed_devices\[0\]\.device\.path: expected an absolute path/);
  const many = parseAllowedDevices(textOf(1001, '/dev/kmsg'));
  assert.match(many.ok ? '' : many.error, /1000/);
});
