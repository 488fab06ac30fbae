// How executors and tasks are stored: the whole record when it is new, and under a second key its progress, which holds
// only the fields that change. Most of a record is its description, which never changes; a task is written about six times.
// Each status of a task whose update is not acknowledged has a key of its own.
//
// CHECKPOINT-RECORDS-1: a record with its progress equals the record at the time when the progress was written.
// CHECKPOINT-RECORDS-2: a record without progress is complete; progress and waiting statuses without a record are ignored.
// CHECKPOINT-RECORDS-3: what an update or its acknowledgement writes does not grow with the number of waiting statuses.
import type { ExecutorId, FrameworkId, TaskId } from '@meseta/base';
import type { StatusUpdate, TaskStatus } from '@meseta/wire';
import { executorKey, executorProgressKey, taskKey, taskProgressKey, waitingStatusKey } from './disk-layout.js';
import type { CheckpointChange, CheckpointEntry, CheckpointRecord, ExecutorRecord, TaskRecord } from './io.js';

type RecordOf<K extends CheckpointRecord['kind']> = Extract<CheckpointRecord, { readonly kind: K }>;

/** A record of the checkpoint, joined with its parts under other keys. */
export type WholeRecord =
  | Exclude<CheckpointRecord, { readonly kind: 'task' | 'executorProgress' | 'taskProgress' | 'waitingStatus' }>
  | (RecordOf<'task'> & {
      /** In the order in which they are sent. */
      readonly waiting: readonly RecordOf<'waitingStatus'>[];
    });

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
  const { frameworkId, state, pid, networks, startedWallMs, kill, driver } = executor;
  const executorId = executorIdOf(executor);
  const shared = networks === undefined ? {} : { networks };
  const progress = { state, pid, ...shared, startedWallMs, kill, driver };
  return {
    key: executorProgressKey(frameworkId, executorId),
    record: { kind: 'executorProgress', frameworkId, executorId, progress },
  };
}

export function taskProgress(frameworkId: FrameworkId, { info, task, received }: TaskRecord): CheckpointChange {
  const taskId = info.task_id.value as TaskId;
  const { state, statuses = [], status_update_state, status_update_uuid } = task;
  const progress = { state, statuses, status_update_state, status_update_uuid, received };
  return {
    key: taskProgressKey(frameworkId, taskId),
    record: { kind: 'taskProgress', frameworkId, taskId, progress },
  };
}

export const waitingStatus = (
  frameworkId: FrameworkId,
  taskId: TaskId,
  number: number,
  status: TaskStatus,
): CheckpointChange => ({
  key: waitingStatusKey(frameworkId, taskId, number),
  record: { kind: 'waitingStatus', frameworkId, taskId, number, status },
});

/** The keys of a record and of its progress. */
export const executorKeys = (frameworkId: FrameworkId, id: ExecutorId): readonly string[] => [
  executorKey(frameworkId, id),
  executorProgressKey(frameworkId, id),
];
export const taskKeys = (frameworkId: FrameworkId, id: TaskId): readonly string[] => [
  taskKey(frameworkId, id),
  taskProgressKey(frameworkId, id),
];

/** Joins the stored records with their progress and their waiting statuses. */
export function wholeRecords(entries: readonly CheckpointEntry[]): readonly WholeRecord[] {
  const byKey = new Map(entries.map(({ key, record }) => [key, record]));
  const waiting = waitingByTask(entries);
  return entries.flatMap(({ record }): readonly WholeRecord[] => {
    switch (record.kind) {
      case 'executorProgress':
      case 'taskProgress':
      case 'waitingStatus':
        return [];
      case 'executor': {
        const { frameworkId } = record.executor;
        const progress = byKey.get(executorProgressKey(frameworkId, executorIdOf(record.executor)));
        return [progress?.kind === 'executorProgress' ? withExecutorProgress(record, progress) : record];
      }
      case 'task': {
        const { frameworkId, record: task } = record;
        const taskId = task.info.task_id.value as TaskId;
        const progress = byKey.get(taskProgressKey(frameworkId, taskId));
        const current = progress?.kind === 'taskProgress' ? withTaskProgress(task, progress) : task;
        return [{ ...record, record: current, waiting: waiting.get(taskKey(frameworkId, taskId)) ?? [] }];
      }
      default:
        return [record];
    }
  });
}

/** The waiting statuses by the keys of their tasks. */
function waitingByTask(entries: readonly CheckpointEntry[]): ReadonlyMap<string, readonly RecordOf<'waitingStatus'>[]> {
  const byTask = new Map<string, RecordOf<'waitingStatus'>[]>();
  for (const { record } of entries) {
    if (record.kind !== 'waitingStatus') continue;
    const key = taskKey(record.frameworkId, record.taskId);
    const others = byTask.get(key);
    if (others === undefined) byTask.set(key, [record]);
    else others.push(record);
  }
  for (const records of byTask.values()) records.sort((a, b) => a.number - b.number);
  return byTask;
}

const withExecutorProgress = (
  { executor }: RecordOf<'executor'>,
  { progress }: RecordOf<'executorProgress'>,
): RecordOf<'executor'> => ({ kind: 'executor', executor: { ...executor, ...progress } });

function withTaskProgress(record: TaskRecord, { progress }: RecordOf<'taskProgress'>): TaskRecord {
  const { state, statuses, status_update_state, status_update_uuid, received } = progress;
  return {
    ...record,
    task: {
      ...record.task,
      state,
      ...(statuses.length === 0 ? {} : { statuses }),
      ...(status_update_state === undefined ? {} : { status_update_state }),
      ...(status_update_uuid === undefined ? {} : { status_update_uuid }),
    },
    ...(received === undefined ? {} : { received }),
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
