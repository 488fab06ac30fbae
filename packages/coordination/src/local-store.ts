// The port of the stores on one machine.
import type { Result } from '@meseta/base';
import type { StoreContents } from './types.js';

/** A newer epoch has written: the master with the older epoch no longer leads and must end. */
export interface Fenced {
  readonly code: 'fenced';
  readonly epoch: number;
  readonly newest: number;
}

/**
 * A fenced log of opaque batches on one machine, which also gives out the epochs. A failed write rejects.
 * STORE-1: `append` resolves only when the batch is durable; calls resolve in their order.
 * STORE-2: nothing is written for an epoch older than the newest that a `read` or a write has used.
 * STORE-3: `read` always returns the last complete snapshot and exactly the batches after it, also after a crash during
 *     `snapshot`.
 */
export interface LocalStore {
  /** Makes an epoch above all earlier ones durable, and fences writers with older epochs. */
  nextEpoch(): Promise<number>;
  /** Fences all writers with older epochs. */
  read(epoch: number): Promise<Result<StoreContents, Fenced>>;
  append(epoch: number, batch: Uint8Array): Promise<Result<void, Fenced>>;
  /** Replaces all batches of earlier calls of `append` with `bytes`. */
  snapshot(epoch: number, bytes: Uint8Array): Promise<Result<void, Fenced>>;
  close(): Promise<void>;
}
