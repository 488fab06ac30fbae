// cgroups/cpu: gives each container its part of the processor time while the machine is busy (shares), limits it with
// `--cgroups_enable_cfs` or where a task has a limit (quota), and measures it (Mesos: docs/isolators/cgroups-cpu.md).
import type { Files } from '@meseta/base';
import type { Cgroup } from '../cgroups/container-cgroups.js';
import type { Demand } from '../cgroups/demand.js';
import { parseKeyed, parseProcessIds } from '../cgroups/parse.js';
import { TICKS_PER_SECOND } from '../processes/process-table.js';
import {
  type CgroupsPorts,
  createCgroupIsolator,
  readControl,
  type Setting,
  writeSettings,
} from './cgroups-isolator.js';
import type { Isolator, Usage } from './isolator.js';

/** Mesos' numbers. */
const SHARES_PER_CPU = 1024;
const SHARES_PER_REVOCABLE_CPU = 10;
const MIN_SHARES = 2;
const PERIOD_US = 100_000;
const MIN_QUOTA_US = 1000;
/** The weight of a cgroup with the default shares; as shares, weights are relative to each other. */
const WEIGHT_PER_CPU = 100;
const MIN_WEIGHT = 1;
const MAX_WEIGHT = 10_000;

type CpuOptions = Pick<CgroupsPorts, 'enableCfs' | 'lowPriorityOfRevocableCpus'>;

/** The processors that a container may use; Infinity: all, undefined: no quota is set. */
const limitOf = ({ cpus, cpusLimit }: Demand, { enableCfs }: CpuOptions): number | undefined =>
  cpusLimit ?? (enableCfs ? cpus : undefined);

/** The values of the control files, in the order of their writing; none without a request. */
export function cpuSettings(demand: Demand, options: CpuOptions, version: 1 | 2): readonly Setting[] {
  if (demand.cpus === 0 && demand.cpusLimit === undefined) return [];
  const isLow = options.lowPriorityOfRevocableCpus && demand.hasRevocableCpus;
  const shares = Math.max(MIN_SHARES, Math.floor((isLow ? SHARES_PER_REVOCABLE_CPU : SHARES_PER_CPU) * demand.cpus));
  const limit = limitOf(demand, options);
  const quota = limit === undefined || limit === Infinity ? undefined : quotaOf(limit);
  if (version === 1) {
    const own: Setting = ['cpu', 'cpu.shares', shares];
    if (limit === undefined) return [own];
    return [own, ['cpu', 'cpu.cfs_period_us', PERIOD_US], ['cpu', 'cpu.cfs_quota_us', quota ?? -1]];
  }
  const weight = Math.min(MAX_WEIGHT, Math.max(MIN_WEIGHT, Math.round((shares / SHARES_PER_CPU) * WEIGHT_PER_CPU)));
  const own: Setting = ['cpu', 'cpu.weight', weight];
  return limit === undefined ? [own] : [own, ['cpu', 'cpu.max', `${quota ?? 'max'} ${PERIOD_US}`]];
}

const quotaOf = (cpus: number): number => Math.max(MIN_QUOTA_US, Math.floor(cpus * PERIOD_US));

/** The statistics in the control files. `limit`: the quota in processors; undefined: there is none. */
export function cpuUsage(
  version: 1 | 2,
  times: string | undefined,
  stat: string | undefined,
  limit: number | undefined,
): Usage {
  const used = parseKeyed(times);
  const [user, system, perSecond] =
    version === 1 ? (['user', 'system', TICKS_PER_SECOND] as const) : (['user_usec', 'system_usec', 1e6] as const);
  const usage: Usage = {
    cpus_user_time_secs: (used.get(user) ?? 0) / perSecond,
    cpus_system_time_secs: (used.get(system) ?? 0) / perSecond,
  };
  if (limit === undefined) return usage;
  const throttling = parseKeyed(stat);
  const throttled =
    version === 1 ? (throttling.get('throttled_time') ?? 0) / 1e9 : (throttling.get('throttled_usec') ?? 0) / 1e6;
  return {
    ...usage,
    ...(limit === Infinity ? {} : { cpus_limit: limit }),
    cpus_nr_periods: throttling.get('nr_periods') ?? 0,
    cpus_nr_throttled: throttling.get('nr_throttled') ?? 0,
    cpus_throttled_time_secs: throttled,
  };
}

function countsOf(files: Files, cgroup: Cgroup): Usage {
  const count = (file: string): number => parseProcessIds(readControl(files, cgroup, 'cpu', file) ?? '').length;
  return { processes: count('cgroup.procs'), threads: count(cgroup.version === 1 ? 'tasks' : 'cgroup.threads') };
}

export function createCgroupsCpu(ports: CgroupsPorts): Isolator {
  const { files } = ports;
  return createCgroupIsolator(ports, {
    name: 'cgroups/cpu',
    provides: 'cpusLimits',
    controllers: { 1: ['cpu', 'cpuacct'], 2: ['cpu'] },
    setLimits: (cgroup, demand) => writeSettings(files, cgroup, cpuSettings(demand, ports, cgroup.version)),
    usage(cgroup, demand) {
      const stat = readControl(files, cgroup, 'cpu', 'cpu.stat');
      const times = cgroup.version === 1 ? readControl(files, cgroup, 'cpuacct', 'cpuacct.stat') : stat;
      const usage = cpuUsage(cgroup.version, times, stat, limitOf(demand, ports));
      return ports.countProcesses ? { ...usage, ...countsOf(files, cgroup) } : usage;
    },
  }).isolator;
}
