// What the compliance suites need of a kind of coordination.
import type { Coordination } from '../types.js';

/** A place with the coordination of a cluster. */
export interface Site {
  /** The coordination of one more process. */
  open(): Promise<Coordination>;
  /** Whether only one process can be open at a time. */
  readonly isSole: boolean;
}

/** A service that several processes reach over a network. */
export interface SharedSite extends Site {
  /** How long the service waits for a silent process. */
  readonly termMs: number;
  /** Ends what keeps the process' term alive at the service, as after a long silence. */
  expire(coordination: Coordination): Promise<void>;
  /** The number of contenders that the service has, of all processes. */
  countContenders(): Promise<number>;
  /** Stops or continues the traffic between the process and the service. */
  setCut(coordination: Coordination, isCut: boolean): void;
}

/** For tests that wait for no end of a term: on a busy machine a service takes seconds to answer. */
export const LONG_TERM_MS = 20_000;

/** Why a suite is not run; false: it is run. */
export type Skip = string | false;
