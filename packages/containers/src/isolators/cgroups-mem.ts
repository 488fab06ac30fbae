// cgroups/mem: limits the memory of a container and measures it (Mesos: the isolator of this name, and limits above requests
// since 1.10). The kernel kills a process of a container that has reached its limit; the rest of the container is destroyed,
// and its end is reported as a limitation.
//
// Owns: for each container, whether its end by the kernel was reported, and the counters of memory pressure.
// CGROUPS-MEM-1: the request is the soft limit; the limit, or else the request, is the hard limit.
// CGROUPS-MEM-2: the hard limit of a container that runs is raised and never lowered: it could be below what is in use.
// CGROUPS-MEM-3: a container that the kernel has killed a process of ends with a limitation, also when that was its first
//   process, and when no agent ran at that time.
//
// The kills are polled, as version 1 tells of them only by eventfd(2), which Node lacks: two reads of 15 microseconds for each
// cgroup and second, so 1.5 % of a processor for 500 containers. The end of a container is looked at at once.
import { type ContainerId, err, type Files, formatByteSize, ok } from '@meseta/base';
import type { Cgroup, ContainerCgroups } from '../cgroups/container-cgroups.js';
import type { Demand } from '../cgroups/demand.js';
import { parseKeyed, parseNumber } from '../cgroups/parse.js';
import { readTotalMemoryBytes } from '../host-facts.js';
import type { ContainerRecord } from '../lifecycle.js';
import type { Limitation } from '../types.js';
import {
  type CgroupsPorts,
  createCgroupIsolator,
  readControl,
  type Setting,
  writeSettings,
} from './cgroups-isolator.js';
import type { Isolator, Usage } from './isolator.js';
import { countPressure, NO_PRESSURE, type Pressure, type PressureSample } from './memory-pressure.js';

const MEGABYTE = 2 ** 20;
/** Mesos'. */
const MIN_BYTES = 32 * MEGABYTE;
const POLL_INTERVAL_MS = 1000;
const SAMPLES_AT_ONCE = 25;
/** Version 1 has this many bytes, rounded down to a page, as no limit. */
const UNLIMITED = Number.MAX_SAFE_INTEGER;

const softLimit = ({ memoryBytes }: Demand): number => Math.max(MIN_BYTES, Math.floor(memoryBytes));

/** CGROUPS-MEM-1. */
const hardLimit = (demand: Demand): number =>
  demand.memoryLimitBytes === undefined
    ? softLimit(demand)
    : Math.max(MIN_BYTES, Math.floor(demand.memoryLimitBytes / MEGABYTE) * MEGABYTE);

export interface MemoryState {
  /** The limit that is set; undefined: none was set yet. */
  readonly hardLimit: number | undefined;
  readonly limitSwap: boolean;
}

/** The values of the control files, in the order of their writing; none without a request. */
export function memorySettings(demand: Demand, state: MemoryState, version: 1 | 2): readonly Setting[] {
  if (demand.memoryBytes === 0 && demand.memoryLimitBytes === undefined) return [];
  const soft = softLimit(demand);
  const hard = hardLimit(demand);
  const isFirst = state.hardLimit === undefined;
  const changesHard = state.hardLimit === undefined || hard > state.hardLimit;
  if (version === 2) {
    const own: Setting[] = [['memory', 'memory.low', soft]];
    if (state.limitSwap && isFirst) own.push(['memory', 'memory.swap.max', 0]);
    return changesHard ? [...own, ['memory', 'memory.max', hard === Infinity ? 'max' : hard]] : own;
  }
  const value = hard === Infinity ? -1 : hard;
  const memory: Setting = ['memory', 'memory.limit_in_bytes', value];
  const withSwap: readonly Setting[] = state.limitSwap ? [['memory', 'memory.memsw.limit_in_bytes', value]] : [];
  const own: Setting = ['memory', 'memory.soft_limit_in_bytes', soft];
  if (!changesHard) return [own];
  // The limit with swap is never below the other one.
  return isFirst ? [own, memory, ...withSwap] : [own, ...withSwap, memory];
}

/**
 * How readily the kernel kills a task with a limit above its request when the machine has no memory left: the smaller the
 * request, the sooner. Executors keep the score of the agent.
 */
export function oomScoreOf(demand: Demand, totalBytes: number): number | undefined {
  if (hardLimit(demand) <= softLimit(demand) || totalBytes <= 0) return undefined;
  return Math.max(1, 1000 - Math.floor((1000 * softLimit(demand)) / totalBytes));
}

type Read = (file: string) => string | undefined;

const limited = (value: number | undefined): number | undefined =>
  value === undefined || value >= UNLIMITED ? undefined : value;

const present = (fields: { readonly [Name in keyof Usage]: number | undefined }): Usage =>
  Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));

