// posix/cpu: measures the processor time of a container's processes, and counts them. It limits nothing.
import { ok } from '@meseta/base';
import { sumOf, TICKS_PER_SECOND } from '../processes/process-table.js';
import type { Isolator } from './isolator.js';

export const posixCpu: Isolator = {
  name: 'posix/cpu',
  supports: () => ok(undefined),
  usage: (_containerId, processes) => ({
    cpus_user_time_secs: sumOf(processes, ({ userTicks }) => userTicks) / TICKS_PER_SECOND,
    cpus_system_time_secs: sumOf(processes, ({ systemTicks }) => systemTicks) / TICKS_PER_SECOND,
    processes: processes.length,
    threads: sumOf(processes, ({ threads }) => threads),
  }),
};
