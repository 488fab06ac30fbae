// What a container uses, summed over its processes as Mesos' posix/cpu and posix/mem isolators do, and the disk
// under its sandbox.
import type { ContainerId } from '@meseta/base';
import { membersOf, type ProcessTable, readProcessTable } from '../../processes/process-table.js';
import { openSandbox } from '../../sandbox/sandbox.js';
import { diskUsage } from '../../sandbox/trees.js';
import type { Containers } from '../../types.js';
import type { PosixState } from './state.js';

// Fixed on every Linux that Node runs on (sysconf(_SC_CLK_TCK), _SC_PAGESIZE on x86-64 and most arm64).
const ticksPerSecond = 100;
const pageBytes = 4096;
const tableAgeMs = 200;
const diskAgeMs = 60_000;
/** Whoever asks does not wait longer for a large tree: until it is measured it has no disk usage. */
const diskPatienceMs = 1000;

function withinPatience<T>(reading: Promise<T>): Promise<T | undefined> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<undefined>((resolve) => {
    timer = setTimeout(resolve, diskPatienceMs, undefined);
  });
  return Promise.race([reading, late]).finally(() => clearTimeout(timer));
}

export function createUsage(state: PosixState): Containers['usage'] {
  // Asked for every container at once by /containers: they share a reading.
  let table: { readonly atMs: number; readonly reading: Promise<ProcessTable> } | undefined;
  // One tree at a time: each holds descriptors.
  let walks: Promise<unknown> = Promise.resolve();
  const disks = new Map<ContainerId, { readonly atMs: number; readonly reading: Promise<number> }>();

  function freshTable(): Promise<ProcessTable> {
    const now = performance.now();
    if (table === undefined || now - table.atMs > tableAgeMs) {
      table = { atMs: now, reading: readProcessTable(state.files) };
    }
    return table.reading;
  }

  function disk(containerId: ContainerId, sandbox: string): Promise<number> {
    const now = performance.now();
    const kept = disks.get(containerId);
    if (kept !== undefined && now - kept.atMs < diskAgeMs) return kept.reading;
    for (const id of disks.keys()) if (state.containers.get(id)?.phase !== 'running') disks.delete(id);
    const reading = walks.then(async () => {
      const directory = await openSandbox(state.files, sandbox);
      if (!directory.ok) return 0;
      const bytes = await diskUsage(directory.value);
      directory.value.close();
      return bytes;
    });
    walks = reading;
    disks.set(containerId, { atMs: now, reading });
    return reading;
  }

  return async (containerId) => {
    const container = state.containers.get(containerId);
    if (container?.phase !== 'running' || container.pid === undefined) return undefined;
    const [reading, diskBytes] = await Promise.all([
      freshTable(),
      withinPatience(disk(containerId, container.place.sandbox)),
    ]);
    const members = membersOf(reading, new Set([container.pid]), state.foreignSessions).get(container.pid) ?? [];
    const sum = (of: (member: (typeof members)[number]) => number): number =>
      members.reduce((total, member) => total + of(member), 0);
    return {
      cpus_user_time_secs: sum((it) => it.userTicks) / ticksPerSecond,
      cpus_system_time_secs: sum((it) => it.systemTicks) / ticksPerSecond,
      mem_rss_bytes: sum((it) => it.residentPages) * pageBytes,
      ...(diskBytes === undefined ? {} : { disk_used_bytes: diskBytes }),
      processes: members.length,
      threads: sum((it) => it.threads),
    };
  };
}
