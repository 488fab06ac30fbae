// The agent's checkpoints on disk: an environment below work_dir, and `meta/slaves/latest`, the link to the agent's id.
// Removing that link is the remedy that Mesos' users know for an agent whose description has changed: what was
// checkpointed under it counts no more, and the agent registers anew.
//
// CHECKPOINT-1: a batch is answered only when it is synced (`flushed`; lmdb's own promise comes before that), in order.
// CHECKPOINT-2: batches that wait together share one transaction and one sync; of a key's changes only the last is written.
// CHECKPOINT-3: after a failed write nothing more is answered: `onFailure` ends the process.
// CHECKPOINT-4: an agent's id is on disk only with the word that its link was made: a link that is missing was removed.
import { createHash } from 'node:crypto';
import { mkdirSync, readlinkSync, rmSync, statSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { err, ok, type Result } from '@meseta/base';
import { openEnvironment, reasonOf } from '@meseta/coordination';
import { keepFromChildren } from '@meseta/platform/descriptors';
import { makeDirectories } from '@meseta/platform/start-files';
import type { CheckpointChange, CheckpointEntry, CheckpointRecord } from '../core/io.js';

export interface Checkpoint {
  /** Without the agent's own record when its link was removed. */
  read(): readonly CheckpointEntry[];
  /** `durable` is called once the batch is on disk, in the order of the calls. */
  write(changes: readonly CheckpointChange[], durable: () => void): void;
  /** Whether writes have room on a disk that is full for others. */
  hasSpare(): boolean;
  close(): Promise<void>;
}

export interface CheckpointOptions {
  /** Absolute: `work_dir`/meta. */
  readonly directory: string;
  /** What is weaker on this machine than it should be. */
  warn(text: string): void;
  /** Nothing more is written; the text is for people. */
  onFailure(text: string): void;
}

interface Batch {
  readonly changes: readonly CheckpointChange[];
  durable(): void;
}

/** Keys of ours are shorter; LMDB's own limit is 1978 bytes. */
const MAX_KEY_BYTES = 1900;
/** Its record is the id that the link was made for. */
const LINKED = 'latest';

/** Opens or makes the environment. The error is for people. */
export async function openCheckpoint(options: CheckpointOptions): Promise<Result<Checkpoint, string>> {
  const { directory, onFailure } = options;
  try {
    makeDirectories(directory);
  } catch (cause) {
    return err((cause as Error).message);
  }
  const opened = await openEnvironment(join(directory, 'checkpoint'), options.warn);
  if (!opened.ok) return err(opened.error);
  const { database, records, keepSpare, roomFor, close } = opened.value;
  const kept = keepFromChildren(join(directory, 'checkpoint', 'data.mdb'));
  if (!kept.ok) {
    await close();
    return kept;
  }
  let waiting: Batch[] = [];
  let writing: Promise<void> | undefined;
  let hasSpare = keepSpare();

  const put = (key: string, record: CheckpointRecord, bytes: Uint8Array): void => {
    records.put(keyOf(key), bytes);
    if (record.kind !== 'agent' || record.info.id === undefined) return;
    const id = record.info.id.value;
    if (linkLatest(directory, id)) records.put(LINKED, Buffer.from(id));
    else void database.remove(LINKED);
  };

  const writeAll = async (): Promise<void> => {
    while (waiting.length > 0) {
      const group = waiting;
      waiting = [];
      const last = new Map<string, CheckpointRecord | undefined>();
      for (const { changes } of group) for (const { key, record } of changes) last.set(key, record);
      if (last.size > 0) {
        const encoded = [...last].map(([key, record]) => ({
          key,
          record,
          bytes: Buffer.from(record === undefined ? '' : JSON.stringify({ key, record })),
        }));
        const room = roomFor(
          encoded.length,
          encoded.reduce((sum, { bytes }) => sum + bytes.length, 0),
        );
        if (!room.ok) throw new Error(room.error);
        // Atomic, and unlike a transaction's its operations are carried out by lmdb's own thread.
        await database.batch(() => {
          for (const { key, record, bytes } of encoded) {
            if (record === undefined) void database.remove(keyOf(key));
            else put(key, record, bytes);
          }
        });
        await database.flushed;
      }
      for (const batch of group) batch.durable();
    }
    writing = undefined;
  };

  return ok({
    read() {
      const linked = records.get(LINKED)?.toString();
      const wasRemoved = linked !== undefined && !isLinked(directory, linked);
      if (wasRemoved) options.warn(`${latestOf(directory)} was removed: this agent registers anew`);
      return [...records.entries({})]
        .filter(({ key }) => key !== LINKED)
        .map(({ value }) => JSON.parse(value.toString()) as CheckpointEntry)
        .filter(({ record }) => !wasRemoved || record.kind !== 'agent');
    },
    write(changes, durable) {
      waiting.push({ changes, durable });
      writing ??= Promise.resolve()
        .then(writeAll)
        .catch((cause: unknown) => onFailure(`the checkpoint in ${directory} can't be written: ${reasonOf(cause)}`));
    },
    hasSpare() {
      if (writing === undefined) hasSpare = keepSpare();
      return hasSpare;
    },
    async close() {
      await writing;
      await close();
    },
  });
}

const latestOf = (directory: string): string => join(directory, 'slaves', 'latest');

/** Makes the link and the directory that it leads to; false where the disk doesn't let it. */
function linkLatest(directory: string, agentId: string): boolean {
  if (isLinked(directory, agentId)) return true;
  try {
    mkdirSync(join(directory, 'slaves', agentId), { recursive: true });
    rmSync(latestOf(directory), { force: true });
    // Relative: work_dir may be moved.
    symlinkSync(agentId, latestOf(directory));
    return true;
  } catch {
    return false;
  }
}

function isLinked(directory: string, agentId: string): boolean {
  try {
    return readlinkSync(latestOf(directory)) === agentId && statSync(latestOf(directory)).isDirectory();
  } catch {
    return false;
  }
}

/** Ids may be longer than LMDB's keys can be: of such a key the hash stands for it. */
const keyOf = (key: string): string =>
  3 * key.length <= MAX_KEY_BYTES || Buffer.byteLength(key) <= MAX_KEY_BYTES
    ? key
    : `#${createHash('sha256').update(key).digest('hex')}`;
