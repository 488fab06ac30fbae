// Where the linux launcher makes the cgroups of this process' tests.
import { existsSync, readdirSync } from 'node:fs';
import { testCgroup } from './isolation.js';

export const CGROUPS = '/sys/fs/cgroup';
const hierarchy = [`${CGROUPS}/unified`, CGROUPS, `${CGROUPS}/freezer`].find((path) =>
  existsSync(path.endsWith('freezer') ? path : `${path}/cgroup.procs`),
);

/** The cgroup in which the linux launcher makes those of this process' tests. */
export const launcherCgroup = `${hierarchy}/${testCgroup}`;
export const asRoot = { skip: process.getuid?.() !== 0 ? 'needs root' : hierarchy === undefined && 'needs cgroups' };

/** The containers that have a cgroup. */
export const cgroupsLeft = (): readonly string[] =>
  existsSync(launcherCgroup)
    ? readdirSync(launcherCgroup, { withFileTypes: true }).flatMap((it) => (it.isDirectory() ? [it.name] : []))
    : [];
