// The durations of a timer metric: the last one and the distribution of the recent ones (Mesos: docs/monitoring.md).

export interface Timing {
  add(durationMs: number): void;
  /** By suffixes of the metric's name: '' (the last duration), '/count', '/min' ... (of the recent ones); none before the first. */
  values(): readonly (readonly [suffix: string, value: number])[];
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
    values() {
      if (count === 0) return [];
      const kept = Math.min(count, KEPT_DURATIONS);
      const sorted = durations.slice(0, kept).sort();
      const at = (share: number): number => sorted[Math.min(kept - 1, Math.floor(share * kept))] ?? 0;
      return [
        ['', durations[(count - 1) % KEPT_DURATIONS] ?? 0],
        ['/count', kept],
        ['/min', at(0)],
        ['/max', at(1)],
        ...percentiles.map(([name, share]) => [`/${name}`, at(share)] as const),
      ];
    },
  };
}
