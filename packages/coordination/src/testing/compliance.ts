// What the compliance suites need of a kind of coordination.
import type { Coordination } from '../types.js';

/** A place with the coordination of a cluster. */
export interface Site {
  /** The coordination of one more process. */
  open(): Promise<Coordination>;
  /** Whether only one process can be open at a time. */
  readonly isSole: boolean;
}

/** Why a suite is not run; false: it is run. */
export type Skip = string | false;
