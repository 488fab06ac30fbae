// What an agent would find of its tasks on its disk after a crash.
import { taskKeys, wholeRecords } from '@meseta/agent/core/checkpoint-records';
import { taskKey } from '@meseta/agent/core/disk-layout';
import type { TaskRecord } from '@meseta/agent/core/io';
import type { FrameworkId, TaskId } from '@meseta/base';
import type { TaskStatus } from '@meseta/wire';
import type { Disk } from '../engine/disk.js';

/** The record of a task that its agent would find after a crash; undefined without one. */
export function taskOnDisk(disk: Disk, frameworkId: FrameworkId, taskId: TaskId): TaskRecord | undefined {
  const entries = taskKeys(frameworkId, taskId).flatMap((key) => {
    const record = disk.get(key);
    return record === undefined ? [] : [{ key, record }];
  });
  const [record] = wholeRecords(entries);
  return record?.kind === 'task' ? record.record : undefined;
}

/** The waiting statuses that an agent would find after a crash, by the keys of the tasks that it would find. */
export const waitingOnDisk = (disk: Disk): ReadonlyMap<string, readonly TaskStatus[]> =>
  new Map(
    wholeRecords(disk.read()).flatMap((record) => {
      if (record.kind !== 'task') return [];
      const key = taskKey(record.frameworkId, record.record.info.task_id.value as TaskId);
      return [[key, record.waiting.map(({ status }) => status)] as const];
    }),
  );
