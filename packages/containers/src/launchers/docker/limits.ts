// The engine's limits of CPUs and memory from a container's resources and limits (Mesos: docs/nested-container-and-task-group.md
// has the same for tasks' limits; the numbers are those of its cgroups isolators).
import { quantitiesOf, quantity } from '@meseta/resources';
import type { ValueScalar } from '@meseta/wire';
import type { ContainerSpec } from '../../types.js';

const SHARES_PER_CPU = 1024;
const MIN_SHARES = 2;
const PERIOD_US = 100_000;
const MIN_QUOTA_US = 1000;
const MIB = 2 ** 20;
const MIN_MEMORY_BYTES = 32 * MIB;

export interface EngineLimits {
  readonly CpuShares?: number;
  readonly CpuPeriod?: number;
  readonly CpuQuota?: number;
  readonly Memory?: number;
  readonly MemoryReservation?: number;
  readonly OomScoreAdj?: number;
}

export interface LimitOptions {
  /** `--cgroups_enable_cfs`: containers get no more CPU time than their resources. */
  readonly enableCfs: boolean;
  readonly totalMemoryBytes: number;
}

/** What the engine changes of a running container. */
export type LimitChange = Omit<EngineLimits, 'OomScoreAdj'> & { readonly MemorySwap?: number };

type Limited = Pick<ContainerSpec, 'resources' | 'limits'>;

function cpuQuota(cpus: number | undefined, limit: ValueScalar | undefined, enableCfs: boolean): EngineLimits {
  const most = limit?.value ?? (enableCfs ? cpus : undefined);
  if (most === undefined || !Number.isFinite(most)) return {};
  return { CpuPeriod: PERIOD_US, CpuQuota: Math.max(Math.floor(PERIOD_US * most), MIN_QUOTA_US) };
}

function memory(bytes: number | undefined, limit: ValueScalar | undefined, totalBytes: number): EngineLimits {
  const atLeast = (it: number): number => Math.max(it, MIN_MEMORY_BYTES);
  if (limit === undefined) return bytes === undefined ? {} : { Memory: atLeast(bytes) };
  const limitBytes = Number.isFinite(limit.value) ? Math.floor(limit.value) * MIB : Number.POSITIVE_INFINITY;
  const hard = Number.isFinite(limitBytes) ? { Memory: atLeast(limitBytes) } : {};
  if (bytes === undefined) return hard;
  // A container that uses more than its request is the first to be killed when the machine runs out of memory.
  const score = bytes < limitBytes ? { OomScoreAdj: 1000 - Math.floor((1000 * bytes) / totalBytes) } : {};
  return { ...hard, MemoryReservation: atLeast(bytes), ...score };
}

/** The limits of a container. A resource that it does not have is not limited. */
export function limitsOf({ resources, limits = {} }: Limited, options: LimitOptions): EngineLimits {
  const quantities = quantitiesOf(resources);
  const amountOf = (name: string): number | undefined => {
    const amount = quantity(quantities, name);
    return amount === 0 ? undefined : amount / 1000;
  };
  const cpus = amountOf('cpus');
  const memoryMib = amountOf('mem');
  const bytes = memoryMib === undefined ? undefined : Math.floor(memoryMib * MIB);
  const shares = cpus === undefined ? {} : { CpuShares: Math.max(Math.floor(SHARES_PER_CPU * cpus), MIN_SHARES) };
  const score = memory(bytes, limits['mem'], options.totalMemoryBytes);
  return { ...shares, ...cpuQuota(cpus, limits['cpus'], options.enableCfs), ...score };
}

/**
 * The change of a running container's limits. As in Mesos, its hard limit of memory only grows, since a lower one could kill
 * it at once; the limit with swap, which the engine sets to twice the memory, grows with it.
 */
export function limitChange(limited: Limited, options: LimitOptions, memoryBytes: number): LimitChange {
  const { OomScoreAdj: _fixed, Memory = 0, MemoryReservation, ...others } = limitsOf(limited, options);
  const reservation = MemoryReservation ?? Memory;
  const soft = reservation === 0 ? {} : { MemoryReservation: reservation };
  const grows = memoryBytes > 0 && Memory > memoryBytes;
  return { ...others, ...soft, ...(grows ? { Memory, MemorySwap: 2 * Memory } : {}) };
}
