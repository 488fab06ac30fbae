// cgroups/devices: a container can open the devices that every program needs, those of `--allowed_devices`, and no others
// (Mesos: docs/isolators/cgroups-devices.md): by control files of version 1 of cgroups, by a program of the kernel in version 2.
import { type DeviceNode, err, type FileStat, type Files, ok, type Result } from '@meseta/base';
import type { DeviceAccess } from '@meseta/wire';
import { DeviceWhitelistCodec } from '@meseta/wire/codecs';
import { UNIFIED } from '../cgroups/container-cgroups.js';
import { type DeviceRule, encodeDeviceProgram, textOfRule } from '../cgroups/device-rules.js';
import type { Gpus } from '../gpus/gpus.js';
import { type CgroupsPorts, createCgroupIsolator, type Setting, writeSettings } from './cgroups-isolator.js';
import type { Isolator } from './isolator.js';

const whole = (kind: DeviceRule['kind'], major: number, minor: number | undefined): DeviceRule => ({
  kind,
  major,
  minor,
  access: 'rwm',
});

const DEFAULT_RULES: readonly DeviceRule[] = [
  { kind: 'c', major: undefined, minor: undefined, access: 'm' },
  { kind: 'b', major: undefined, minor: undefined, access: 'm' },
  whole('c', 5, 1), // /dev/console
  whole('c', 4, 0), // /dev/tty0
  whole('c', 4, 1), // /dev/tty1
  whole('c', 136, undefined), // /dev/pts/*
  whole('c', 5, 2), // /dev/ptmx
  whole('c', 10, 200), // /dev/net/tun
  whole('c', 1, 3), // /dev/null
  whole('c', 1, 5), // /dev/zero
  whole('c', 1, 7), // /dev/full
  whole('c', 5, 0), // /dev/tty
  whole('c', 1, 9), // /dev/urandom
  whole('c', 1, 8), // /dev/random
];

/** What one program of the kernel has room for, many times over. */
const MAX_ALLOWED_DEVICES = 1000;

const S_IFCHR = 0o020000;
const S_IFBLK = 0o060000;

/** The devices in the flag, or which field of its JSON is wrong. */
export function parseAllowedDevices(text: string): Result<readonly DeviceAccess[], string> {
  const parsed = DeviceWhitelistCodec.parse(text);
  if (!parsed.ok) return err(`field '${parsed.error.path}': expected ${parsed.error.expected}`);
  const devices = parsed.value.allowed_devices ?? [];
  if (devices.length > MAX_ALLOWED_DEVICES) {
    return err(`allowed_devices: expected at most ${MAX_ALLOWED_DEVICES}, got ${devices.length}`);
  }
  const index = devices.findIndex(({ device }) => !device.path?.startsWith('/'));
  return index < 0 ? ok(devices) : err(`allowed_devices[${index}].device.path: expected an absolute path`);
}

const kindOf = ({ format }: FileStat): DeviceRule['kind'] | undefined =>
  format === S_IFCHR ? 'c' : format === S_IFBLK ? 'b' : undefined;

async function ruleOf(files: Files, { device, access }: DeviceAccess): Promise<Result<DeviceRule, string>> {
  const path = await files.realPath(device.path ?? '');
  if (!path.ok) return err(`--allowed_devices: ${path.error.message}`);
  const stat = await files.stat(path.value);
  if (!stat.ok) return err(`--allowed_devices: ${stat.error.message}`);
  const kind = kindOf(stat.value);
  if (kind === undefined) return err(`--allowed_devices: ${device.path} is no device`);
  const rights = `${access.read ? 'r' : ''}${access.write ? 'w' : ''}${access.mknod ? 'm' : ''}`;
  return ok({ kind, ...stat.value.device, access: rights });
}

async function rulesOf(files: Files, allowed: readonly DeviceAccess[]): Promise<Result<readonly DeviceRule[], string>> {
  const rules = [...DEFAULT_RULES];
  for (const each of allowed.filter(({ access }) => access.read || access.write || access.mknod)) {
    const rule = await ruleOf(files, each);
    if (!rule.ok) return rule;
    rules.push(rule.value);
  }
  return ok(rules);
}

const ruleOfNode =
  (access: string) =>
  ({ major, minor }: DeviceNode): DeviceRule => ({ kind: 'c', major, minor, access });

/** A cgroup's GPUs, with the devices that they need. */
async function rulesOfGpus(
  gpus: Gpus | undefined,
  id: string,
  count: number,
): Promise<Result<readonly DeviceRule[], string>> {
  if (gpus === undefined) return ok([]);
  const own = await gpus.resize(id, count);
  return own.ok ? ok([...gpus.controls.map(ruleOfNode('rwm')), ...own.value.map(ruleOfNode('rw'))]) : own;
}

/** Everything is forbidden before the rules are set, for a new cgroup; else the GPUs that it does not have. */
function settingsOf(rules: readonly DeviceRule[], gpus: Gpus | undefined, isNew: boolean): readonly Setting[] {
  const isAllowed = (node: DeviceNode): boolean =>
    rules.some(({ major, minor }) => major === node.major && minor === node.minor);
  const denied = isNew
    ? ['a']
    : (gpus?.all ?? []).filter((node) => !isAllowed(node)).map((node) => textOfRule(ruleOfNode('rwm')(node)));
  return [
    ...denied.map((text): Setting => ['devices', 'devices.deny', text]),
    ...rules.map((rule): Setting => ['devices', 'devices.allow', textOfRule(rule)]),
  ];
}

interface DevicePorts extends CgroupsPorts {
  /** undefined: without the isolator gpu/nvidia. */
  readonly gpus: Gpus | undefined;
}

export function createCgroupsDevices(ports: DevicePorts): Isolator {
  const { files, allowedDevices, devicePrograms: programs, gpus } = ports;
  const allowed = parseAllowedDevices(allowedDevices ?? '{}');
  const { isolator, cgroups } = createCgroupIsolator(ports, {
    name: 'cgroups/devices',
    controllers: { 1: ['devices'], 2: [UNIFIED] },
    async setLimits(cgroup, demand, isNew) {
      if (!isNew && gpus === undefined) return ok(undefined);
      const rules = allowed.ok ? await rulesOf(files, allowed.value) : allowed;
      if (!rules.ok) return rules;
      const ofGpus = await rulesOfGpus(gpus, cgroup.id, demand.gpus);
      if (!ofGpus.ok) return ofGpus;
      const directory = cgroup.directories.get(UNIFIED);
      if (directory === undefined) {
        return writeSettings(files, cgroup, settingsOf([...rules.value, ...ofGpus.value], gpus, isNew));
      }
      if (!programs.ok) return programs;
      const attached = programs.value.attach(directory, encodeDeviceProgram([...rules.value, ...ofGpus.value]));
      return attached.ok ? attached : err(attached.error.message);
    },
  });
  const isVersion1 = ports.layout.controllers.get('devices')?.version === 1;
  return {
    ...isolator,
    supports(host) {
      const supported = isolator.supports(host);
      if (!supported.ok || isVersion1 || programs.ok) return supported;
      return err(`version 2 of cgroups needs programs of the kernel: ${programs.error}`);
    },
    async recover(alive) {
      await isolator.recover?.(alive);
      await gpus?.recover((id) => cgroups.cgroupNamed(id) !== undefined);
    },
    async cleanUp(containerId) {
      const id = cgroups.cgroupOf(containerId)?.id ?? containerId;
      await isolator.cleanUp?.(containerId);
      if (cgroups.cgroupNamed(id) === undefined) await gpus?.release(id);
    },
  };
}
