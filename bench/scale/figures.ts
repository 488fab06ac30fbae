// Summaries of many values.
import { quantile } from '../lib/statistics.js';

export const mean = (values: readonly number[]): number => values.reduce((sum, it) => sum + it, 0) / values.length;

/** Three significant digits: what a measurement is good for. */
export const rounded = (value: number): number => (Number.isFinite(value) ? Number(value.toPrecision(3)) : value);

/** After a collection, where the process was started with --expose-gc; bytes. */
export function heapUsed(): number {
  (globalThis as { gc?: () => void }).gc?.();
  return process.memoryUsage().heapUsed;
}

export interface Spread {
  readonly count: number;
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
}

export const spreadOf = (values: readonly number[]): Spread => ({
  count: values.length,
  p50: rounded(quantile(values, 0.5)),
  p99: rounded(quantile(values, 0.99)),
  max: rounded(quantile(values, 1)),
});
