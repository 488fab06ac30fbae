// What a checker is: it observes the steps of the cores, and at the end checks the whole cluster.
import type { Cluster } from '../run/cluster.js';
import type { Observer } from '../world.js';
import type { RecordKeeper } from './records.js';

export interface Checker {
  readonly observer: Observer;
  /** All faults were healed, and long enough ago. */
  atRest?(): void;
}

/** Counts something that the run did or checked. */
export type Count = (what: string, by?: number) => void;

export type CreateChecker = (cluster: Cluster, count: Count, keeper: RecordKeeper) => Checker;

export interface CheckerKind {
  readonly name: string;
  /** What the checker asserts, by the name that a failure shows. */
  readonly invariants: Readonly<Record<string, string>>;
  /** What Mesos' protocol allows although it looks like a failure, by name. Nothing else is allowed. */
  readonly allowances: Readonly<Record<string, string>>;
  readonly create: CreateChecker;
}
