// An LMDB environment of one process, whose records carry checksums: the registry of a master and the checkpoint of an
// agent lie in one.
//
// Owns: the lock of the directory, the environment, the spare bytes at the end of its file.
// ENVIRONMENT-1: a second process is refused while the first lives.
// ENVIRONMENT-2: the file's pages are checked before LMDB maps them, and every record's checksum before anything is read:
//     damage is an error at the opening, with a text for people, and changes nothing.
// ENVIRONMENT-3: a store names its format in a record: records without one are damage, and another format is refused.
// ENVIRONMENT-4: behind its last page the file has spare bytes on the disk, which the next writes use: a disk that others
//     fill stops them before it stops these writes. `keepSpare` says whether they are there.
// ENVIRONMENT-5: LMDB is never asked to write what the file may have no room for: `roomFor` refuses it before. A disk with
//     plenty of room is asked once for many writes.
import { closeSync, existsSync, fstatSync, mkdirSync, openSync, rmSync, statfsSync, writeSync } from 'node:fs';
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

/** Records with checksums over their keys and values. */
export interface SealedRecords {
  get(key: Key): Buffer | undefined;
  entries(range: RecordRange): Iterable<{ readonly key: Key; readonly value: Buffer }>;
  put(key: Key, value: Uint8Array): void;
}

export interface Environment {
  readonly database: Database;
  readonly records: SealedRecords;
  /**
   * Makes the spare bytes anew when half of them are used; false while the disk has no room for them. To be called while
   * no write is under way.
   */
  keepSpare(): boolean;
  /**
   * Whether a transaction has room that writes so many bytes into so many places; records one behind the other are one.
   * To be called before each, while no write is under way.
   */
  roomFor(places: number, bytes: number): Result<void, string>;
  /** After the last write. */
  close(): Promise<void>;
}

const CHECKSUM_BYTES = 4;
const FORMAT: Key = 'format';
const FORMAT_VERSION = Buffer.from('2');
/** More than LMDB asks for: a head and 126 readers. */
const LOCK_FILE_BYTES = 16384;
const SPARE_BYTES = 4 * 2 ** 20;
/** Of a small disk the spare bytes take no more than this share. */
const SPARE_SHARE = 1 / 32;
const ZEROS = Buffer.alloc(2 ** 18);
/** What a transaction writes at most beside twice its bytes: a page for each place, some for the branches and free lists. */
const PLACE_BYTES = 4096;
const TRANSACTION_BYTES = 2 ** 16;

/** LMDB gives an array of one key back as that key. */
const nameOf = (key: Key): string => JSON.stringify(Array.isArray(key) && key.length === 1 ? key[0] : key);

const checksum = (key: Key, value: Uint8Array): number => crc32(value, crc32(nameOf(key), 0));

const isSealed = (key: Key, record: Buffer): boolean =>
  record.length >= CHECKSUM_BYTES && checksum(key, record.subarray(CHECKSUM_BYTES)) === record.readUInt32LE(0);

const opened = (key: Key, record: Buffer): Buffer => {
  assert(isSealed(key, record), `the record ${nameOf(key)} changed after the store was opened`);
  return record.subarray(CHECKSUM_BYTES);
};

export function sealedRecords(database: Database): SealedRecords {
  return {
    get(key) {
      const record = database.get(key);
      return record === undefined ? undefined : opened(key, record);
    },
    *entries(range) {
      for (const { key, value } of database.getRange(range)) {
        if (key !== FORMAT) yield { key, value: opened(key, value) };
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

/** ENVIRONMENT-2, ENVIRONMENT-3. A store without any record is new: it gets the record of its format. */
async function verify(database: Database): Promise<Result<void, string>> {
  let records = 0;
  for (const { key, value } of database.getRange({})) {
    if (!isSealed(key, value)) return err(`the checksum of the record ${nameOf(key)} is wrong`);
    records++;
  }
  const sealed = sealedRecords(database);
  const version = sealed.get(FORMAT);
  if (version === undefined && records > 0) return err('the record of its format is missing');
  if (version === undefined) {
    await database.transaction(() => sealed.put(FORMAT, FORMAT_VERSION));
    await database.flushed;
    return ok(undefined);
  }
  return version.equals(FORMAT_VERSION)
    ? ok(undefined)
    : err(`its format ${version} is not one that this version reads`);
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
          // A full disk: what was written counts.
        }
      },
    },
    Math.min(SPARE_BYTES, Math.floor(blocks * bsize * SPARE_SHARE)),
  );
  return { ...room, close: () => closeSync(file) };
}

/** What went wrong in LMDB, which keeps the reason of a failed commit beside its error. */
export function reasonOf(cause: unknown): string {
  const { commitError, message } = cause as { readonly commitError?: Error; readonly message?: string };
  return commitError?.message ?? message ?? String(cause);
}

/** Opens or makes the environment; the directory above it is there. The error is for people; `warn` is told what is weaker on this machine. */
export async function openEnvironment(
  directory: string,
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
  if (!lock.value.isHeld) warn(`${directory} is not locked against a second daemon: neither flock nor perl is there`);
  const made = await openLocked(directory);
  if (!made.ok) {
    lock.value.release();
    return made;
  }
  const { database, spare } = made.value;
  return ok({
    database,
    records: sealedRecords(database),
    keepSpare: spare.keep,
    roomFor(places, bytes) {
      const atMost = 2 * bytes + places * PLACE_BYTES + TRANSACTION_BYTES;
      return spare.take(atMost) ? ok(undefined) : err(`no space is left on the disk of ${directory}`);
    },
    async close() {
      await database.close();
      spare.close();
      lock.value.release();
    },
  });
}

/**
 * LMDB maps its lock file, and on a full disk a page of it that was never written would end the process with SIGBUS: it is
 * written here, while nobody else has the environment open.
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

async function openLocked(directory: string): Promise<Result<Opened, string>> {
  const path = join(directory, 'data.mdb');
  const isDamaged = (text: string) => err(`${path} is damaged: ${text}`);
  const isNew = !existsSync(path);
  const checked = checkLmdbFile(path);
  if (!checked.ok) return isDamaged(checked.error);
  let database: Database | undefined;
  try {
    writeLockFile(directory);
    database = open<Buffer, Key>({ path: directory, noSubdir: false, encoding: 'binary' });
    const verified = await verify(database);
    if (verified.ok) {
      const spare = openSpare(database, path);
      spare.keep();
      return ok({ database, spare });
    }
    await database.close();
    return isDamaged(verified.error);
  } catch (cause) {
    await database?.close();
    // What a full disk left of a new file would look like a damaged one at the next start.
    if (isNew) rmSync(path, { force: true });
    return err(`${path}: ${reasonOf(cause)}`);
  }
}
