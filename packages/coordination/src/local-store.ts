import type { Store } from './types.js';

/** A store of one machine: whoever opens it is told the next epoch by the store itself. */
export interface LocalStore extends Store {
  /** Durably takes an epoch above every one seen so far; older writers are fenced from here on. */
  nextEpoch(): Promise<number>;
}
