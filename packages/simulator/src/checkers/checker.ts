// A checker observes the steps of the cores, and checks the whole cluster at the end of the run.
import type { Cluster } from '../run/cluster.js';
import type { Observer } from '../world.js';
import type { RecordKeeper } from './records.js';

export interface Checker {
  readonly observer: Observer;
  /** Called once, at the end of the run: all faults have ended, and the cluster has had time to recover. */
  checkQuiescence?(): void;
}

/** Counts an event or a check of the run. The counts are printed with the result. */
export type Count = (what: string, by?: number) => void;

export interface CheckerKind {
  readonly name: string;
  /** What the checker asserts, by the name that a failure shows. */
  readonly invariants: Readonly<Record<string, string>>;
  /** What Mesos' protocol allows although it looks like a failure, by name. Nothing else is allowed. */
  readonly allowances: Readonly<Record<string, string>>;
  /** `keeper`: the records of the registry (records.ts). */
  create(cluster: Cluster, count: Count, keeper: RecordKeeper): Checker;
}
