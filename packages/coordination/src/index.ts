import type { Election, Store } from './types.js';

export type * from './types.js';

/** A store of this machine only: it hands out its own epochs. */
export interface LocalStore extends Store {
  /** Durably takes an epoch above every one seen so far; older writers are fenced from here on. */
  nextEpoch(): Promise<number>;
}
export declare function createMemoryStore(): LocalStore;
/** Opens or makes an LMDB environment in `directory`. Rejects when the directory can't be used. */
export declare function openLmdbStore(directory: string): Promise<LocalStore>;
/** The election of a cluster with one master: who contends leads, with an epoch from the store. */
export declare function createSoleElection(store: Pick<LocalStore, 'nextEpoch'>): Election;
