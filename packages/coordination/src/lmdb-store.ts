// A fenced log in an LMDB environment: the registry of a cluster with one master.
//
// Owns: the keys of the environment
//   ['epoch']               the newest epoch
//   ['log', sequence]       consecutive batches; `sequence` is the number of the last one
//   ['part', generation, n] a part of a snapshot
//   ['current']             the generation and number of parts of the snapshot, and the last batch that it covers
// Boundary: one process uses the environment (ENVIRONMENT-1). It keeps STORE-1 to STORE-3 of local-store.ts by these rules:
// LMDBSTORE-1: writes go through one queue. Writes that wait together share one transaction and one sync. No call resolves
//     before `flushed` (the promise of lmdb's transaction resolves before the sync).
// LMDBSTORE-2: the epoch is checked in the transaction of the write.
// LMDBSTORE-3: a snapshot is valid from the transaction that replaces ['current']. Parts of other generations and batches
//     that the snapshot covers are never read, so that a crash leaves only unused space, which the next snapshot frees.
// LMDBSTORE-4: after a failed write all later calls fail with its error, as their order would be lost.
// LMDBSTORE-5: `close` waits for a snapshot in progress, which would fail otherwise and end its master.
// LMDBSTORE-6: batches have consecutive numbers, so that a missing batch is detected.
// LMDBSTORE-7: the batches of one transaction share records, as a record costs more than its bytes. A snapshot covers
//     records whole.
// LMDBSTORE-8: the spare bytes are checked one second after a write, and every second while the disk has no room for them.
import { assert, ok, type Result } from '@meseta/base';
import type { Key } from 'lmdb';
import { type Environment, type Formats, openEnvironment } from './environment.js';
import { checkEpoch } from './fence.js';
import type { Fenced, LocalStore } from './local-store.js';
import type { StoreContents } from './types.js';

/** Of the records; the batches and snapshots in them have formats of their own. */
const FORMATS: Formats = { oldest: 2, newest: 2 };
const PART_BYTES = 2 ** 20;
/** The keys that one transaction removes, so that appends do not wait long. */
const REMOVE_KEYS = 2000;
/** The spare bytes are checked this long after a write and not at each, so that a burst of writes uses the disk directly. */
const SPARE_DELAY_MS = 1000;
/** The bytes of the pages that change when `REMOVE_KEYS` records are removed. */
const REMOVED_BYTES = 2 ** 20;
/** The length before each batch in a record. */
const LENGTH_BYTES = 4;
/** The bytes of a record beside its value: key, checksum, length, and LMDB's node. */
const RECORD_BYTES = 64;
/** The positions at which a transaction writes: the epoch, ['current'], and after the last batch and the last part. */
const POSITIONS = 4;
/** The maximum of bytes of a transaction with several writes. */
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

/** The state of the store in a transaction: read at its start, changed by its writes. */
interface Ledger {
  newestEpoch: number;
  lastSequence: number;
  /** The batches that are not yet in a record. */
  readonly unwritten: Uint8Array[];
  unwrittenBytes: number;
}

