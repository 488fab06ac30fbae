// The ports of coordination: a fenced log (Store) and an election.
import type { Result } from '@meseta/base';

/** A newer epoch has written: the master with the older epoch no longer leads and must end. */
export interface Fenced {
  readonly code: 'fenced';
  readonly epoch: number;
  readonly newest: number;
}

export interface StoreContents {
  /** The last complete snapshot; undefined before the first. */
  readonly snapshot: Uint8Array | undefined;
  /** The batches appended after it, oldest first. */
  readonly batches: readonly Uint8Array[];
}

/**
 * A fenced log of opaque batches.
 * STORE-1: `append` resolves only when the batch is durable; calls resolve in their order.
 * STORE-2: nothing is written for an epoch older than the newest that a `read` or a write has used.
 * STORE-3: `read` always returns the last complete snapshot and exactly the batches after it, also after a crash during
 *     `snapshot`.
 */
export interface Store {
  /** Fences all writers with older epochs. */
  read(epoch: number): Promise<Result<StoreContents, Fenced>>;
  append(epoch: number, batch: Uint8Array): Promise<Result<void, Fenced>>;
  /** Replaces all batches of earlier calls of `append` with `bytes`. */
  snapshot(epoch: number, bytes: Uint8Array): Promise<Result<void, Fenced>>;
  close(): Promise<void>;
}

export interface Leadership {
  /** Increases with every leadership of the cluster. */
  readonly epoch: number;
  /** The description that the leader gave to `contend` (the encoded MasterInfo). */
  readonly leader: Uint8Array;
  readonly isMine: boolean;
}

export interface Election {
  contend(candidate: Uint8Array): Promise<void>;
  withdraw(): Promise<void>;
  /** Calls `onChange` at once with the current leadership and at each change; undefined while no candidate leads. */
  watch(onChange: (leadership: Leadership | undefined) => void): () => void;
  close(): Promise<void>;
}
