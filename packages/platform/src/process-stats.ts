// Metrics of the daemon's own process: memory, processor time, delays of the event loop.
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { getHeapStatistics } from 'node:v8';
import { counter, gauge, type Metric, type Metrics } from '@meseta/api';
import { createPauseMeter } from './loop-pause.js';

/** All names begin with `meseta/`. */
export type ProcessStats = () => Metrics;

const RESOLUTION_MS = 20;
/** Delays that have been read once are dropped after this time. */
const WINDOW_MS = 60_000;

const PERCENTILES = { p50: 50, p90: 90, p99: 99 } as const;

export function createProcessStats(): ProcessStats {
  const delays = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
  delays.enable();
  const pauses = createPauseMeter();
  let sinceMs = performance.now();
  // The monitor measures the time between its timers.
  const lateMs = (nanoseconds: number): number => Math.max(0, nanoseconds / 1e6 - RESOLUTION_MS);
  return () => {
    const { rss, external } = process.memoryUsage();
    const heap = getHeapStatistics();
    const { user, system } = process.cpuUsage();
    const stats = new Map<string, Metric>([
      ['meseta/heap_used_bytes', gauge(heap.used_heap_size)],
      ['meseta/heap_total_bytes', gauge(heap.total_heap_size)],
      ['meseta/heap_limit_bytes', gauge(heap.heap_size_limit)],
      ['meseta/external_bytes', gauge(external)],
      ['meseta/resident_bytes', gauge(rss)],
      ['meseta/cpu_secs', counter((user + system) / 1e6)],
      ['meseta/event_loop_delay_ms/max', gauge(delays.count === 0 ? 0 : lateMs(delays.max))],
      ['meseta/event_loop_pause_ms/max', gauge(pauses.longestMs())],
    ]);
    for (const [name, share] of Object.entries(PERCENTILES)) {
      stats.set(`meseta/event_loop_delay_ms/${name}`, gauge(delays.count === 0 ? 0 : lateMs(delays.percentile(share))));
    }
    if (performance.now() - sinceMs > WINDOW_MS) {
      delays.reset();
      pauses.reset();
      sinceMs = performance.now();
    }
    return stats;
  };
}
