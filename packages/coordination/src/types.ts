// The two ports of coordination: a fenced log and an election.
import type { Result } from '@meseta/base';

/** A newer epoch has written: whoever holds the older one no longer leads and must end. */
export interface Fenced {
  readonly code: 'fenced';
  readonly epoch: number;
  readonly newest: number;
}

export interface StoreContents {
  /** The last whole snapshot, or undefined before the first. */
  readonly snapshot: Uint8Array | undefined;
  /** The batches appended after it, oldest first. */
  readonly batches: readonly Uint8Array[];
}

/**
 * A fenced log of opaque batches.
 * STORE-1: `append` answers only once the batch is durable; answers come in the order of the calls.
 * STORE-2: nothing is written for an epoch older than the newest that has been seen (by `read` or a write).
 * STORE-3: `read` sees the last whole snapshot and exactly the batches after it, at every moment,
 *     also after a crash in the middle of `snapshot`.
 */
export interface Store {
  /** Takes the epoch: older writers are fenced from here on. */
  read(epoch: number): Promise<Result<StoreContents, Fenced>>;
  append(epoch: number, batch: Uint8Array): Promise<Result<void, Fenced>>;
  /** Replaces every batch appended so far (by calls before this one) with `bytes`. */
  snapshot(epoch: number, bytes: Uint8Array): Promise<Result<void, Fenced>>;
  close(): Promise<void>;
}

export interface Leadership {
  /** Grows with every leadership of the cluster. */
  readonly epoch: number;
  /** The leader's own description, as it gave it to `contend` (the encoded MasterInfo). */
  readonly leader: Uint8Array;
  readonly mine: boolean;
}

export interface Election {
  contend(candidate: Uint8Array): Promise<void>;
  withdraw(): Promise<void>;
  /** Called at once with what is known, then at each change; undefined while nobody leads. */
  watch(changed: (leadership: Leadership | undefined) => void): () => void;
  close(): Promise<void>;
}
