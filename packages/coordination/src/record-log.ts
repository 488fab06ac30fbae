// The fenced log on a service that keeps small named records and makes several changes at once, or none: ZooKeeper or etcd.
//
// Owns: the names of the records
//   batch.SEQUENCE.PART.PARTS    a part of a batch; a batch counts once all its parts are there
//   snapshot.GENERATION.PART     a part of a snapshot
//   current                      the generation and number of parts of the snapshot, and the last batch that it covers
// Boundary: FencedRecords makes a write only while the term's epoch is the newest, and reads what was written.
// RECORDLOG-1: writes are made one at a time, in the order of the calls; after a failed one all later ones fail.
// RECORDLOG-2: a snapshot is valid from the write of `current`; parts of other generations and the batches that it covers are
//     not read, and are removed after it. Batches are written between its parts.
// RECORDLOG-3: batches have consecutive numbers, so a missing one is detected. Only the last may lack parts: its writer ended
//     before the last of them, so it was not acknowledged; the next log removes them.
// RECORDLOG-4: records from the service are checked against limits before they are read.
// RECORDLOG-5: a record with another name is of a newer version: the log is not read, and nothing is changed.
// RECORDLOG-6: a reader without a term changes nothing, and reads the log as it was at one time, or fails.
import { err, ok, type Result } from '@meseta/base';
import type { RecordCopies } from './record-follower.js';
import {
  BATCH,
  batchName,
  CURRENT,
  type Current,
  damaged,
  type Listing,
  listingOf,
  MAX_PARTS,
  NO_SNAPSHOT,
  PART,
  parseCurrent,
  partName,
  type Records,
  readAll,
  snapshotNames,
} from './record-names.js';
import type { FencedLog, StoreContents, StoreError } from './types.js';

export type RecordChange =
  | { readonly kind: 'create' | 'replace'; readonly name: string; readonly value: Uint8Array }
  | { readonly kind: 'remove'; readonly name: string };

export interface FencedRecords extends Records {
  /** Makes all changes or none. */
  write(changes: readonly RecordChange[]): Promise<Result<void, StoreError>>;
}

/** With the request around it below ZooKeeper's 1 MiB. */
const PART_BYTES = 960 * 1024;
/** Records that one write removes; etcd allows 128 changes in a transaction. */
const REMOVED_TOGETHER = 100;

function split(bytes: Uint8Array): Result<readonly Uint8Array[], StoreError> {
  const count = Math.max(1, Math.ceil(bytes.length / PART_BYTES));
  if (count > MAX_PARTS) return err({ code: 'unavailable', text: `expected at most ${MAX_PARTS * PART_BYTES} bytes` });
  return ok(Array.from({ length: count }, (_, n) => bytes.subarray(n * PART_BYTES, (n + 1) * PART_BYTES)));
}

interface Writer {
  /** Runs one write or read after the earlier ones. */
  enqueue<T>(run: () => Promise<Result<T, StoreError>>): Promise<Result<T, StoreError>>;
}

/** RECORDLOG-1 */
function createWriter(): Writer {
  let last: Promise<unknown> = Promise.resolve();
  let failure: StoreError | undefined;
  return {
    enqueue(run) {
      const done = last.then(async () => {
        if (failure !== undefined) return err(failure);
        const result = await run();
        if (!result.ok) failure = result.error;
        return result;
      });
      last = done;
      return done;
    },
  };
}

/** The records as this log has read and written them. */
interface Ledger {
  readonly names: Set<string>;
  current: Current;
  lastSequence: number;
}

interface State extends Writer {
  readonly records: FencedRecords;
  /** Until the first read. */
  copies: RecordCopies;
  /** Undefined before the first read of the names. */
  ledger: Ledger | undefined;
}

const NO_COPIES: RecordCopies = new Map();

