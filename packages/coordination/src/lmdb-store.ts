// A fenced log in an LMDB environment: the registry of a cluster with one master.
//
// Owns: the environment's keys
//   ['epoch']              the newest epoch seen
//   ['log', sequence]      batches with consecutive numbers, of which this is the last
//   ['part', generation, n] a piece of a snapshot
//   ['current']            which generation is the snapshot, its parts, and the last batch it covers
// Boundary: one process has the environment (ENVIRONMENT-1). STORE-1 to STORE-3 as in types.ts. How they are kept:
// LMDBSTORE-1: writes go through one queue; those that wait together share one transaction and one sync, and
//     nothing is answered before `flushed` (lmdb's own promise resolves before the sync).
// LMDBSTORE-2: epoch and write are checked and made in one transaction.
// LMDBSTORE-3: a snapshot counts from the transaction that replaces ['current']; parts of another generation and batches
//     it covers are never read, so what a crash leaves of them is only space, freed by the next snapshot.
// LMDBSTORE-4: after a failed write the store answers nothing but that failure: the order of answers would be a lie.
// LMDBSTORE-5: `close` waits for the snapshot that is under way: it would fail otherwise, and end its master for nothing.
// LMDBSTORE-6: batches have consecutive numbers, so that a missing one is damage and not an end.
// LMDBSTORE-7: batches of one transaction share records, as a record costs more than its bytes do; a snapshot never covers
//     a part of one.
// LMDBSTORE-8: the spare bytes are made anew within a second of the last write too, and looked for each second while the
//     disk has no room for them.
import { assert, ok, type Result } from '@meseta/base';
import type { Key } from 'lmdb';
import { type Environment, openEnvironment } from './environment.js';
import { checkEpoch } from './fence.js';
import type { LocalStore } from './local-store.js';
import type { Fenced, StoreContents } from './types.js';

const PART_BYTES = 2 ** 20;
/** Keys removed in one transaction, so that appends get their turn. */
const REMOVE_KEYS = 2000;
/** Spare bytes are made anew so long after a write, and not at each: a burst of writes takes the room of the disk. */
const SPARE_DELAY_MS = 1000;
/** The pages of so many records, which are written anew without them. */
const REMOVED_BYTES = 2 ** 20;
/** Before each batch of a record. */
const LENGTH_BYTES = 4;
/** Beside its value: key, checksum, length, and what LMDB keeps of each. */
const RECORD_BYTES = 64;
/** Where a transaction writes: the epoch, what is current, and behind the last batch or part. */
const PLACES = 4;
/** Bytes written in one transaction, unless one write is larger. */
const GROUP_BYTES = 8 * 2 ** 20;

const EPOCH: Key = ['epoch'];
const CURRENT: Key = ['current'];
/** Sorts after every number in a key. */
const LAST = '￿';

interface Current {
  readonly generation: number;
  readonly parts: number;
  readonly upTo: number;
}

/** Read at the start of a transaction, changed by its writes. */
interface Ledger {
  newestEpoch: number;
  lastSequence: number;
  /** The last batches, in no record yet. */
  readonly unwritten: Uint8Array[];
  unwrittenBytes: number;
}

interface Job {
  readonly bytes: number;
  /** Runs inside a transaction; what it answers is given out once that is durable. */
  run(ledger: Ledger): unknown;
  resolve(value: unknown): void;
  reject(error: unknown): void;
}

const readJson = <T>({ records }: Environment, key: Key, otherwise: T): T => {
  const bytes = records.get(key);
  return bytes === undefined ? otherwise : (JSON.parse(bytes.toString()) as T);
};
const writeJson = ({ records }: Environment, key: Key, value: unknown): void =>
  records.put(key, Buffer.from(JSON.stringify(value)));

/** Calls `run` later; returns what cancels it. */
export type SetTimer = (delayMs: number, run: () => void) => () => void;

const setUnheldTimer: SetTimer = (delayMs, run) => {
  const timer = setTimeout(run, delayMs).unref();
  return () => clearTimeout(timer);
};

interface SpareKeeper {
  /** To be called after each write, before the next is begun. */
  afterWrite(): void;
  close(): void;
}

/** LMDBSTORE-8 */
function createSpareKeeper(
  environment: Environment,
  onSpare: (hasSpare: boolean) => void,
  setTimer: SetTimer,
  isWriting: () => boolean,
): SpareKeeper {
  let isDue = false;
  let cancel: (() => void) | undefined;
  const keep = (): void => {
    isDue = false;
    const hasSpare = environment.keepSpare();
    onSpare(hasSpare);
    if (!hasSpare) plan();
  };
  const plan = (): void => {
    cancel ??= setTimer(SPARE_DELAY_MS, () => {
      cancel = undefined;
      isDue = true;
      if (!isWriting()) keep();
    });
  };
  return {
    afterWrite: () => (isDue ? keep() : plan()),
    close() {
      cancel?.();
      // The environment is closed: nothing is planned any more.
      cancel = () => {};
      isDue = false;
    },
  };
}

