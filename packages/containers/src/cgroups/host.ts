// Reads where the cgroup hierarchies of this machine are mounted.
import type { Files } from '@meseta/base';
import { type CgroupLayout, findCgroups } from './layout.js';

/** `hierarchy`: `--cgroups_hierarchy`. */
export const readCgroupLayout = (files: Pick<Files, 'readTextNow'>, hierarchy: string): CgroupLayout =>
  findCgroups({
    mountInfo: files.readTextNow('/proc/self/mountinfo') ?? '',
    controllers: files.readTextNow('/proc/cgroups') ?? '',
    hierarchy: hierarchy.replace(/(?<=.)\/+$/, ''),
    unifiedControllers: (mountPoint) => files.readTextNow(`${mountPoint}/cgroup.controllers`) ?? '',
  });
