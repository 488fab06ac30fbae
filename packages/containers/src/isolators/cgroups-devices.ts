// cgroups/devices: a container can open the devices that every program needs, those of `--allowed_devices`, and no others
// (Mesos: docs/isolators/cgroups-devices.md). Version 2 of cgroups has no control files for this.
import { err, type FileStat, type Files, ok, type Result } from '@meseta/base';
import type { DeviceAccess } from '@meseta/wire';
import { DeviceWhitelistCodec } from '@meseta/wire/codecs';
import { type CgroupsPorts, createCgroupIsolator, type Setting, writeSettings } from './cgroups-isolator.js';
import type { Isolator } from './isolator.js';

/** Type, numbers and access, as the kernel's admin-guide/cgroup-v1/devices has them. */
const DEFAULT_DEVICES = [
  'c *:* m',
  'b *:* m',
  'c 5:1 rwm', // /dev/console
  'c 4:0 rwm', // /dev/tty0
  'c 4:1 rwm', // /dev/tty1
  'c 136:* rwm', // /dev/pts/*
  'c 5:2 rwm', // /dev/ptmx
  'c 10:200 rwm', // /dev/net/tun
  'c 1:3 rwm', // /dev/null
  'c 1:5 rwm', // /dev/zero
  'c 1:7 rwm', // /dev/full
  'c 5:0 rwm', // /dev/tty
  'c 1:9 rwm', // /dev/urandom
  'c 1:8 rwm', // /dev/random
];

const S_IFCHR = 0o020000;
const S_IFBLK = 0o060000;

/** The devices in the flag, or which field of its JSON is wrong. */
export function parseAllowedDevices(text: string): Result<readonly DeviceAccess[], string> {
  const parsed = DeviceWhitelistCodec.parse(text);
  if (!parsed.ok) return err(`field '${parsed.error.path}': expected ${parsed.error.expected}`);
  const devices = parsed.value.allowed_devices ?? [];
  const index = devices.findIndex(({ device }) => !device.path?.startsWith('/'));
  return index < 0 ? ok(devices) : err(`allowed_devices[${index}].device.path: expected an absolute path`);
}

const typeOf = ({ format }: FileStat): string | undefined =>
  format === S_IFCHR ? 'c' : format === S_IFBLK ? 'b' : undefined;

async function entryOf(files: Files, { device, access }: DeviceAccess): Promise<Result<string, string>> {
  const path = await files.realPath(device.path ?? '');
  if (!path.ok) return err(`--allowed_devices: ${path.error.message}`);
  const stat = await files.stat(path.value);
  if (!stat.ok) return err(`--allowed_devices: ${stat.error.message}`);
  const type = typeOf(stat.value);
  if (type === undefined) return err(`--allowed_devices: ${device.path} is no device`);
  const { major, minor } = stat.value.device;
  const rights = `${access.read ? 'r' : ''}${access.write ? 'w' : ''}${access.mknod ? 'm' : ''}`;
  return ok(`${type} ${major}:${minor} ${rights}`);
}

async function settingsOf(files: Files, allowed: readonly DeviceAccess[]): Promise<Result<readonly Setting[], string>> {
  const entries = [...DEFAULT_DEVICES];
  for (const each of allowed.filter(({ access }) => access.read || access.write || access.mknod)) {
    const entry = await entryOf(files, each);
    if (!entry.ok) return entry;
    entries.push(entry.value);
  }
  const allow = entries.map((entry): Setting => ['devices', 'devices.allow', entry]);
  return ok([['devices', 'devices.deny', 'a'], ...allow]);
}

export function createCgroupsDevices(ports: CgroupsPorts): Isolator {
  const { files, allowedDevices } = ports;
  const allowed = parseAllowedDevices(allowedDevices ?? '{}');
  return createCgroupIsolator(ports, {
    name: 'cgroups/devices',
    controllers: { 1: ['devices'], 2: undefined },
    async setLimits(cgroup, _demand, isNew) {
      if (!isNew) return ok(undefined);
      const settings = allowed.ok ? await settingsOf(files, allowed.value) : allowed;
      return settings.ok ? writeSettings(files, cgroup, settings.value) : settings;
    },
  }).isolator;
}
