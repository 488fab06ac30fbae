// What the linux launcher needs for every container: the cgroup that has its processes. It is no isolator of Mesos and always
// there with that launcher.
import { type ContainerId, err, ok, type Result } from '@meseta/base';
import type { ProcessCgroups } from '../cgroups/process-cgroups.js';
import type { Isolator, PlanPatch } from './isolator.js';

export interface ProcessCgroupOptions {
  readonly cgroups: ProcessCgroups;
  /** `--cgroups_destroy_timeout` */
  readonly destroyTimeoutMs: number;
  readonly warn: (message: string) => void;
}

export const createProcessCgroup = ({ cgroups, destroyTimeoutMs, warn }: ProcessCgroupOptions): Isolator => ({
  name: 'linux launcher',
  isForPods: true,
  supports: () => ok(undefined),
  async prepare({ containerId }): Promise<Result<PlanPatch, string>> {
    const made = await cgroups.create(containerId);
    const directory = cgroups.directoryOf(containerId);
    return made.ok ? ok({ cgroup: directory, cgroups: [directory] }) : err(`cgroup: ${made.error.message}`);
  },
  async cleanUp(containerId: ContainerId) {
    const killed = await cgroups.kill(containerId, destroyTimeoutMs);
    if (!killed.ok) return warn(killed.error);
    const removed = await cgroups.remove(containerId);
    if (!removed.ok) warn(`cgroup: ${removed.error.message}`);
  },
});
