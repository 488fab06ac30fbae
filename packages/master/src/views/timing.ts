// A timer metric: the last duration and the distribution of the recent ones (Mesos: docs/monitoring.md).
import { gauge, type Metric } from '@meseta/api';

export interface Timing {
  add(durationMs: number): void;
  /** Adds `name` (the last duration) and `name/count`, `name/min` ... (of the recent ones); nothing before the first. */
  addTo(metrics: Map<string, Metric>, name: string): void;
}

/** How many durations are kept for the percentiles. */
const KEPT_DURATIONS = 1_000;

const percentiles: readonly (readonly [name: string, share: number])[] = [
  ['p50', 0.5],
  ['p90', 0.9],
  ['p95', 0.95],
  ['p99', 0.99],
  ['p999', 0.999],
  ['p9999', 0.9999],
];

export function createTiming(): Timing {
  const durations = new Float64Array(KEPT_DURATIONS);
  let count = 0;
  return {
    add(durationMs) {
      durations[count % KEPT_DURATIONS] = durationMs;
      count++;
    },
    addTo(metrics, name) {
      if (count === 0) return;
      const kept = Math.min(count, KEPT_DURATIONS);
      const sorted = durations.slice(0, kept).sort();
      const at = (share: number): number => sorted[Math.min(kept - 1, Math.floor(share * kept))] ?? 0;
      metrics.set(name, gauge(durations[(count - 1) % KEPT_DURATIONS] ?? 0));
      metrics.set(`${name}/count`, gauge(kept));
      metrics.set(`${name}/min`, gauge(at(0)));
      metrics.set(`${name}/max`, gauge(at(1)));
      for (const [suffix, share] of percentiles) metrics.set(`${name}/${suffix}`, gauge(at(share)));
    },
  };
}