interface Job {
  readonly bytes: number;
  /** Runs in a transaction. The job resolves with its result when the transaction is durable. */
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

/** Calls `run` after a delay; returns a function that cancels it. */
export type SetTimer = (delayMs: number, run: () => void) => () => void;

const setUnreferencedTimer: SetTimer = (delayMs, run) => {
  const timer = setTimeout(run, delayMs).unref();
  return () => clearTimeout(timer);
};

interface SpareMaintainer {
  /** Must be called after each write, before the next begins. */
  afterWrite(): void;
  close(): void;
}

/** LMDBSTORE-8 */
function createSpareMaintainer(
  environment: Environment,
  onSpare: (hasSpare: boolean) => void,
  setTimer: SetTimer,
  isWriting: () => boolean,
): SpareMaintainer {
  let isDue = false;
  let cancel: (() => void) | undefined;
  const maintain = (): void => {
    isDue = false;
    const hasSpare = environment.keepSpare();
    onSpare(hasSpare);
    if (!hasSpare) schedule();
  };
  const schedule = (): void => {
    cancel ??= setTimer(SPARE_DELAY_MS, () => {
      cancel = undefined;
      isDue = true;
      if (!isWriting()) maintain();
    });
  };
  return {
    afterWrite: () => (isDue ? maintain() : schedule()),
    close() {
      cancel?.();
      // The environment is closed, so no timer may be set again.
      cancel = () => {};
      isDue = false;
    },
  };
}

interface Writer {
  enqueue<T>(bytes: number, run: (ledger: Ledger) => T): Promise<T>;
  close(): void;
}

/** Executes writes in their order, in groups. */
function createWriter(environment: Environment, onSpare: (hasSpare: boolean) => void, setTimer: SetTimer): Writer {
  const { database } = environment;
  const queue: Job[] = [];
  let isWriting = false;
  const spare = createSpareMaintainer(environment, onSpare, setTimer, () => isWriting);
  let failure: { readonly error: unknown } | undefined;

  const takeGroup = (): Job[] => {
    let bytes = 0;
    const end = queue.findIndex((job, i) => {
      bytes += job.bytes;
      return i > 0 && bytes > GROUP_BYTES;
    });
    return queue.splice(0, end < 0 ? queue.length : end);
  };
  const write = async (): Promise<void> => {
    while (queue.length > 0) {
      const group = takeGroup();
      try {
        if (failure !== undefined) throw failure.error;
        const bytes = group.reduce((sum, job) => sum + job.bytes + RECORD_BYTES, 0);
        const room = environment.roomFor(POSITIONS, bytes);
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
    isWriting = false;
  };
  return {
    enqueue: <T>(bytes: number, run: (ledger: Ledger) => T) =>
      new Promise<T>((resolve, reject) => {
        queue.push({ bytes, run, resolve: resolve as (value: unknown) => void, reject });
        if (isWriting) return;
        isWriting = true;
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

/** LMDBSTORE-7. A record has several batches only up to `PART_BYTES`. */
function addBatch(environment: Environment, ledger: Ledger, batch: Uint8Array): void {
  if (ledger.unwrittenBytes + batch.length > PART_BYTES) writeBatches(environment, ledger);
  ledger.lastSequence++;
  ledger.unwritten.push(batch);
  ledger.unwrittenBytes += batch.length;
}

/** Must be called before the batches are read or counted (LMDBSTORE-7). */
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

/** Removes up to `REMOVE_KEYS` records that are never read; returns whether that was all of them. */
function removeUnusedRecords(environment: Environment): boolean {
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
  let remaining = REMOVE_KEYS;
  for (const [start, end] of ranges) {
    const keys = [...database.getKeys({ start, end, limit: remaining })];
    for (const key of keys) database.remove(key);
    remaining -= keys.length;
  }
  return remaining > 0;
}

/** The store in an open environment, which it closes. `onSpare` is called when the disk lacks room for spare bytes, and when it has room again. */
export function createLmdbStore(
  environment: Environment,
  onSpare: (hasSpare: boolean) => void,
  setTimer: SetTimer = setUnreferencedTimer,
): LocalStore {
  let hadSpare = true;
  const reportSpare = (hasSpare: boolean): void => {
    if (hasSpare !== hadSpare) onSpare(hasSpare);
    hadSpare = hasSpare;
  };
  const writer = createWriter(environment, reportSpare, setTimer);
  const { enqueue } = writer;

  const setEpoch = (ledger: Ledger, epoch: number): void => {
    ledger.newestEpoch = epoch;
    writeJson(environment, EPOCH, epoch);
  };

  /** A write that is refused for an epoch older than the newest. */
  const write = <T>(epoch: number, bytes: number, run: (ledger: Ledger) => T): Promise<Result<T, Fenced>> =>
    enqueue(bytes, (ledger) => {
      const allowed = checkEpoch(epoch, ledger.newestEpoch);
      if (!allowed.ok) return allowed;
      if (epoch > ledger.newestEpoch) setEpoch(ledger, epoch);
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
      const removed = await write(epoch, REMOVED_BYTES, () => removeUnusedRecords(environment));
      if (!removed.ok) return removed;
      if (removed.value) return ok(undefined);
    }
  };

  // One snapshot at a time: two would write parts of the same generation.
  let lastSnapshot: Promise<unknown> = Promise.resolve();

  return {
    nextEpoch: () =>
      enqueue(0, (ledger) => {
        setEpoch(ledger, ledger.newestEpoch + 1);
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
      // Queued at once: its position in the queue separates the batches that the snapshot covers from later ones.
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
  /** Called for protections that this machine lacks. */
  warn(text: string): void;
  /** The disk no longer has room for the store's spare bytes, or has room again. */
  onSpare(hasSpare: boolean): void;
}

/** Opens or makes the store in `directory`. The error is for the operator. */
export async function openLmdbStore(
  directory: string,
  { warn, onSpare }: LmdbStoreOptions,
): Promise<Result<LocalStore, string>> {
  const environment = await openEnvironment(directory, FORMATS, warn);
  return environment.ok ? ok(createLmdbStore(environment.value, onSpare)) : environment;
}
