// Copies of the records that a log would read now. A candidate makes them while another process leads and writes them, so that
// at the beginning of its own term it reads only the rest.
//
// Owns: the copies, and the pauses between looks at the service.
// Boundary: it reads without a fence and may be behind: the log of the term decides which copies count.
// RECORDFOLLOWER-1: the log uses a copy only if the service lists the record with the copy's version once the term has begun.
//     A copy has the content that the record had after that version was listed, so of a record that is replaced meanwhile it
//     may be newer; such records (`current`) are not copied.
// RECORDFOLLOWER-2: copies have at most `maxBytes`, and those of records that the log reads no more are dropped at the next
//     look.
// RECORDFOLLOWER-3: a damaged log is reported once, and of a damaged log no copies are kept.
// RECORDFOLLOWER-4: following takes at most a twentieth of the time, however many records there are.
import { err, ok, type Result } from '@meseta/base';
import {
  CURRENT,
  type Listing,
  listingOf,
  NO_SNAPSHOT,
  parseCurrent,
  type Records,
  readAll,
  snapshotNames,
} from './record-names.js';
import type { StoreError } from './types.js';

/** By name. */
export type RecordCopies = ReadonlyMap<string, RecordCopy>;

interface RecordCopy {
  readonly version: string;
  readonly value: Buffer;
}

export interface RecordFollower {
  /** The copies made so far. Following ends. */
  stop(): RecordCopies;
}

export interface RecordFollowerOptions {
  readonly records: Records;
  /** 256 MiB unless given. */
  readonly maxBytes?: number;
  /** The shortest time between two looks at the service; 2 s unless given. */
  readonly pauseMs?: number;
  /** Called with the text of damage that was not reported before. */
  warn(text: string): void;
}

const MAX_BYTES = 2 ** 28;
const PAUSE_MS = 2000;
const PAUSE_SHARE = 20;
/** Read before the copies are counted again. */
const READ_AT_ONCE = 64;

interface State {
  readonly options: RecordFollowerOptions;
  readonly copies: Map<string, RecordCopy>;
  bytes: number;
  damage: string | undefined;
  isStopped: boolean;
}

export function followRecords(options: RecordFollowerOptions): RecordFollower {
  const state: State = { options, copies: new Map(), bytes: 0, damage: undefined, isStopped: false };
  let endPause: () => void = () => {};
  const run = async (): Promise<void> => {
    while (!state.isStopped) {
      const beganMs = performance.now();
      await look(state);
      // RECORDFOLLOWER-4
      const pauseMs = Math.max(options.pauseMs ?? PAUSE_MS, PAUSE_SHARE * (performance.now() - beganMs));
      if (state.isStopped) return;
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, pauseMs);
        endPause = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
  };
  void run();
  return {
    stop() {
      state.isStopped = true;
      endPause();
      return state.copies;
    },
  };
}

/** One look at the service: drops the copies that are of no more use, and makes those that are missing. */
async function look(state: State): Promise<void> {
  const { records } = state.options;
  const listed = await records.list();
  if (!listed.ok) return;
  const versions = new Map(listed.value.map(({ name, version }) => [name, version]));
  const listing = await listingNow(records, versions);
  // The log does not exist yet, or the service does not answer: the next look may find it.
  if (!listing.ok) return listing.error.isDamage ? dropDamaged(state, listing.error.text) : undefined;
  state.damage = undefined;
  const { current, batches } = listing.value;
  const wanted = new Set([...snapshotNames(current), ...batches.flat()]);
  for (const [name, { version }] of state.copies) {
    if (!wanted.has(name) || versions.get(name) !== version) drop(state, name);
  }
  // Parts of a snapshot that was completed after the list was made are found at the next look.
  const missing = [...wanted].filter((name) => versions.has(name) && !state.copies.has(name));
  await copy(state, missing, versions);
}

/**
 * The list precedes `current`, as a snapshot that is completed in between covers batches that the list has; the other way round
 * the log would seem to lack batches that were removed.
 */
async function listingNow(
  records: Records,
  versions: ReadonlyMap<string, string>,
): Promise<Result<Listing, { readonly isDamage: boolean; readonly text: string }>> {
  const bytes = versions.has(CURRENT) ? await records.get(CURRENT) : undefined;
  if (bytes?.ok === false) return err({ isDamage: false, text: bytes.error.text });
  const current = bytes === undefined ? ok(NO_SNAPSHOT) : parseCurrent(bytes.value);
  const listing: Result<Listing, StoreError> = current.ok ? listingOf([...versions.keys()], current.value) : current;
  return listing.ok ? listing : err({ isDamage: true, text: listing.error.text });
}

/** RECORDFOLLOWER-3 */
function dropDamaged(state: State, text: string): void {
  for (const name of [...state.copies.keys()]) drop(state, name);
  if (state.damage === text) return;
  state.damage = text;
  state.options.warn(text);
}

function drop(state: State, name: string): void {
  state.bytes -= state.copies.get(name)?.value.length ?? 0;
  state.copies.delete(name);
}

/** RECORDFOLLOWER-2 */
async function copy(state: State, names: readonly string[], versions: ReadonlyMap<string, string>): Promise<void> {
  const { records, maxBytes = MAX_BYTES } = state.options;
  for (let at = 0; at < names.length && !state.isStopped; at += READ_AT_ONCE) {
    const values = await readAll(records, names.slice(at, at + READ_AT_ONCE));
    if (!values.ok || state.isStopped) return;
    for (const [name, value] of values.value) {
      if (state.bytes + value.length > maxBytes) return;
      // A client's buffer may be a view into a larger one.
      state.copies.set(name, { version: versions.get(name) as string, value: Buffer.from(value) });
      state.bytes += value.length;
    }
  }
}
