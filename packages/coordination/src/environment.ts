// An LMDB environment of one process whose records have checksums: for the registry of a master and the checkpoint of an
// agent.
//
// Owns: the lock of the directory, the environment, and the spare bytes at the end of its file.
// ENVIRONMENT-1: a second process is refused while the first uses the directory.
// ENVIRONMENT-2: the pages of the file are checked before LMDB maps them, and the checksums of all records before any is
//     read. Damage is an error when the environment is opened, and changes nothing.
// ENVIRONMENT-3: a store has a record with its format. Records without it are damage. A format that is newer or older than
//     those which this program reads is refused, and nothing is changed; an older one that it reads gets the newest format,
//     so that older programs refuse it from then on.
// ENVIRONMENT-4: after its last page the file has spare bytes on the disk for the next writes, so that a disk that other
//     processes fill does not stop these writes at once. `keepSpare` returns whether the spare bytes exist.
// ENVIRONMENT-5: LMDB never begins a write for which the file could lack room: `roomFor` refuses the write before.
// ENVIRONMENT-6: only this process' user can read the files. Their directory is closed to others too, but a container that
//     has one of them as a volume needs no right to it.
import {
  chmodSync,
  closeSync,
  existsSync,
  fstatSync,
  mkdirSync,
  openSync,
  rmSync,
  statfsSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { assert, err, ok, type Result } from '@meseta/base';
import { type Key, open, type RootDatabase } from 'lmdb';
import { crc32 } from './crc32.js';
import { type DirectoryLock, lockDirectory } from './directory-lock.js';
import { checkLmdbFile } from './lmdb-file.js';
import { createSpareRoom, type SpareRoom } from './spare-room.js';

export type Database = RootDatabase<Buffer, Key>;

export interface RecordRange {
  readonly start?: Key;
  readonly end?: Key;
}

/** Records with checksums of their keys and values. */
export interface SealedRecords {
  get(key: Key): Buffer | undefined;
  entries(range: RecordRange): Iterable<{ readonly key: Key; readonly value: Buffer }>;
  put(key: Key, value: Uint8Array): void;
}

/** The formats of a store that this program reads; it writes the newest. Each store counts its own. */
export interface Formats {
  readonly oldest: number;
  readonly newest: number;
}

export interface Environment {
  readonly database: Database;
  readonly records: SealedRecords;
  /**
   * Extends the file when half of the spare bytes are used; false while the disk has no room for them. Must not be called
   * during a write.
   */
  keepSpare(): boolean;
  /**
   * Whether there is room for a transaction that writes `bytes` at `positions` places of the tree; consecutive records count
   * as one place. Must be called before each transaction, and not during one.
   */
  roomFor(positions: number, bytes: number): Result<void, string>;
  /** Must not be called during a write. */
  close(): Promise<void>;
}

const CHECKSUM_BYTES = 4;
const FILE_MODE = 0o600;
const FORMAT: Key = 'format';
/** More than LMDB needs for the header and 126 readers. */
const LOCK_FILE_BYTES = 16384;
const SPARE_BYTES = 4 * 2 ** 20;
/** The largest share of a disk that the spare bytes take. */
const SPARE_SHARE = 1 / 32;
const ZEROS = Buffer.alloc(2 ** 18);
/** A transaction writes at most twice its bytes, a page for each position, and some pages of branches and free lists. */
const POSITION_BYTES = 4096;
const TRANSACTION_BYTES = 2 ** 16;

/** LMDB returns an array of one key as that key. */
const nameOf = (key: Key): string => JSON.stringify(Array.isArray(key) && key.length === 1 ? key[0] : key);

const checksum = (key: Key, value: Uint8Array): number => crc32(value, crc32(nameOf(key), 0));

const isSealed = (key: Key, record: Buffer): boolean =>
  record.length >= CHECKSUM_BYTES && checksum(key, record.subarray(CHECKSUM_BYTES)) === record.readUInt32LE(0);

const unsealed = (key: Key, record: Buffer): Buffer => {
  assert(isSealed(key, record), `the record ${nameOf(key)} changed after the store was opened`);
  return record.subarray(CHECKSUM_BYTES);
};

export function sealedRecords(database: Database): SealedRecords {
  return {
    get(key) {
      const record = database.get(key);
      return record === undefined ? undefined : unsealed(key, record);
    },
    *entries(range) {
      for (const { key, value } of database.getRange(range)) {
        if (key !== FORMAT) yield { key, value: unsealed(key, value) };
      }
    },
    put(key, value) {
      const record = Buffer.allocUnsafe(CHECKSUM_BYTES + value.length);
      record.writeUInt32LE(checksum(key, value), 0);
      record.set(value, CHECKSUM_BYTES);
      void database.put(key, record);
    },
  };
}

/** ENVIRONMENT-2 */
function checkRecords(database: Database): Result<void, string> {
  let hasRecords = false;
  for (const { key, value } of database.getRange({})) {
    if (!isSealed(key, value)) return err(`the checksum of the record ${nameOf(key)} is wrong`);
    hasRecords = true;
  }
  if (hasRecords && database.get(FORMAT) === undefined) return err('the record of its format is missing');
  return ok(undefined);
}

/** The format of the store; undefined for a new one. The error says what to do (ENVIRONMENT-3). */
function checkFormat(database: Database, { oldest, newest }: Formats): Result<number | undefined, string> {
  const record = sealedRecords(database).get(FORMAT);
  if (record === undefined) return ok(undefined);
  const text = record.toString();
  const format = /^\d{1,9}$/.test(text) ? Number(text) : Number.NaN;
  if (format >= oldest && format <= newest) return ok(format);
  const read = oldest === newest ? `format ${newest}` : `the formats ${oldest} to ${newest}`;
  const writer = format < oldest ? 'an older version wrote it' : 'use the newer version that wrote it';
  return err(`it has format ${JSON.stringify(text)}, and this version reads ${read}: ${writer}`);
}

async function writeFormat(database: Database, format: number): Promise<void> {
  await database.transaction(() => sealedRecords(database).put(FORMAT, Buffer.from(`${format}`)));
  await database.flushed;
}

interface Spare extends SpareRoom {
  close(): void;
}

function openSpare(database: Database, path: string): Spare {
  const file = openSync(path, 'r+');
  const { blocks, bsize } = statfsSync(path);
  const room = createSpareRoom(
    {
      usedBytes() {
        const stats = database.getStats() as { readonly lastPageNumber: number; readonly pageSize: number };
        return (stats.lastPageNumber + 1) * stats.pageSize;
      },
      sizeBytes: () => fstatSync(file).size,
      freeBytes() {
        const disk = statfsSync(path);
        return disk.bavail * disk.bsize;
      },
      extendTo(sizeBytes) {
        try {
          for (let at = fstatSync(file).size; at < sizeBytes; )
            at += writeSync(file, ZEROS, 0, Math.min(ZEROS.length, sizeBytes - at), at);
        } catch {
          // The disk is full; the bytes that were written count.
        }
      },
    },
    Math.min(SPARE_BYTES, Math.floor(blocks * bsize * SPARE_SHARE)),
  );
  return { ...room, close: () => closeSync(file) };
}

/** The reason of an error of LMDB, which has the reason of a failed commit in a field of its error. */
export function reasonOf(cause: unknown): string {
  const { commitError, message } = cause as { readonly commitError?: Error; readonly message?: string };
  return commitError?.message ?? message ?? String(cause);
}

/** Opens or makes the environment; its parent directory must exist. `warn` is called for protections that this machine lacks. */
export async function openEnvironment(
  directory: string,
  formats: Formats,
  warn: (text: string) => void,
): Promise<Result<Environment, string>> {
  let lock: Result<DirectoryLock, string>;
  try {
    if (!existsSync(directory)) mkdirSync(directory, { mode: 0o700 });
    lock = lockDirectory(directory);
  } catch (cause) {
    return err((cause as Error).message);
  }
  if (!lock.ok) return lock;
  if (!lock.value.isLocked)
    warn(`${directory} is not locked against a second daemon: neither flock nor perl is installed`);
  const opened = await openLocked(directory, formats);
  if (!opened.ok) {
    lock.value.release();
    return opened;
  }
  const { database, spare } = opened.value;
  return ok({
    database,
    records: sealedRecords(database),
    keepSpare: spare.keep,
    roomFor(positions, bytes) {
      const atMost = 2 * bytes + positions * POSITION_BYTES + TRANSACTION_BYTES;
      return spare.reserve(atMost) ? ok(undefined) : err(`no space is left on the disk of ${directory}`);
    },
    async close() {
      await database.close();
      spare.close();
      lock.value.release();
    },
  });
}

/**
 * LMDB maps its lock file. On a full disk access to a page that was never written would end the process with SIGBUS, so the
 * file is written here, before the environment is opened.
 */
function writeLockFile(directory: string): void {
  const path = join(directory, 'lock.mdb');
  const file = openSync(path, existsSync(path) ? 'r+' : 'w');
  try {
    const written = writeSync(file, ZEROS, 0, LOCK_FILE_BYTES, 0);
    if (written < LOCK_FILE_BYTES) throw new Error(`no space is left on the disk for ${path}`);
  } finally {
    closeSync(file);
  }
}

interface Opened {
  readonly database: Database;
  readonly spare: Spare;
}

async function openLocked(directory: string, formats: Formats): Promise<Result<Opened, string>> {
  const path = join(directory, 'data.mdb');
  const damage = (text: string) => err(`${path} is damaged: ${text}`);
  const isNew = !existsSync(path);
  const checked = checkLmdbFile(path);
  if (!checked.ok) return damage(checked.error);
  let database: Database | undefined;
  try {
    writeLockFile(directory);
    database = open<Buffer, Key>({ path: directory, noSubdir: false, encoding: 'binary' });
    // ENVIRONMENT-6. LMDB has made them readable for all, without a record yet.
    for (const name of ['data.mdb', 'lock.mdb']) chmodSync(join(directory, name), FILE_MODE);
    const records = checkRecords(database);
    const format = records.ok ? checkFormat(database, formats) : records;
    if (!format.ok) {
      await database.close();
      return records.ok ? err(`${path}: ${format.error}`) : damage(format.error);
    }
    if (format.value !== formats.newest) await writeFormat(database, formats.newest);
    const spare = openSpare(database, path);
    spare.keep();
    return ok({ database, spare });
  } catch (cause) {
    await database?.close();
    // The next start would take a new file that a full disk truncated for a damaged one.
    if (isNew) rmSync(path, { force: true });
    return err(`${path}: ${reasonOf(cause)}`);
  }
}
