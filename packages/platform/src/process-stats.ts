// What a daemon says of its own process among its metrics: how late its event loop is, what it holds in memory.
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { getHeapStatistics } from 'node:v8';
import { createPauseMeter } from './loop-pause.js';

/** By metric name, under `meseta/`. */
export type ProcessStats = () => ReadonlyMap<string, number>;

const resolutionMs = 20;
/** Delays older than this no longer count, once somebody has read them. */
const windowMs = 60_000;

const percentiles = { p50: 50, p90: 90, p99: 99 } as const;

export function createProcessStats(): ProcessStats {
  const delays = monitorEventLoopDelay({ resolution: resolutionMs });
  delays.enable();
  const pauses = createPauseMeter();
  let sinceMs = performance.now();
  // The monitor measures the time between its timers.
  const lateMs = (nanoseconds: number): number => Math.max(0, nanoseconds / 1e6 - resolutionMs);
  return () => {
    const { rss, external } = process.memoryUsage();
    const heap = getHeapStatistics();
    const { user, system } = process.cpuUsage();
    const stats = new Map([
      ['meseta/heap_used_bytes', heap.used_heap_size],
      ['meseta/heap_total_bytes', heap.total_heap_size],
      ['meseta/heap_limit_bytes', heap.heap_size_limit],
      ['meseta/external_bytes', external],
      ['meseta/resident_bytes', rss],
      ['meseta/cpu_secs', (user + system) / 1e6],
      ['meseta/event_loop_delay_ms/max', delays.count === 0 ? 0 : lateMs(delays.max)],
      ['meseta/event_loop_pause_ms/max', pauses.longestMs()],
    ]);
    for (const [name, share] of Object.entries(percentiles)) {
      stats.set(`meseta/event_loop_delay_ms/${name}`, delays.count === 0 ? 0 : lateMs(delays.percentile(share)));
    }
    if (performance.now() - sinceMs > windowMs) {
      delays.reset();
      pauses.reset();
      sinceMs = performance.now();
    }
    return stats;
  };
}
