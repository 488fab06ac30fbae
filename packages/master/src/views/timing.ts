// A timer among the metrics: the last duration and how the recent ones are spread (Mesos: docs/monitoring.md).

export interface Timing {
  add(durationMs: number): void;
  /** `name` is the last duration, `name/count`, `/min` ... what the recent ones were; nothing before the first. */
  show(metrics: Map<string, number>, name: string): void;
}

/** How many durations the percentiles look at. */
const recent = 1_000;

const percentiles: readonly (readonly [name: string, share: number])[] = [
  ['p50', 0.5],
  ['p90', 0.9],
  ['p95', 0.95],
  ['p99', 0.99],
  ['p999', 0.999],
  ['p9999', 0.9999],
];

export function createTiming(): Timing {
  const durations = new Float64Array(recent);
  let count = 0;
  return {
    add(durationMs) {
      durations[count % recent] = durationMs;
      count++;
    },
    show(metrics, name) {
      if (count === 0) return;
      const kept = Math.min(count, recent);
      const sorted = durations.slice(0, kept).sort();
      const at = (share: number): number => sorted[Math.min(kept - 1, Math.floor(share * kept))] ?? 0;
      metrics.set(name, durations[(count - 1) % recent] ?? 0);
      metrics.set(`${name}/count`, kept);
      metrics.set(`${name}/min`, at(0));
      metrics.set(`${name}/max`, at(1));
      for (const [suffix, share] of percentiles) metrics.set(`${name}/${suffix}`, at(share));
    },
  };
}
