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
import type { FencedLog, StoreContents, StoreError } from './types.js';

export type RecordChange =
  | { readonly kind: 'create' | 'replace'; readonly name: string; readonly value: Uint8Array }
  | { readonly kind: 'remove'; readonly name: string };

export interface FencedRecords {
  names(): Promise<Result<readonly string[], StoreError>>;
  get(name: string): Promise<Result<Buffer, StoreError>>;
  /** Makes all changes or none. */
  write(changes: readonly RecordChange[]): Promise<Result<void, StoreError>>;
}

/** With the request around it below ZooKeeper's 1 MiB. */
const PART_BYTES = 960 * 1024;
/** Records that one write removes; etcd allows 128 changes in a transaction. */
const REMOVED_TOGETHER = 100;
/** Concurrent reads. */
const READ_TOGETHER = 64;
const MAX_PARTS = 1024;
const MAX_NUMBER = 1e10;
const CURRENT = 'current';
const BATCH = /^batch\.(\d{10})\.(\d{4})\.(\d{4})$/;
const PART = /^snapshot\.(\d{10})\.(\d{4})$/;

const digits = (value: number, count: number): string => String(value).padStart(count, '0');
const batchName = (sequence: number, part: number, parts: number): string =>
  `batch.${digits(sequence, 10)}.${digits(part, 4)}.${digits(parts, 4)}`;
const partName = (generation: number, part: number): string => `snapshot.${digits(generation, 10)}.${digits(part, 4)}`;

interface Current {
  readonly generation: number;
  readonly parts: number;
  readonly upTo: number;
}

const NO_SNAPSHOT: Current = { generation: 0, parts: 0, upTo: 0 };

const damaged = (text: string) => err<StoreError>({ code: 'unavailable', text: `the registry is damaged: ${text}` });

function parseCurrent(bytes: Buffer): Result<Current, StoreError> {
  let value: unknown;
  try {
    value = JSON.parse(bytes.toString());
  } catch {
    return damaged(`${CURRENT} is not JSON`);
  }
  const { generation, parts, upTo } = (value ?? {}) as Partial<Record<string, unknown>>;
  const isCount = (count: unknown, most: number): count is number =>
    typeof count === 'number' && Number.isInteger(count) && count >= 0 && count <= most;
  return isCount(generation, MAX_NUMBER) && isCount(parts, MAX_PARTS) && isCount(upTo, MAX_NUMBER)
    ? ok({ generation, parts, upTo })
    : damaged(`${CURRENT} has a number out of range`);
}

function split(bytes: Uint8Array): Result<readonly Uint8Array[], StoreError> {
  const count = Math.max(1, Math.ceil(bytes.length / PART_BYTES));
  if (count > MAX_PARTS) return err({ code: 'unavailable', text: `expected at most ${MAX_PARTS * PART_BYTES} bytes` });
  return ok(Array.from({ length: count }, (_, n) => bytes.subarray(n * PART_BYTES, (n + 1) * PART_BYTES)));
}

/** What the names say: the batches after the snapshot in order, and the records that are not read. */
interface Listing {
  readonly current: Current;
  readonly batches: readonly (readonly string[])[];
  readonly incomplete: readonly string[];
}

/** RECORDLOG-3 */
function listingOf(names: readonly string[], current: Current): Result<Listing, StoreError> {
  const parts = new Map<number, string[]>();
  const totals = new Map<number, number>();
  for (const name of names) {
    const [, sequence, , total] = BATCH.exec(name) ?? [];
    if (sequence === undefined) {
      if (name === CURRENT || PART.test(name)) continue;
      const text = `the registry has a record ${JSON.stringify(name)}, which this version does not read: use the newer version that wrote it`;
      return err({ code: 'unavailable', text });
    }
    if (Number(sequence) <= current.upTo) continue;
    const found = parts.get(Number(sequence));
    if (found === undefined) parts.set(Number(sequence), [name]);
    else found.push(name);
    totals.set(Number(sequence), Number(total));
  }
  const sequences = [...parts.keys()].sort((a, b) => a - b);
  const batches: string[][] = [];
  for (const [n, sequence] of sequences.entries()) {
    const found = (parts.get(sequence) as string[]).sort();
    if (sequence !== current.upTo + 1 + n) return damaged(`batch ${current.upTo + 1 + n} is missing`);
    const total = totals.get(sequence) as number;
    const isWhole = found.length === total && found.every((name, part) => name === batchName(sequence, part, total));
    if (isWhole) batches.push(found);
    else if (n < sequences.length - 1) return damaged(`batch ${sequence} is incomplete`);
    else return ok({ current, batches, incomplete: found });
  }
  return ok({ current, batches, incomplete: [] });
}

