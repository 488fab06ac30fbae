// An agent's checkpoints on a memory disk: a batch is safe once it is synced, and what waits for that is lost in a crash.
//
// SIMULATED-DISK-1: batches are synced, and answered, in the order in which they were written.
// SIMULATED-DISK-2: a crash keeps a first part of what was not answered: the kernel may have written it, nobody knows.

import type { CheckpointChange, CheckpointEntry, CheckpointRecord } from '@meseta/agent/core/io';
import { type Random, uniform } from '@meseta/base';
import { waiting } from './chance.js';
import { freeze } from './freeze.js';
import type { Timeline } from './timeline.js';

export interface Disk {
  /** The mean time that a sync takes. */
  meanSyncMs: number;
  write(changes: readonly CheckpointChange[], durable: () => void): void;
  /** What a process that starts finds. */
  read(): readonly CheckpointEntry[];
  get(key: string): CheckpointRecord | undefined;
  /** Called once, when something has been written and is not synced yet. */
  onNextWrite: (() => void) | undefined;
  /** How many unsynced writes are lost by it. */
  crash(): number;
  wipe(): void;
}

interface Batch {
  readonly changes: readonly CheckpointChange[];
  durable: (() => void) | undefined;
}

export function createDisk(timeline: Timeline, random: Random, asText: boolean): Disk {
  const records = new Map<string, CheckpointRecord>();
  let waitingBatches: Batch[] = [];
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
      waitingBatches.push(batch);
      const { onNextWrite } = disk;
      disk.onNextWrite = undefined;
      onNextWrite?.();
      lastSyncMs = Math.max(lastSyncMs, timeline.nowMs() + waiting(random, disk.meanSyncMs));
      timeline.at(lastSyncMs, () => {
        if (batch.durable === undefined) return;
        waitingBatches.shift();
        apply(batch);
        batch.durable();
      });
    },
    read: () => [...records].map(([key, record]) => ({ key, record })),
    get: (key) => records.get(key),
    crash() {
      const kept = Math.floor(uniform(random) * (waitingBatches.length + 1));
      waitingBatches.forEach((batch, index) => {
        if (index < kept) apply(batch);
        batch.durable = undefined;
      });
      const lost = waitingBatches.length - kept;
      waitingBatches = [];
      return lost;
    },
    wipe: () => records.clear(),
  };
  return disk;
}