/** The statistics in the control files. `limitSwap`: memory and swap are counted together. */
export function memoryUsage(version: 1 | 2, read: Read, limitSwap: boolean): Usage {
  const stat = parseKeyed(read('memory.stat'));
  const numberIn = (file: string): number | undefined => parseNumber(read(file));
  if (version === 2) {
    return present({
      mem_total_bytes: numberIn('memory.current'),
      mem_limit_bytes: limited(numberIn('memory.max')),
      mem_soft_limit_bytes: limited(numberIn('memory.low')),
      mem_file_bytes: stat.get('file'),
      mem_cache_bytes: stat.get('file'),
      mem_anon_bytes: stat.get('anon'),
      mem_rss_bytes: stat.get('anon'),
      mem_mapped_file_bytes: stat.get('file_mapped'),
      mem_swap_bytes: numberIn('memory.swap.current'),
      mem_unevictable_bytes: stat.get('unevictable'),
      mem_kmem_usage_bytes: stat.get('kernel'),
      mem_kmem_tcp_usage_bytes: stat.get('sock'),
    });
  }
  return present({
    mem_total_bytes: numberIn('memory.usage_in_bytes'),
    mem_limit_bytes: limited(numberIn('memory.limit_in_bytes')),
    mem_soft_limit_bytes: limited(numberIn('memory.soft_limit_in_bytes')),
    mem_total_memsw_bytes: limitSwap ? numberIn('memory.memsw.usage_in_bytes') : undefined,
    mem_file_bytes: stat.get('total_cache'),
    mem_cache_bytes: stat.get('total_cache'),
    mem_anon_bytes: stat.get('total_rss'),
    mem_rss_bytes: stat.get('total_rss'),
    mem_mapped_file_bytes: stat.get('total_mapped_file'),
    mem_swap_bytes: stat.get('total_swap'),
    mem_unevictable_bytes: stat.get('total_unevictable'),
    mem_kmem_usage_bytes: numberIn('memory.kmem.usage_in_bytes'),
    mem_kmem_tcp_usage_bytes: numberIn('memory.kmem.tcp.usage_in_bytes'),
  });
}

/** How many processes the kernel has killed because the cgroup was at its limit. */
const killsIn = (version: 1 | 2, read: Read): number =>
  parseKeyed(read(version === 1 ? 'memory.oom_control' : 'memory.events')).get('oom_kill') ?? 0;

function sampleOf(version: 1 | 2, read: Read): PressureSample {
  const oomKills = killsIn(version, read);
  if (version === 1) return { oomKills, limitHits: parseNumber(read('memory.failcnt')) ?? 0, stalledUs: undefined };
  const events = parseKeyed(read('memory.events'));
  const stalled = /^full .*total=(\d+)$/m.exec(read('memory.pressure') ?? '')?.[1];
  return { oomKills, limitHits: (events.get('high') ?? 0) + (events.get('max') ?? 0), stalledUs: parseNumber(stalled) };
}

export function limitationOf(version: 1 | 2, read: Read): Limitation {
  const [limitFile, usageFiles] =
    version === 1
      ? (['memory.limit_in_bytes', ['memory.max_usage_in_bytes']] as const)
      : (['memory.max', ['memory.peak', 'memory.current']] as const);
  const bytesIn = (file: string): number | undefined => limited(parseNumber(read(file)));
  const limit = bytesIn(limitFile);
  const used = usageFiles.map(bytesIn).find((bytes) => bytes !== undefined) ?? 0;
  const requested = limit === undefined ? 'unlimited' : formatByteSize(limit);
  const statistics = (read('memory.stat') ?? '').trimEnd();
  return {
    resources: [{ name: 'mem', type: 'SCALAR', scalar: { value: used / MEGABYTE }, role: '*' }],
    reason: 'REASON_CONTAINER_LIMITATION_MEMORY',
    message: `Memory limit exceeded: Requested: ${requested} Maximum Used: ${formatByteSize(used)}\n\nMEMORY STATISTICS: \n${statistics}\n`,
  };
}

interface Watched {
  readonly record: ContainerRecord;
  readonly onLimitation: (limitation: Limitation) => void;
}

