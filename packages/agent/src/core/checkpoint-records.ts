// How executors and tasks are stored: the whole record when it is new, and under a second key its progress, which holds
// only the fields that change. Most of a record is its description, which never changes; a task is written about six times.
//
// CHECKPOINT-RECORDS-1: a record with its progress equals the record at the time when the progress was written.
// CHECKPOINT-RECORDS-2: a record without progress is complete; progress without a record is ignored.
import type { ExecutorId, FrameworkId, TaskId } from '@meseta/base';
import type { StatusUpdate, TaskStatus } from '@meseta/wire';
import { executorKey, executorProgressKey, taskKey, taskProgressKey } from './disk-layout.js';
import type { CheckpointChange, CheckpointEntry, CheckpointRecord, ExecutorRecord, TaskRecord } from './io.js';

type RecordOf<K extends CheckpointRecord['kind']> = Extract<CheckpointRecord, { readonly kind: K }>;

/** The update that carries a status and no further information. */
export const updateOf = (frameworkId: FrameworkId, status: TaskStatus): StatusUpdate => ({
  framework_id: { value: frameworkId },
  ...(status.executor_id === undefined ? {} : { executor_id: status.executor_id }),
  ...(status.agent_id === undefined ? {} : { agent_id: status.agent_id }),
  status,
  timestamp: status.timestamp ?? 0,
  uuid: status.uuid,
});

export const executorIdOf = ({ info }: ExecutorRecord): ExecutorId => info.executor_id.value as ExecutorId;

export function executorProgress(executor: ExecutorRecord): CheckpointChange {
  const { frameworkId, state, pid, startedWallMs, kill, driver } = executor;
  const executorId = executorIdOf(executor);
  const progress = { state, pid, startedWallMs, kill, driver };
  return {
    key: executorProgressKey(frameworkId, executorId),
    record: { kind: 'executorProgress', frameworkId, executorId, progress },
  };
}

export function taskProgress(
  frameworkId: FrameworkId,
  { info, task, received }: TaskRecord,
  updates: readonly StatusUpdate[],
): CheckpointChange {
  const taskId = info.task_id.value as TaskId;
  const { state, statuses = [], status_update_state, status_update_uuid } = task;
  // Most unacknowledged updates are among the task's last statuses, which are stored without `data`.
  const kept = new Set(statuses.map(({ uuid }) => uuid));
  const isKept = ({ uuid, data }: TaskStatus): boolean => uuid !== undefined && data === undefined && kept.has(uuid);
  const waiting = updates.map(({ status }) => (isKept(status) ? (status.uuid as string) : status));
  const progress = { state, statuses, status_update_state, status_update_uuid, received };
  return {
    key: taskProgressKey(frameworkId, taskId),
    record: { kind: 'taskProgress', frameworkId, taskId, progress, waiting },
  };
}

/** Every key under which a part of the record may be stored. */
export const executorKeys = (frameworkId: FrameworkId, id: ExecutorId): readonly string[] => [
  executorKey(frameworkId, id),
  executorProgressKey(frameworkId, id),
];
export const taskKeys = (frameworkId: FrameworkId, id: TaskId): readonly string[] => [
  taskKey(frameworkId, id),
  taskProgressKey(frameworkId, id),
];

/** Joins the stored records with their progress. */
export function wholeRecords(entries: readonly CheckpointEntry[]): readonly CheckpointRecord[] {
  const byKey = new Map(entries.map(({ key, record }) => [key, record]));
  return entries.flatMap(({ record }): readonly CheckpointRecord[] => {
    switch (record.kind) {
      case 'executorProgress':
      case 'taskProgress':
        return [];
      case 'executor': {
        const { frameworkId } = record.executor;
        const progress = byKey.get(executorProgressKey(frameworkId, executorIdOf(record.executor)));
        return [progress?.kind === 'executorProgress' ? withExecutorProgress(record, progress) : record];
      }
      case 'task': {
        const { frameworkId, record: task } = record;
        const progress = byKey.get(taskProgressKey(frameworkId, task.info.task_id.value as TaskId));
        return [progress?.kind === 'taskProgress' ? withTaskProgress(record, progress) : record];
      }
      default:
        return [record];
    }
  });
}

const withExecutorProgress = (
  { executor }: RecordOf<'executor'>,
  { progress }: RecordOf<'executorProgress'>,
): RecordOf<'executor'> => ({ kind: 'executor', executor: { ...executor, ...progress } });

function withTaskProgress(whole: RecordOf<'task'>, { progress, waiting }: RecordOf<'taskProgress'>): RecordOf<'task'> {
  const { frameworkId, record } = whole;
  const { state, statuses, status_update_state, status_update_uuid, received } = progress;
  const byUuid = new Map(statuses.map((status) => [status.uuid, status]));
  const statusOf = (it: string | TaskStatus): TaskStatus | undefined => (typeof it === 'string' ? byUuid.get(it) : it);
  return {
    kind: 'task',
    frameworkId,
    record: {
      ...record,
      task: {
        ...record.task,
        state,
        ...(statuses.length === 0 ? {} : { statuses }),
        ...(status_update_state === undefined ? {} : { status_update_state }),
        ...(status_update_uuid === undefined ? {} : { status_update_uuid }),
      },
      ...(received === undefined ? {} : { received }),
    },
    updates: waiting.flatMap((it) => statusOf(it) ?? []).map((status) => updateOf(frameworkId, status)),
  };
}

/** A path below `from`, moved below `to`; other paths are unchanged. */
export const relocatedPath = (path: string, from: string, to: string): string =>
  path.startsWith(`${from}/`) ? `${to}${path.slice(from.length)}` : path;

/** The record with its sandbox moved from below `from` to below `to`. */
export function relocated(record: CheckpointRecord, from: string, to: string): CheckpointRecord {
  const moved = (path: string): string => relocatedPath(path, from, to);
  switch (record.kind) {
    case 'executor':
      return { ...record, executor: { ...record.executor, sandbox: moved(record.executor.sandbox) } };
    case 'podTask':
      return { ...record, podTask: { ...record.podTask, sandbox: moved(record.podTask.sandbox) } };
    case 'nestedContainer':
      return {
        ...record,
        nestedContainer: { ...record.nestedContainer, sandbox: moved(record.nestedContainer.sandbox) },
      };
    case 'sandbox':
      return { ...record, path: moved(record.path) };
    default:
      return record;
  }
}
