// What a container uses: summed over its processes, as Mesos' posix/cpu and posix/mem isolators do, and the disk usage of its
// sandbox.
import type { ContainerId } from '@meseta/base';
import { type ProcessTable, readProcessTable } from '../../processes/process-table.js';
import { openSandbox } from '../../sandbox/sandbox.js';
import { diskUsage } from '../../sandbox/trees.js';
import type { Containers } from '../../types.js';
import { findContainerProcesses, type PosixState } from './state.js';

// The same on every Linux that Node runs on (sysconf(_SC_CLK_TCK); _SC_PAGESIZE of x86-64 and most arm64).
const TICKS_PER_SECOND = 100;
const PAGE_BYTES = 4096;
const TABLE_VALID_MS = 200;
const DISK_VALID_MS = 60_000;
/** How long a caller waits for the measurement of a tree. A usage without it has no disk usage. */
const DISK_TIMEOUT_MS = 1000;

function withTimeout<T>(reading: Promise<T>): Promise<T | undefined> {
  let timer: NodeJS.Timeout | undefined;
  const timeout = new Promise<undefined>((resolve) => {
    timer = setTimeout(resolve, DISK_TIMEOUT_MS, undefined);
  });
  return Promise.race([reading, timeout]).finally(() => clearTimeout(timer));
}

export function createUsage(state: PosixState): Containers['usage'] {
  // The endpoint /containers asks for every container at once: the calls share a reading.
  let table: { readonly readMs: number; readonly reading: Promise<ProcessTable> } | undefined;
  // Trees are measured one after the other, as each holds descriptors.
  let lastMeasurement: Promise<unknown> = Promise.resolve();
  const disks = new Map<ContainerId, { readonly startedMs: number; readonly reading: Promise<number> }>();

  function readTable(): Promise<ProcessTable> {
    const nowMs = performance.now();
    if (table === undefined || nowMs - table.readMs > TABLE_VALID_MS) {
      table = { readMs: nowMs, reading: readProcessTable(state.files) };
    }
    return table.reading;
  }

  async function measureSandbox(path: string): Promise<number> {
    const sandbox = await openSandbox(state.files, path);
    if (!sandbox.ok) return 0;
    const bytes = await diskUsage(sandbox.value);
    sandbox.value.close();
    return bytes;
  }

  function readDiskUsage(containerId: ContainerId, sandbox: string): Promise<number> {
    const nowMs = performance.now();
    const known = disks.get(containerId);
    if (known !== undefined && nowMs - known.startedMs < DISK_VALID_MS) return known.reading;
    for (const id of disks.keys()) if (state.containers.get(id)?.phase !== 'running') disks.delete(id);
    const reading = lastMeasurement.then(() => measureSandbox(sandbox));
    lastMeasurement = reading;
    disks.set(containerId, { startedMs: nowMs, reading });
    return reading;
  }

  return async (containerId) => {
    const container = state.containers.get(containerId);
    if (container?.phase !== 'running' || container.pid === undefined) return undefined;
    const { runsIn } = container;
    const [processes, diskBytes] = await Promise.all([
      readTable(),
      withTimeout(readDiskUsage(containerId, runsIn.sandbox)),
    ]);
    const members = findContainerProcesses(processes, container, state.foreignSessions);
    const sum = (of: (member: (typeof members)[number]) => number): number =>
      members.reduce((total, member) => total + of(member), 0);
    return {
      cpus_user_time_secs: sum(({ userTicks }) => userTicks) / TICKS_PER_SECOND,
      cpus_system_time_secs: sum(({ systemTicks }) => systemTicks) / TICKS_PER_SECOND,
      mem_rss_bytes: sum(({ residentPages }) => residentPages) * PAGE_BYTES,
      ...(diskBytes === undefined ? {} : { disk_used_bytes: diskBytes }),
      processes: members.length,
      threads: sum(({ threads }) => threads),
    };
  };
}
