// What a checker is: it watches, and at the end it looks around.
import type { Cluster } from '../run/cluster.js';
import type { Observer } from '../world.js';
import type { RecordKeeper } from './records.js';

export interface Checker {
  readonly observer: Observer;
  /** Everything was healed, and long enough ago. */
  atRest?(): void;
}

/** Adds to what the run did and checked. */
export type Count = (what: string, by?: number) => void;

export type CreateChecker = (cluster: Cluster, count: Count, keeper: RecordKeeper) => Checker;