interface Writer {
  enqueue<T>(bytes: number, run: (ledger: Ledger) => T): Promise<T>;
  close(): void;
}

/** Takes writes in order and makes them in groups. */
function createWriter(environment: Environment, onSpare: (hasSpare: boolean) => void, setTimer: SetTimer): Writer {
  const { database } = environment;
  const queue: Job[] = [];
  let writing = false;
  const spare = createSpareKeeper(environment, onSpare, setTimer, () => writing);
  let failure: { readonly error: unknown } | undefined;

  const takeGroup = (): Job[] => {
    let bytes = 0;
    const over = queue.findIndex((job, i) => {
      bytes += job.bytes;
      return i > 0 && bytes > GROUP_BYTES;
    });
    return queue.splice(0, over < 0 ? queue.length : over);
  };
  const write = async (): Promise<void> => {
    while (queue.length > 0) {
      const group = takeGroup();
      try {
        if (failure !== undefined) throw failure.error;
        const bytes = group.reduce((sum, job) => sum + job.bytes + RECORD_BYTES, 0);
        const room = environment.roomFor(PLACES, bytes);
        if (!room.ok) throw new Error(room.error);
        const values = await database.transaction(() => {
          const ledger = readLedger(environment);
          const results = group.map((job) => job.run(ledger));
          writeBatches(environment, ledger);
          return results;
        });
        await database.flushed;
        spare.afterWrite();
        group.forEach((job, i) => {
          job.resolve(values[i]);
        });
      } catch (error) {
        failure ??= { error };
        for (const job of group) job.reject(error);
      }
    }
    writing = false;
  };
  return {
    enqueue: <T>(bytes: number, run: (ledger: Ledger) => T) =>
      new Promise<T>((resolve, reject) => {
        queue.push({ bytes, run, resolve: resolve as (value: unknown) => void, reject });
        if (writing) return;
        writing = true;
        queueMicrotask(write);
      }),
    close: spare.close,
  };
}

const currentOf = (environment: Environment): Current =>
  readJson<Current>(environment, CURRENT, { generation: 0, parts: 0, upTo: 0 });

function lastSequence(environment: Environment): number {
  for (const key of environment.database.getKeys({ start: ['log', LAST], end: ['log'], reverse: true, limit: 1 })) {
    return Math.max((key as [string, number])[1], currentOf(environment).upTo);
  }
  return currentOf(environment).upTo;
}

const readLedger = (environment: Environment): Ledger => ({
  newestEpoch: readJson(environment, EPOCH, 0),
  lastSequence: lastSequence(environment),
  unwritten: [],
  unwrittenBytes: 0,
});

/** LMDBSTORE-7. Batches of more than a part's bytes share no record. */
function addBatch(environment: Environment, ledger: Ledger, batch: Uint8Array): void {
  if (ledger.unwrittenBytes + batch.length > PART_BYTES) writeBatches(environment, ledger);
  ledger.lastSequence++;
  ledger.unwritten.push(batch);
  ledger.unwrittenBytes += batch.length;
}

/** Before anything reads the batches or counts them (LMDBSTORE-7). */
function writeBatches(environment: Environment, ledger: Ledger): void {
  const { unwritten, unwrittenBytes, lastSequence } = ledger;
  if (unwritten.length === 0) return;
  const record = Buffer.allocUnsafe(unwrittenBytes + LENGTH_BYTES * unwritten.length);
  let at = 0;
  for (const batch of unwritten) {
    record.set(batch, record.writeUInt32LE(batch.length, at));
    at += LENGTH_BYTES + batch.length;
  }
  environment.records.put(['log', lastSequence], record);
  unwritten.length = 0;
  ledger.unwrittenBytes = 0;
}

function batchesOf(record: Buffer): readonly Uint8Array[] {
  const batches: Uint8Array[] = [];
  for (let at = 0; at < record.length; ) {
    const from = at + LENGTH_BYTES;
    at = from + record.readUInt32LE(at);
    batches.push(Uint8Array.from(record.subarray(from, at)));
  }
  return batches;
}

function readContents(environment: Environment): StoreContents {
  const { generation, parts, upTo } = currentOf(environment);
  const pieces = Array.from({ length: parts }, (_, n) => {
    const piece = environment.records.get(['part', generation, n]);
    assert(piece !== undefined, `part ${n} of the registry's snapshot is missing`);
    return piece;
  });
  const batches: Uint8Array[] = [];
  for (const { key, value } of environment.records.entries({ start: ['log', upTo + 1], end: ['log', LAST] })) {
    const expected = upTo + 1 + batches.length;
    for (const batch of batchesOf(value)) batches.push(batch);
    assert((key as [string, number])[1] === upTo + batches.length, `batch ${expected} of the registry is missing`);
  }
  return { snapshot: generation === 0 ? undefined : Uint8Array.from(Buffer.concat(pieces)), batches };
}