/** Polls the cgroups of the watched containers. CGROUPS-MEM-3. */
function createWatch({ files, clock }: CgroupsPorts, cgroups: () => ContainerCgroups) {
  const watched = new Map<ContainerId, Watched>();
  /** By cgroup, as far as it is sampled. */
  const pressures = new Map<string, { readonly last: PressureSample; readonly counted: Pressure }>();
  /** By cgroup, the kills that were reported: containers that are launched in it later did not cause them. */
  const reportedKills = new Map<string, number>();
  let cancel: (() => void) | undefined;
  /** The containers that are still to be sampled in this round. */
  let waiting: ContainerId[] = [];

  function findLimitation(record: ContainerRecord): Limitation | undefined {
    const cgroup = cgroups().cgroupOf(record.containerId) ?? cgroups().locate(record);
    const read = readerOf(files, cgroup);
    const kills = killsIn(cgroup.version, read);
    return kills > (reportedKills.get(cgroup.id) ?? 0) ? limitationOf(cgroup.version, read) : undefined;
  }

  function sample(record: ContainerRecord): void {
    const cgroup = cgroups().cgroupOf(record.containerId);
    if (cgroup === undefined) return;
    const read = readerOf(files, cgroup);
    const now = sampleOf(cgroup.version, read);
    pressures.set(cgroup.id, { last: now, counted: countPressure(pressures.get(cgroup.id), now) });
    if (now.oomKills <= (reportedKills.get(cgroup.id) ?? 0)) return;
    reportedKills.set(cgroup.id, now.oomKills);
    const limitation = limitationOf(cgroup.version, read);
    // Every container that shares the cgroup ends with it.
    for (const { record: each, onLimitation } of [...watched.values()]) {
      if (cgroups().cgroupOf(each.containerId)?.id === cgroup.id) onLimitation(limitation);
    }
  }

  /** Samples a part of the containers, so that all are sampled once in the interval. */
  function poll(): void {
    for (let count = 0; count < SAMPLES_AT_ONCE; count++) {
      const id = waiting.pop();
      if (id === undefined) return;
      const container = watched.get(id);
      if (container !== undefined) sample(container.record);
    }
  }

  function schedule(): void {
    if (cancel !== undefined || watched.size === 0) return;
    if (waiting.length === 0) waiting = [...watched.keys()];
    cancel = clock.setTimer(POLL_INTERVAL_MS / Math.ceil(watched.size / SAMPLES_AT_ONCE), () => {
      cancel = undefined;
      poll();
      schedule();
    });
  }

  return {
    findLimitation,
    add(container: Watched): void {
      watched.set(container.record.containerId, container);
      schedule();
    },
    remove: (containerId: ContainerId) => watched.delete(containerId),
    /** Ignores the kills until now, which may be of containers that shared the cgroup and have ended. */
    ignoreKills(record: ContainerRecord): void {
      const cgroup = cgroups().locate(record);
      reportedKills.set(cgroup.id, killsIn(cgroup.version, readerOf(files, cgroup)));
    },
    forget(cgroup: Cgroup): void {
      pressures.delete(cgroup.id);
      reportedKills.delete(cgroup.id);
    },
    close(): void {
      cancel?.();
      watched.clear();
    },
    pressureOf: ({ id }: Cgroup): Pressure => pressures.get(id)?.counted ?? NO_PRESSURE,
  };
}

const readerOf =
  (files: Files, cgroup: Cgroup): Read =>
  (file) =>
    readControl(files, cgroup, 'memory', file);

export function createCgroupsMem(ports: CgroupsPorts): Isolator {
  const { files, layout, limitSwap } = ports;
  const watch = createWatch(ports, () => cgroups);
  const { isolator, cgroups } = createCgroupIsolator(ports, {
    name: 'cgroups/mem',
    provides: 'memLimits',
    controllers: { 1: ['memory'], 2: ['memory'] },
    setLimits(cgroup, demand, isNew) {
      const file = cgroup.version === 1 ? 'memory.limit_in_bytes' : 'memory.max';
      const current = isNew ? undefined : parseNumber(readControl(files, cgroup, 'memory', file));
      return writeSettings(files, cgroup, memorySettings(demand, { hardLimit: current, limitSwap }, cgroup.version));
    },
    usage: (cgroup) => ({
      ...memoryUsage(cgroup.version, readerOf(files, cgroup), limitSwap),
      ...watch.pressureOf(cgroup),
    }),
  });
  return {
    ...isolator,
    supports(host) {
      const supported = isolator.supports(host);
      const memory = layout.controllers.get('memory');
      if (!supported.ok || !limitSwap || memory?.version !== 1) return supported;
      if (files.readTextNow(`${memory.mountPoint}/memory.memsw.limit_in_bytes`) !== undefined) return supported;
      return err('--cgroups_limit_swap: this kernel does not account for swap (boot it with swapaccount=1)');
    },
    async prepare(spec, preparing) {
      const prepared = (await isolator.prepare?.(spec, preparing)) ?? ok({});
      const demand = cgroups.demandOf(spec.containerId);
      if (!prepared.ok || demand === undefined || spec.isExecutor === true) return prepared;
      const oomScoreAdjustment = oomScoreOf(demand, readTotalMemoryBytes(files) ?? 0);
      return oomScoreAdjustment === undefined ? prepared : ok({ ...prepared.value, oomScoreAdjustment });
    },
    async recover(alive) {
      await isolator.recover?.(alive);
      for (const record of alive) if (record.sharedCgroup !== undefined) watch.ignoreKills(record);
    },
    watch(record, onLimitation) {
      isolator.watch?.(record, onLimitation);
      watch.add({ record, onLimitation });
    },
    findLimitation: watch.findLimitation,
    close: watch.close,
    async cleanUp(containerId) {
      watch.remove(containerId);
      const cgroup = cgroups.cgroupOf(containerId);
      await isolator.cleanUp?.(containerId);
      if (cgroup !== undefined && !cgroups.isUsed(cgroup)) watch.forget(cgroup);
    },
  };
}
