import type { CgroupsOptions } from '../isolators/cgroups-isolator.js';

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
};