/** `copies`: of records that this process has read before its term (record-follower.ts). */
export function createRecordLog(records: FencedRecords, copies: RecordCopies = NO_COPIES): FencedLog {
  const state: State = { records, copies, ledger: undefined, ...createWriter() };
  let lastSnapshot: Promise<unknown> = Promise.resolve();
  return {
    read: () => state.enqueue(() => readContents(state)),
    append(batch) {
      const copy = Uint8Array.from(batch);
      return enqueueWith(state, (ledger) => appendBatch(state, ledger, copy));
    },
    snapshot(bytes) {
      const copy = Uint8Array.from(bytes);
      // Queued at once: its position separates the batches that the snapshot covers from later ones.
      const covered = enqueueWith(state, async ({ lastSequence }) => ok(lastSequence));
      const made = lastSnapshot.then(async () => {
        const upTo = await covered;
        return upTo.ok ? writeSnapshot(state, copy, upTo.value) : upTo;
      });
      lastSnapshot = made;
      return made;
    },
  };
}

const enqueueWith = <T>(
  state: State,
  run: (ledger: Ledger) => Promise<Result<T, StoreError>>,
): Promise<Result<T, StoreError>> =>
  state.enqueue(async () => {
    if (state.ledger !== undefined) return run(state.ledger);
    const loaded = await load(state);
    return loaded.ok ? run(loaded.value.ledger) : loaded;
  });

async function write(
  { records }: State,
  { names }: Ledger,
  changes: readonly RecordChange[],
): Promise<Result<void, StoreError>> {
  const written = await records.write(changes);
  if (!written.ok) return written;
  for (const { kind, name } of changes) {
    if (kind === 'remove') names.delete(name);
    else names.add(name);
  }
  return written;
}

const remove = (state: State, ledger: Ledger, names: readonly string[]): Promise<Result<void, StoreError>> =>
  write(
    state,
    ledger,
    names.map((name) => ({ kind: 'remove', name })),
  );

interface ReadListing {
  /** By name. */
  readonly versions: ReadonlyMap<string, string>;
  readonly listing: Listing;
}

async function readListing(records: Records): Promise<Result<ReadListing, StoreError>> {
  const listed = await records.list();
  if (!listed.ok) return listed;
  const versions = new Map(listed.value.map(({ name, version }) => [name, version]));
  const currentBytes = versions.has(CURRENT) ? await records.get(CURRENT) : undefined;
  if (currentBytes?.ok === false) return currentBytes;
  const current = currentBytes === undefined ? ok(NO_SNAPSHOT) : parseCurrent(currentBytes.value);
  if (!current.ok) return current;
  const listing = listingOf([...versions.keys()], current.value);
  return listing.ok ? ok({ versions, listing: listing.value }) : listing;
}

/** Reads the names; removes the parts of a batch that was never acknowledged. */
async function load(state: State): Promise<Result<ReadListing & { readonly ledger: Ledger }, StoreError>> {
  const read = await readListing(state.records);
  if (!read.ok) return read;
  const { current, batches, incomplete } = read.value.listing;
  const names = new Set(read.value.versions.keys());
  const ledger = { names, current, lastSequence: current.upTo + batches.length };
  for (let at = 0; at < incomplete.length; at += REMOVED_TOGETHER) {
    const removed = await remove(state, ledger, incomplete.slice(at, at + REMOVED_TOGETHER));
    if (!removed.ok) return removed;
  }
  state.ledger = ledger;
  return ok({ ...read.value, ledger });
}

async function readContents(state: State): Promise<Result<StoreContents, StoreError>> {
  const loaded = await load(state);
  if (!loaded.ok) return loaded;
  const { copies } = state;
  state.copies = NO_COPIES;
  return readListed(state.records, loaded.value, copies);
}

