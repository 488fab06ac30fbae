// Isolators of Mesos whose containers have a cgroup in the hierarchy of one controller, without limits that the agent sets:
// operators set them in the cgroup that all containers are in.
import { err, type Files, ok, type Result } from '@meseta/base';
import type { Cgroup } from '../cgroups/container-cgroups.js';
import { type CgroupsPorts, createCgroupIsolator } from './cgroups-isolator.js';
import type { Isolator } from './isolator.js';

/** The controllers by the names of their isolators; in version 2 they have the same name, or there is none. */
const CONTROLLERS = {
  'cgroups/cpuset': { 1: ['cpuset'], 2: ['cpuset'] },
  'cgroups/hugetlb': { 1: ['hugetlb'], 2: ['hugetlb'] },
  'cgroups/net_cls': { 1: ['net_cls'], 2: undefined },
  'cgroups/net_prio': { 1: ['net_prio'], 2: undefined },
  'cgroups/perf_event': { 1: ['perf_event'], 2: undefined },
} as const;

export const MEMBERSHIPS = Object.keys(CONTROLLERS) as readonly (keyof typeof CONTROLLERS)[];

const CPUSET_FILES = ['cpuset.cpus', 'cpuset.mems'];

/** In version 1 a new cgroup has no processors, and takes no process before it has some: those of the cgroup above it. */
async function inheritProcessors(files: Files, { version, directories }: Cgroup): Promise<Result<void, string>> {
  const directory = directories.get('cpuset');
  if (version === 2 || directory === undefined) return ok(undefined);
  const parentOf = (path: string): string => path.slice(0, path.lastIndexOf('/'));
  for (const file of CPUSET_FILES) {
    const empty: string[] = [];
    let value = '';
    for (let at = directory; value === '' && at !== ''; at = parentOf(at)) {
      value = files.readTextNow(`${at}/${file}`)?.trim() ?? '';
      if (value === '') empty.push(at);
    }
    for (const at of empty.toReversed()) {
      const written = await files.write(`${at}/${file}`, value);
      if (!written.ok) return err(`${file}: ${written.error.message}`);
    }
  }
  return ok(undefined);
}

export function createCgroupsMembership(ports: CgroupsPorts, name: keyof typeof CONTROLLERS): Isolator {
  const controllers = CONTROLLERS[name];
  const setLimits = (cgroup: Cgroup): Promise<Result<void, string>> => inheritProcessors(ports.files, cgroup);
  return createCgroupIsolator(ports, { name, controllers, ...(name === 'cgroups/cpuset' ? { setLimits } : {}) })
    .isolator;
}
