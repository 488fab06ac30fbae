import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ContainerId, ExecutorId, FrameworkId, TaskId } from '@meseta/base';
import type { TaskStatus } from '@meseta/wire';
import { executorProgress, taskProgress, type WholeRecord, waitingStatus, wholeRecords } from './checkpoint-records.js';
import type { CheckpointEntry, ExecutorRecord, TaskRecord } from './io.js';

const frameworkId = 'f' as FrameworkId;
const info = { name: 't', task_id: { value: 't' }, agent_id: { value: 'a' } };
const fresh: TaskRecord = {
  info,
  executorId: 't' as ExecutorId,
  task: {
    name: 't',
    task_id: info.task_id,
    framework_id: { value: 'f' },
    agent_id: info.agent_id,
    state: 'TASK_STAGING',
  },
};
const status = (state: TaskStatus['state'], uuid: string, more: Partial<TaskStatus> = {}): TaskStatus => ({
  task_id: info.task_id,
  state,
  agent_id: info.agent_id,
  timestamp: 1.5,
  uuid,
  ...more,
});

const starting = status('TASK_STARTING', 'u1');
const running = status('TASK_RUNNING', 'u2');
const unhealthy = status('TASK_RUNNING', 'u3', { healthy: false });
const { data: _data, ...shown } = status('TASK_FINISHED', 'u4', { data: 'eA==' });
const withData = { ...shown, data: 'eA==' };

const later: readonly [string, Partial<TaskRecord['task']>, readonly TaskStatus[]][] = [
  ['no update', {}, []],
  ['two wait', { state: 'TASK_RUNNING', statuses: [starting, running] }, [starting, running]],
  [
    'one acknowledged, one replaced among the statuses',
    {
      state: 'TASK_RUNNING',
      statuses: [starting, unhealthy],
      status_update_state: 'TASK_RUNNING',
      status_update_uuid: 'u2',
    },
    [running, unhealthy],
  ],
  ['one with data', { state: 'TASK_FINISHED', statuses: [starting, running, shown] }, [withData]],
];

const stored = (records: readonly CheckpointEntry[]): readonly WholeRecord[] =>
  wholeRecords(JSON.parse(JSON.stringify(records)) as readonly CheckpointEntry[]);

test('CHECKPOINT-RECORDS-1: a task with its progress is the task as it was, with its waiting statuses in their order', () => {
  for (const [name, changes, waiting] of later) {
    const record: TaskRecord = { ...fresh, task: { ...fresh.task, ...changes }, received: ['x'] };
    const whole: CheckpointEntry = { key: 'task/f/t', record: { kind: 'task', frameworkId, record: fresh } };
    const progress = taskProgress(frameworkId, record) as CheckpointEntry;
    // As keys, 10 is before 9.
    const numbered = waiting.map((it, i) => waitingStatus(frameworkId, 't' as TaskId, 9 + i, it) as CheckpointEntry);
    // The store returns the entries in the order of their keys, and nothing may depend on it.
    for (const entries of [[whole, progress, ...numbered], [...numbered].reverse().concat(progress, whole)]) {
      const records = numbered.map((entry) => entry.record);
      assert.deepEqual(stored(entries), [{ kind: 'task', frameworkId, record, waiting: records }], name);
    }
  }
});

test('CHECKPOINT-RECORDS-1: an executor with its progress is the executor as it was', () => {
  const executor: ExecutorRecord = {
    frameworkId,
    info: { executor_id: { value: 'e' } },
    containerId: 'c' as ContainerId,
    kind: 'command',
    sandbox: '/s',
    state: 'queued',
    pid: undefined,
    startedWallMs: undefined,
    kill: undefined,
  };
  const kill = { why: 'requested', sinceWallMs: 6, graceMs: 7 } as const;
  const running: ExecutorRecord = { ...executor, state: 'running', pid: 5, startedWallMs: 4, kill };
  const whole: CheckpointEntry = { key: 'executor/f/e', record: { kind: 'executor', executor } };
  const progress = executorProgress(running) as CheckpointEntry;
  assert.deepEqual(wholeRecords([progress, whole]), [
    { kind: 'executor', executor: { ...running, driver: undefined } },
  ]);
  assert.deepEqual(wholeRecords([whole]), [{ kind: 'executor', executor }]);
});

test('CHECKPOINT-RECORDS-2: a record without progress is complete; progress and waiting statuses without one are ignored', () => {
  const record = { kind: 'task', frameworkId, record: fresh } as const;
  const waiting = waitingStatus(frameworkId, 't' as TaskId, 0, starting) as CheckpointEntry;
  assert.deepEqual(wholeRecords([{ key: 'task/f/t', record }]), [{ ...record, waiting: [] }]);
  assert.deepEqual(wholeRecords([taskProgress(frameworkId, fresh) as CheckpointEntry, waiting]), []);
});