async function readListed(
  records: Records,
  { versions, listing: { current, batches } }: ReadListing,
  copies: RecordCopies,
): Promise<Result<StoreContents, StoreError>> {
  const parts = snapshotNames(current);
  const missing = parts.find((name) => !versions.has(name));
  if (missing !== undefined) return damaged(`${missing} is missing`);
  // RECORDFOLLOWER-1
  const copyOf = (name: string): Buffer | undefined => {
    const copy = copies.get(name);
    return copy !== undefined && copy.version === versions.get(name) ? copy.value : undefined;
  };
  const uncopied = [...parts, ...batches.flat()].filter((name) => copyOf(name) === undefined);
  const values = await readAll(records, uncopied);
  if (!values.ok) return values;
  const join = (names: readonly string[]): Buffer =>
    Buffer.concat(names.map((name) => copyOf(name) ?? (values.value.get(name) as Buffer)));
  return ok({
    snapshot: current.generation === 0 ? undefined : join(parts),
    batches: batches.map(join),
  });
}

/**
 * RECORDLOG-6. The error is `unavailable` also if a snapshot removed what was to be read: the next attempt finds the snapshot.
 */
export async function readRecordLog(records: Records): Promise<Result<StoreContents, StoreError>> {
  const read = await readListing(records);
  return read.ok ? readListed(records, read.value, NO_COPIES) : read;
}

async function appendBatch(state: State, ledger: Ledger, batch: Uint8Array): Promise<Result<void, StoreError>> {
  const parts = split(batch);
  if (!parts.ok) return parts;
  const sequence = ledger.lastSequence + 1;
  for (const [n, value] of parts.value.entries()) {
    const name = batchName(sequence, n, parts.value.length);
    const written = await write(state, ledger, [{ kind: 'create', name, value }]);
    if (!written.ok) return written;
  }
  ledger.lastSequence = sequence;
  return ok(undefined);
}

/** RECORDLOG-2 */
async function writeSnapshot(state: State, bytes: Uint8Array, upTo: number): Promise<Result<void, StoreError>> {
  const parts = split(bytes);
  if (!parts.ok) return parts;
  let generation = 0;
  for (const [n, value] of parts.value.entries()) {
    const written = await enqueueWith(state, (ledger) => {
      if (n === 0) generation = newGeneration(ledger);
      return write(state, ledger, [{ kind: 'create', name: partName(generation, n), value }]);
    });
    if (!written.ok) return written;
  }
  const replaced = await enqueueWith(state, async (ledger) => {
    const current = { generation, parts: parts.value.length, upTo };
    const kind = ledger.names.has(CURRENT) ? 'replace' : 'create';
    const value = Buffer.from(JSON.stringify(current));
    const written = await write(state, ledger, [{ kind, name: CURRENT, value }]);
    if (written.ok) ledger.current = current;
    return written;
  });
  if (!replaced.ok) return replaced;
  for (;;) {
    const removed = await enqueueWith(state, async (ledger) => {
      const unused = unusedNames(ledger);
      const done = unused.length === 0 ? ok(undefined) : await remove(state, ledger, unused);
      return done.ok ? ok(unused.length < REMOVED_TOGETHER) : done;
    });
    if (!removed.ok) return removed;
    if (removed.value) return ok(undefined);
  }
}

/** Above those of all parts, also of snapshots that were never completed. */
function newGeneration({ names, current }: Ledger): number {
  let newest = current.generation;
  for (const name of names) newest = Math.max(newest, Number(PART.exec(name)?.[1] ?? 0));
  return newest + 1;
}

/** Some of the records that are never read. */
function unusedNames({ names, current }: Ledger): readonly string[] {
  const unused: string[] = [];
  for (const name of names) {
    const sequence = BATCH.exec(name)?.[1];
    const generation = PART.exec(name)?.[1];
    const isUnused =
      (sequence !== undefined && Number(sequence) <= current.upTo) ||
      (generation !== undefined && Number(generation) !== current.generation);
    if (isUnused) unused.push(name);
    if (unused.length === REMOVED_TOGETHER) break;
  }
  return unused;
}
