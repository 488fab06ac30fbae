// Which versions of cgroups can limit devices on this machine.
import { createDevicePrograms } from '@meseta/platform/device-programs';
import { createFiles } from '@meseta/platform/files';
import { readCgroupLayout } from '../cgroups/host.js';
import { cgroupsOptions } from './isolation.js';

const layout = readCgroupLayout(createFiles(), cgroupsOptions.hierarchy);
export const unified = layout.unified?.mountPoint;
export const programs = createDevicePrograms();
export const isRoot = process.getuid?.() === 0;

/** Each version of cgroups, and why this machine can't show it. */
export const versions = [
  {
    version: 1,
    hierarchy: cgroupsOptions.hierarchy,
    missing: layout.controllers.get('devices')?.version === 1 ? false : 'devices of version 1 are not mounted',
  },
  {
    version: 2,
    hierarchy: unified ?? '',
    missing: unified === undefined ? 'cgroup2 is not mounted' : !programs.ok && programs.error,
  },
].map((each) => ({ ...each, kernel: { skip: isRoot ? each.missing : 'needs root' } }));
