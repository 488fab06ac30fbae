// The processes of a container with a cgroup, as the process table has them.
import type { Files } from '@meseta/base';
import { cgroupProcesses } from '../cgroups/process-cgroups.js';
import { type ProcessStat, readLive } from './process-table.js';

/** The live processes of a cgroup, and of those in it. */
export async function cgroupStats(files: Files, cgroup: string): Promise<readonly ProcessStat[]> {
  const found: ProcessStat[] = [];
  await readLive(files, await cgroupProcesses(files, cgroup), (stat) => found.push(stat));
  return found;
}
