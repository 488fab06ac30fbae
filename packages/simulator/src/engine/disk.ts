// An agent's checkpoints on a simulated disk: a batch is durable once it is synced; batches before that may be lost.
//
// SIMULATED-DISK-1: batches are synced, and answered, in the order in which they were written.
// SIMULATED-DISK-2: a crash keeps a prefix of the unanswered batches: the kernel may have written these.

import type { CheckpointChange, CheckpointEntry, CheckpointRecord } from '@meseta/agent/core/io';
import { type Random, uniform } from '@meseta/base';
import { drawDelayMs } from './chance.js';
import { freeze } from './freeze.js';
import type { Timeline } from './timeline.js';

export interface Disk {
  /** The mean duration of a sync. */
  meanSyncMs: number;
  write(changes: readonly CheckpointChange[], durable: () => void): void;
  /** All records, as a starting process reads them. */
  read(): readonly CheckpointEntry[];
  get(key: string): CheckpointRecord | undefined;
  /** Called once, at the next write, before it is synced. */
  onNextWrite: (() => void) | undefined;
  /** Returns the number of unsynced batches that are lost. */
  crash(): number;
  wipe(): void;
}

interface Batch {
  readonly changes: readonly CheckpointChange[];
  durable: (() => void) | undefined;
}

export function createDisk(timeline: Timeline, random: Random, asText: boolean): Disk {
  const records = new Map<string, CheckpointRecord>();
  let unsyncedBatches: Batch[] = [];
  let lastSyncMs = 0;

  const apply = (batch: Batch): void => {
    for (const { key, record } of batch.changes) {
      if (record === undefined) records.delete(key);
      else records.set(key, asText ? (JSON.parse(JSON.stringify(record)) as CheckpointRecord) : freeze(record));
    }
  };

  const disk: Disk = {
    meanSyncMs: 2,
    onNextWrite: undefined,
    write(changes, durable) {
      const batch: Batch = { changes, durable };
      unsyncedBatches.push(batch);
      const { onNextWrite } = disk;
      disk.onNextWrite = undefined;
      onNextWrite?.();
      lastSyncMs = Math.max(lastSyncMs, timeline.nowMs() + drawDelayMs(random, disk.meanSyncMs));
      timeline.at(lastSyncMs, () => {
        if (batch.durable === undefined) return;
        unsyncedBatches.shift();
        apply(batch);
        batch.durable();
      });
    },
    read: () => [...records].map(([key, record]) => ({ key, record })),
    get: (key) => records.get(key),
    crash() {
      const kept = Math.floor(uniform(random) * (unsyncedBatches.length + 1));
      unsyncedBatches.forEach((batch, index) => {
        if (index < kept) apply(batch);
        batch.durable = undefined;
      });
      const lost = unsyncedBatches.length - kept;
      unsyncedBatches = [];
      return lost;
    },
    wipe: () => records.clear(),
  };
  return disk;
}
