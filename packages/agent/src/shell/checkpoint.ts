// The agent's checkpoints on disk: one LMDB environment below work_dir.
//
// C1: a batch is answered only when it is synced (`flushed`; lmdb's own promise comes before that), in order.
// C2: batches that wait together share one transaction and one sync; of a key's changes only the last is written.
// C3: after a failed write nothing more is answered: `onFailure` ends the process.
import { createHash } from 'node:crypto';
import { mkdir } from 'node:fs/promises';
import { open, type RootDatabase } from 'lmdb';
import type { CheckpointChange, CheckpointEntry, CheckpointRecord } from '../core/io.js';

export interface Checkpoint {
  read(): readonly CheckpointEntry[];
  /** `durable` is called once the batch is on disk, in the order of the calls. */
  write(changes: readonly CheckpointChange[], durable: () => void): void;
  close(): Promise<void>;
}

interface Batch {
  readonly changes: readonly CheckpointChange[];
  durable(): void;
}

/** Keys of ours are shorter; LMDB's own limit is 1978 bytes. */
const MAX_KEY_BYTES = 1900;

/** Opens or makes the environment; rejects when the directory can't be used. */
export async function openCheckpoint(directory: string, onFailure: (cause: unknown) => void): Promise<Checkpoint> {
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const database: RootDatabase<string, string> = open({ path: directory, noSubdir: false, encoding: 'string' });
  let waiting: Batch[] = [];
  let writing: Promise<void> | undefined;

  const writeAll = async (): Promise<void> => {
    while (waiting.length > 0) {
      const group = waiting;
      waiting = [];
      const last = new Map<string, CheckpointRecord | undefined>();
      for (const { changes } of group) for (const { key, record } of changes) last.set(key, record);
      if (last.size > 0) {
        // Atomic, and unlike a transaction's its operations are carried out by lmdb's own thread.
        await database.batch(() => {
          for (const [key, record] of last) {
            if (record === undefined) void database.remove(keyOf(key));
            else void database.put(keyOf(key), JSON.stringify({ key, record }));
          }
        });
        await database.flushed;
      }
      for (const batch of group) batch.durable();
    }
    writing = undefined;
  };

  return {
    read: () => [...database.getRange({})].map(({ value }) => JSON.parse(value) as CheckpointEntry),
    write(changes, durable) {
      waiting.push({ changes, durable });
      writing ??= Promise.resolve().then(writeAll).catch(onFailure);
    },
    async close() {
      await writing;
      await database.close();
    },
  };
}

/** Ids may be longer than LMDB's keys can be: of such a key the hash stands for it. */
const keyOf = (key: string): string =>
  3 * key.length <= MAX_KEY_BYTES || Buffer.byteLength(key) <= MAX_KEY_BYTES
    ? key
    : `#${createHash('sha256').update(key).digest('hex')}`;
