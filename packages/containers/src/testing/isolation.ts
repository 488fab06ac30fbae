// The flags of isolators for tests, and the cgroups of this process' tests.
import { existsSync, readFileSync } from 'node:fs';
import { err } from '@meseta/base';
import { createFiles } from '@meseta/platform/files';
import { readCgroupLayout } from '../cgroups/host.js';
import { parseProcessIds } from '../cgroups/parse.js';
import { listCgroups, removeCgroup } from '../cgroups/tree.js';
import type { CgroupsOptions } from '../isolators/cgroups-isolator.js';
import type { IsolationOptions } from '../isolators/select.js';

/** The defaults of the agent's flags. */
export const cgroupsOptions: CgroupsOptions = {
  hierarchy: '/sys/fs/cgroup',
  root: 'mesos',
  enableCfs: false,
  limitSwap: false,
  countProcesses: false,
  lowPriorityOfRevocableCpus: true,
  pidsLimit: undefined,
  allowedDevices: undefined,
  devicePrograms: err('not loaded'),
};

export const isolationOptions: Omit<IsolationOptions, 'launcher' | 'images' | 'seccomp' | 'gpus'> = {
  names: 'posix/cpu,posix/mem',
  diskWatchIntervalMs: 15_000,
  enforceDiskQuota: false,
  cgroups: cgroupsOptions,
  capabilities: { effective: undefined, bounding: undefined },
  pid: { mayNotShareAgents: false },
  ipc: { mayNotShareAgents: false, defaultShmBytes: undefined },
  cni: {
    configDir: undefined,
    pluginsDir: undefined,
    rootDir: '/nowhere',
    pluginTimeoutMs: 60_000,
    defaultDns: [],
    namespaces: undefined,
  },
  ports: { watchIntervalMs: 30_000, enforce: false, watched: undefined },
};

/** The cgroup that those of all containers of this process' tests are in. */
export const testCgroup = `meseta-test-${process.pid}`;

/** Kills what a failed test has left, and removes the cgroups of this process' tests. */
export async function removeTestCgroups(): Promise<void> {
  const files = createFiles();
  const { controllers, unified } = readCgroupLayout(files, cgroupsOptions.hierarchy);
  const mounted = [...controllers.values(), ...(unified === undefined ? [] : [unified])];
  const roots = new Set(mounted.map(({ mountPoint }) => `${mountPoint}/${testCgroup}`));
  for (const root of roots) {
    if (!existsSync(root)) continue;
    for (const cgroup of (await listCgroups(files, root)).toReversed()) {
      for (const pid of parseProcessIds(readFileSync(`${cgroup}/cgroup.procs`, 'utf8'))) process.kill(pid, 'SIGKILL');
      await removeCgroup(files, cgroup);
    }
  }
}
