// The metrics of a daemon: each slot is declared with its kind (Mesos: docs/monitoring.md).

/** A counter only grows while its process lives. */
export type MetricKind = 'counter' | 'gauge';

export interface Metric {
  readonly kind: MetricKind;
  readonly value: number;
}

/** By Mesos' name. */
export type Metrics = ReadonlyMap<string, Metric>;

export const counter = (value: number): Metric => ({ kind: 'counter', value });
export const gauge = (value: number): Metric => ({ kind: 'gauge', value });
