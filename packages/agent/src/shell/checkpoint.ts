// The agent's checkpoint on disk: an LMDB environment below work_dir, and the link `meta/slaves/latest` to the agent's id.
// Mesos' users remove that link when the agent's description has changed: the agent then ignores its former id and
// registers as a new one.
//
// Owns: the environment, the link, and the batches that are not written yet.
// CHECKPOINT-1: a batch is reported as durable after the sync (`flushed`; lmdb's own promise resolves before it), in order.
// CHECKPOINT-2: batches that wait together share one transaction and one sync; of a key's changes only the last is written.
// CHECKPOINT-3: after a failed write no batch is reported as durable: `onFailure` ends the process.
// CHECKPOINT-4: an agent's id is recorded together with a note that its link was made, so that a missing link was removed.
import { createHash } from 'node:crypto';
import { mkdirSync, readlinkSync, rmSync, statSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { err, ok, type Result } from '@meseta/base';
import { type Formats, openEnvironment, reasonOf } from '@meseta/coordination';
import { keepFromChildren } from '@meseta/platform/descriptors';
import { makeDirectories } from '@meseta/platform/start-files';
import type { CheckpointChange, CheckpointEntry, CheckpointRecord } from '../core/io.js';

export interface Checkpoint {
  /** All records; without that of the agent itself when its link was removed. */
  read(): readonly CheckpointEntry[];
  /** Calls `onDurable` once the batch is on disk, in the order of the calls. */
  write(changes: readonly CheckpointChange[], onDurable: () => void): void;
  /** Whether the checkpoint has reserved room, for the case that the disk is full. */
  hasSpare(): boolean;
  close(): Promise<void>;
}

export interface CheckpointOptions {
  /** Absolute: `work_dir`/meta. */
  readonly directory: string;
  /** Gets protections that this machine lacks, for the log. */
  warn(text: string): void;
  /** The checkpoint can't be written any more. `text` is for the log. */
  onFailure(text: string): void;
}

interface Batch {
  readonly changes: readonly CheckpointChange[];
  onDurable(): void;
}

/** Of the records of the core. A version that writes records which older ones would not understand gives them a new format. */
const FORMATS: Formats = { oldest: 2, newest: 2 };
/** LMDB's own limit is 1978 bytes. */
const MAX_KEY_BYTES = 1900;
/** The key of the note of CHECKPOINT-4, whose value is the agent's id. */
const LINKED = 'latest';

/** Opens or makes the environment. The error is a message for the person who starts the agent. */
export async function openCheckpoint(options: CheckpointOptions): Promise<Result<Checkpoint, string>> {
  const { directory, onFailure } = options;
  try {
    makeDirectories(directory);
  } catch (cause) {
    return err((cause as Error).message);
  }
  const opened = await openEnvironment(join(directory, 'checkpoint'), FORMATS, options.warn);
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
        // Atomic like a transaction, but carried out by lmdb's own thread.
        await database.batch(() => {
          for (const { key, record, bytes } of encoded) {
            if (record === undefined) void database.remove(keyOf(key));
            else put(key, record, bytes);
          }
        });
        await database.flushed;
      }
      for (const batch of group) batch.onDurable();
    }
    writing = undefined;
  };

  return ok({
    read() {
      const linked = records.get(LINKED)?.toString();
      const wasRemoved = linked !== undefined && !isLinked(directory, linked);
      if (wasRemoved) options.warn(`${latestOf(directory)} was removed: this agent registers as a new one`);
      return [...records.entries({})]
        .filter(({ key }) => key !== LINKED)
        .map(({ value }) => JSON.parse(value.toString()) as CheckpointEntry)
        .filter(({ record }) => !wasRemoved || record.kind !== 'agent');
    },
    write(changes, onDurable) {
      waiting.push({ changes, onDurable });
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

/** Makes the link and its target directory. Returns whether that was possible. */
function linkLatest(directory: string, agentId: string): boolean {
  if (isLinked(directory, agentId)) return true;
  try {
    mkdirSync(join(directory, 'slaves', agentId), { recursive: true });
    rmSync(latestOf(directory), { force: true });
    // Relative, as work_dir may be moved.
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

/** Keys consist of ids and may be too long for LMDB: such a key is replaced by its hash. */
const keyOf = (key: string): string =>
  3 * key.length <= MAX_KEY_BYTES || Buffer.byteLength(key) <= MAX_KEY_BYTES
    ? key
    : `#${createHash('sha256').update(key).digest('hex')}`;
