import type { Files } from '@meseta/base';
import { cgroupProcesses } from '../cgroups/process-cgroups.js';
import { isLive, type ProcessStat, readStat } from './process-table.js';

/** The live processes of a cgroup, and of those in it. */
export async function cgroupStats(files: Files, cgroup: string): Promise<readonly ProcessStat[]> {
  const pids = await cgroupProcesses(files, cgroup);
  return pids.map((pid) => readStat(files, pid)).filter(isLive);
}
