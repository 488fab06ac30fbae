import { taskKeys, wholeRecords } from '@meseta/agent/core/checkpoint-records';
import type { CheckpointRecord } from '@meseta/agent/core/io';
import type { FrameworkId, TaskId } from '@meseta/base';
import type { Disk } from '../engine/disk.js';

/** The record of a task that its agent would find after a crash; undefined without one. */
export function taskOnDisk(
  disk: Disk,
  frameworkId: FrameworkId,
  taskId: TaskId,
): Extract<CheckpointRecord, { readonly kind: 'task' }> | undefined {
  const entries = taskKeys(frameworkId, taskId).flatMap((key) => {
    const record = disk.get(key);
    return record === undefined ? [] : [{ key, record }];
  });
  const [record] = wholeRecords(entries);
  return record?.kind === 'task' ? record : undefined;
}
