// Finds where the cgroup hierarchies of this machine are mounted: one for each controller (version 1), one for all (version 2,
// "unified"), or both (hybrid: controllers of version 1 beside a unified hierarchy, which may have none). Pure.
// Formats: the kernel's admin-guide/cgroup-v1 and cgroup-v2.
import { type MountInfo, parseMountInfo } from '../mount-info.js';

export interface CgroupHierarchy {
  readonly version: 1 | 2;
  readonly mountPoint: string;
  readonly isWritable: boolean;
}

export interface CgroupLayout {
  /** By the controller's name in its version: `blkio` of version 1 is `io` in version 2. */
  readonly controllers: ReadonlyMap<string, CgroupHierarchy>;
  /** The hierarchy of version 2, also when it has no controllers. */
  readonly unified: CgroupHierarchy | undefined;
}

/** The mounts of cgroups at `hierarchy` and below it, in their order. */
function parseCgroupMounts(mountInfo: string, hierarchy: string): readonly MountInfo[] {
  const isBelow = (point: string): boolean => point === hierarchy || point.startsWith(`${hierarchy}/`);
  return parseMountInfo(mountInfo).filter(
    ({ type, point }) => (type === 'cgroup' || type === 'cgroup2') && isBelow(point),
  );
}

/** The controllers of version 1 that the kernel has (/proc/cgroups): name, hierarchy, count, whether it is enabled. */
function parseControllers(text: string): ReadonlySet<string> {
  const rows = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  return new Set(rows.map((row) => row.split(/\s+/)).flatMap(([name, , , on]) => (name && on === '1' ? [name] : [])));
}

export interface LayoutTexts {
  /** /proc/self/mountinfo */
  readonly mountInfo: string;
  /** /proc/cgroups */
  readonly controllers: string;
  /** `--cgroups_hierarchy`: where the hierarchies are mounted, or the directory above them. */
  readonly hierarchy: string;
  /** Reads `cgroup.controllers` in the directory. */
  readonly unifiedControllers: (mountPoint: string) => string;
}

/** The hierarchies in the texts. If one is mounted several times, the first mount counts. */
export function findCgroups({ mountInfo, controllers, hierarchy, unifiedControllers }: LayoutTexts): CgroupLayout {
  const enabled = parseControllers(controllers);
  const found = new Map<string, CgroupHierarchy>();
  let unified: CgroupHierarchy | undefined;
  for (const { type, point: mountPoint, isWritable, superOptions } of parseCgroupMounts(mountInfo, hierarchy)) {
    if (type === 'cgroup2') unified ??= { version: 2, mountPoint, isWritable };
    else {
      for (const name of superOptions) {
        if (enabled.has(name) && !found.has(name)) found.set(name, { version: 1, mountPoint, isWritable });
      }
    }
  }
  if (unified !== undefined) {
    for (const name of unifiedControllers(unified.mountPoint).split(/\s+/)) {
      if (name !== '' && !found.has(name)) found.set(name, unified);
    }
  }
  return { controllers: found, unified };
}
