// The engine's measurements of a container as Mesos' statistics. Pure.
import type { Usage } from '../../isolators/isolator.js';

type Numbers = { readonly [field: string]: unknown } | undefined;

const numberIn = (object: unknown, path: readonly string[]): number | undefined => {
  let at = object;
  for (const name of path) at = typeof at === 'object' && at !== null ? (at as Numbers)?.[name] : undefined;
  return typeof at === 'number' && Number.isFinite(at) ? at : undefined;
};

const seconds = (nanoseconds: number | undefined): number | undefined =>
  nanoseconds === undefined ? undefined : nanoseconds / 1e9;

/** `stats`: the answer of GET /containers/ID/stats. Anonymous memory is called `rss` in version 1 of cgroups, `anon` in 2. */
export function usageOf(stats: unknown): Usage {
  const cpu = (part: string, name: string) => numberIn(stats, ['cpu_stats', part, name]);
  const memory = (name: string) => numberIn(stats, ['memory_stats', 'stats', name]);
  const fields = {
    cpus_user_time_secs: seconds(cpu('cpu_usage', 'usage_in_usermode')),
    cpus_system_time_secs: seconds(cpu('cpu_usage', 'usage_in_kernelmode')),
    cpus_nr_periods: cpu('throttling_data', 'periods'),
    cpus_nr_throttled: cpu('throttling_data', 'throttled_periods'),
    cpus_throttled_time_secs: seconds(cpu('throttling_data', 'throttled_time')),
    mem_total_bytes: numberIn(stats, ['memory_stats', 'usage']),
    mem_rss_bytes: memory('rss') ?? memory('anon'),
    mem_cache_bytes: memory('cache') ?? memory('file'),
    processes: numberIn(stats, ['pids_stats', 'current']),
  };
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));
}