/** Removes some of what no read can see; answers whether all of it is gone. */
function removeUnseen(environment: Environment): boolean {
  const { database } = environment;
  const { generation, upTo } = currentOf(environment);
  const ranges: readonly (readonly [start: Key, end: Key])[] = [
    [['log'], ['log', upTo + 1]],
    [['part'], ['part', generation]],
    [
      ['part', generation + 1],
      ['part', LAST],
    ],
  ];
  let left = REMOVE_KEYS;
  for (const [start, end] of ranges) {
    const keys = [...database.getKeys({ start, end, limit: left })];
    for (const key of keys) database.remove(key);
    left -= keys.length;
  }
  return left > 0;
}

/** The store over an open environment, which it closes. `onSpare` is told when the disk becomes short, and when not. */
export function createLmdbStore(
  environment: Environment,
  onSpare: (hasSpare: boolean) => void,
  setTimer: SetTimer = setUnheldTimer,
): LocalStore {
  let hadSpare = true;
  const heard = (hasSpare: boolean): void => {
    if (hasSpare !== hadSpare) onSpare(hasSpare);
    hadSpare = hasSpare;
  };
  const writer = createWriter(environment, heard, setTimer);
  const { enqueue } = writer;

  const takeEpoch = (ledger: Ledger, epoch: number): void => {
    ledger.newestEpoch = epoch;
    writeJson(environment, EPOCH, epoch);
  };

  /** A write that only happens for an epoch that is not older than the newest. */
  const write = <T>(epoch: number, bytes: number, run: (ledger: Ledger) => T): Promise<Result<T, Fenced>> =>
    enqueue(bytes, (ledger) => {
      const allowed = checkEpoch(epoch, ledger.newestEpoch);
      if (!allowed.ok) return allowed;
      if (epoch > ledger.newestEpoch) takeEpoch(ledger, epoch);
      return ok(run(ledger));
    });

  const writeSnapshot = async (epoch: number, bytes: Uint8Array, upTo: number): Promise<Result<void, Fenced>> => {
    const parts = Math.ceil(bytes.length / PART_BYTES);
    const generation = currentOf(environment).generation + 1;
    for (let n = 0; n < parts; n++) {
      const part = bytes.subarray(n * PART_BYTES, (n + 1) * PART_BYTES);
      const written = await write(epoch, part.length, () => {
        environment.records.put(['part', generation, n], part);
      });
      if (!written.ok) return written;
    }
    const replaced = await write(epoch, 0, () => writeJson(environment, CURRENT, { generation, parts, upTo }));
    if (!replaced.ok) return replaced;
    for (;;) {
      const removed = await write(epoch, REMOVED_BYTES, () => removeUnseen(environment));
      if (!removed.ok) return removed;
      if (removed.value) return ok(undefined);
    }
  };

  // Snapshots one after the other: two at a time would write parts of one generation.
  let lastSnapshot: Promise<unknown> = Promise.resolve();

  return {
    nextEpoch: () =>
      enqueue(0, (ledger) => {
        takeEpoch(ledger, ledger.newestEpoch + 1);
        return ledger.newestEpoch;
      }),
    read: (epoch) =>
      write(epoch, 0, (ledger) => {
        writeBatches(environment, ledger);
        return readContents(environment);
      }),
    append(epoch, batch) {
      const bytes = Buffer.from(batch);
      return write(epoch, bytes.length, (ledger) => addBatch(environment, ledger, bytes));
    },
    snapshot(epoch, bytes) {
      const copy = Uint8Array.from(bytes);
      // Asked for at once: its place in the queue is what divides the batches before it from those after.
      const covered = write(epoch, 0, (ledger) => {
        writeBatches(environment, ledger);
        return ledger.lastSequence;
      });
      const made = lastSnapshot.then(async () => {
        const upTo = await covered;
        return upTo.ok ? writeSnapshot(epoch, copy, upTo.value) : upTo;
      });
      lastSnapshot = made.catch(() => undefined);
      return made;
    },
    async close() {
      await lastSnapshot;
      writer.close();
      await environment.close();
    },
  };
}

export interface LmdbStoreOptions {
  /** What is weaker on this machine than it should be. */
  warn(text: string): void;
  /** The disk has become too full to keep spare bytes for the store, or is so no more. */
  onSpare(hasSpare: boolean): void;
}

/** Opens or makes the store in `directory`. The error is for people. */
export async function openLmdbStore(
  directory: string,
  { warn, onSpare }: LmdbStoreOptions,
): Promise<Result<LocalStore, string>> {
  const environment = await openEnvironment(directory, warn);
  return environment.ok ? ok(createLmdbStore(environment.value, onSpare)) : environment;
}
