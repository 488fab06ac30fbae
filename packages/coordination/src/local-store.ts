import type { Store } from './types.js';

/** A store on one machine, which also gives out the epochs. */
export interface LocalStore extends Store {
  /** Makes an epoch above all earlier ones durable, and fences writers with older epochs. */
  nextEpoch(): Promise<number>;
}