/** The results in the order of the items, `READ_TOGETHER` at a time; the first error ends it. */
async function readAll(
  records: Pick<FencedRecords, 'get'>,
  names: readonly string[],
): Promise<Result<ReadonlyMap<string, Buffer>, StoreError>> {
  const values = new Map<string, Buffer>();
  for (let at = 0; at < names.length; at += READ_TOGETHER) {
    const group = names.slice(at, at + READ_TOGETHER);
    const read = await Promise.all(group.map((name) => records.get(name)));
    for (const [n, value] of read.entries()) {
      if (!value.ok) return value;
      values.set(group[n] as string, value.value);
    }
  }
  return ok(values);
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
  /** Undefined before the first read of the names. */
  ledger: Ledger | undefined;
}

export function createRecordLog(records: FencedRecords): FencedLog {
  const state: State = { records, ledger: undefined, ...createWriter() };
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

type ReadRecords = Pick<FencedRecords, 'names' | 'get'>;

interface NamedListing {
  readonly names: readonly string[];
  readonly listing: Listing;
}

async function readListing(records: ReadRecords): Promise<Result<NamedListing, StoreError>> {
  const names = await records.names();
  if (!names.ok) return names;
  const currentBytes = names.value.includes(CURRENT) ? await records.get(CURRENT) : undefined;
  if (currentBytes?.ok === false) return currentBytes;
  const current = currentBytes === undefined ? ok(NO_SNAPSHOT) : parseCurrent(currentBytes.value);
  if (!current.ok) return current;
  const listing = listingOf(names.value, current.value);
  return listing.ok ? ok({ names: names.value, listing: listing.value }) : listing;
}

/** Reads the names; removes the parts of a batch that was never acknowledged. */
async function load(state: State): Promise<Result<NamedListing & { readonly ledger: Ledger }, StoreError>> {
  const read = await readListing(state.records);
  if (!read.ok) return read;
  const { current, batches, incomplete } = read.value.listing;
  const ledger = { names: new Set(read.value.names), current, lastSequence: current.upTo + batches.length };
  for (let at = 0; at < incomplete.length; at += REMOVED_TOGETHER) {
    const removed = await remove(state, ledger, incomplete.slice(at, at + REMOVED_TOGETHER));
    if (!removed.ok) return removed;
  }
  state.ledger = ledger;
  return ok({ ...read.value, ledger });
}

async function readContents(state: State): Promise<Result<StoreContents, StoreError>> {
  const loaded = await load(state);
  return loaded.ok ? readListed(state.records, loaded.value) : loaded;
}

async function readListed(
  records: ReadRecords,
  { names, listing: { current, batches } }: NamedListing,
): Promise<Result<StoreContents, StoreError>> {
  const known = new Set(names);
  const snapshotNames = Array.from({ length: current.parts }, (_, n) => partName(current.generation, n));
  const missing = snapshotNames.find((name) => !known.has(name));
  if (missing !== undefined) return damaged(`${missing} is missing`);
  const values = await readAll(records, [...snapshotNames, ...batches.flat()]);
  if (!values.ok) return values;
  const join = (parts: readonly string[]): Buffer =>
    Buffer.concat(parts.map((name) => values.value.get(name) as Buffer));
  return ok({
    snapshot: current.generation === 0 ? undefined : join(snapshotNames),
    batches: batches.map(join),
  });
}

/**
 * RECORDLOG-6. The error is `unavailable` also if a snapshot removed what was to be read: the next attempt finds the snapshot.
 */
export async function readRecordLog(records: ReadRecords): Promise<Result<StoreContents, StoreError>> {
  const read = await readListing(records);
  return read.ok ? readListed(records, read.value) : read;
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
