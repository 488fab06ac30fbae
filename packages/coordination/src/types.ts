// The ports of coordination: an election of one leader, and the log that only the leader writes.
import type { Result } from '@meseta/base';

export interface Leader {
  /** The description that the leader gave to `contend` (the MasterInfo as JSON). */
  readonly info: Uint8Array;
}

export interface LeaderObserver {
  /**
   * Calls `onChange` at once with the leader and then at each change; undefined while no candidate leads, or while the
   * observer has been out of contact for so long that it cannot know. Returns a function that ends the calls.
   */
  watch(onChange: (leader: Leader | undefined) => void): () => void;
  close(): Promise<void>;
}

/**
 * TERM-1: terms do not overlap in what they write: before a term begins, the logs of all earlier terms are fenced.
 * TERM-2: `validUntilMonoMs` is at or before the time at which another candidate can begin its term, so a process that was
 *     paused finds out by its own clock that it no longer leads.
 * TERM-3: `lost` resolves when the term ends, whatever the reason, and never rejects.
 */
export interface Term {
  /** Larger than the epochs of all earlier terms. */
  readonly epoch: number;
  /** The reason for the log, without secrets. */
  readonly lost: Promise<string>;
  /** By the clock of `performance.now()`; infinite if no other candidate can exist. */
  validUntilMonoMs(): number;
  resign(): Promise<void>;
}

export interface StoreError {
  /**
   * `fenced`: a newer term has begun. `unavailable`: nothing was written. `unknownOutcome`: the write may have been made, and
   * may yet be made; the process must end, as it knows no longer what the log contains.
   */
  readonly code: 'fenced' | 'unavailable' | 'unknownOutcome';
  /** The reason for the log, without secrets. */
  readonly text: string;
}

export interface StoreContents {
  /** The last complete snapshot; undefined before the first. */
  readonly snapshot: Uint8Array | undefined;
  /** The batches appended after it, oldest first. */
  readonly batches: readonly Uint8Array[];
}

/**
 * A log of opaque batches, opened for a term.
 * FENCEDLOG-1: `append` resolves only when the batch is durable; batches are read in the order of the calls.
 * FENCEDLOG-2: nothing is written once a newer term has begun, however late the write arrives.
 * FENCEDLOG-3: `read` always returns the last complete snapshot and exactly the batches after it, also after a crash during
 *     `snapshot`.
 * FENCEDLOG-4: after a failed write all later writes fail.
 */
export interface FencedLog {
  read(): Promise<Result<StoreContents, StoreError>>;
  append(batch: Uint8Array): Promise<Result<void, StoreError>>;
  /** Replaces all batches of earlier calls of `append` with `bytes`. */
  snapshot(bytes: Uint8Array): Promise<Result<void, StoreError>>;
}

/** An election, and the log that belongs to it. */
export interface Coordination extends LeaderObserver {
  /** Resolves when this candidate leads; `info` is what observers see. Must not be called again before the term is lost. */
  contend(info: Uint8Array): Promise<Term>;
  openLog(term: Term): FencedLog;
}

/** A coordination whose log can be read by a process that does not contend, for a backup. */
export interface LogReader {
  /** The contents of the log at one time, without a term. Nothing is changed. */
  readLog(): Promise<Result<StoreContents, StoreError>>;
}
