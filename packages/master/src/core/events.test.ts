import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { StatusUpdate, TaskStatus } from '@meseta/wire';
import { statusOf } from './events.js';

const status: TaskStatus = { task_id: { value: 't' }, state: 'TASK_RUNNING', uuid: 'STATUS', timestamp: 1 };
const update: StatusUpdate = { framework_id: { value: 'F' }, status, timestamp: 5 };

test('a status has the timestamp and the ids of its update, and a uuid only if the update has one', () => {
  const { uuid: _, ...without } = status;
  const table: readonly (readonly [StatusUpdate, TaskStatus])[] = [
    [update, { ...without, timestamp: 5 }],
    [
      { ...update, uuid: '' },
      { ...without, timestamp: 5 },
    ],
    [
      { ...update, uuid: 'UPDATE' },
      { ...status, timestamp: 5, uuid: 'UPDATE' },
    ],
    [
      { ...update, agent_id: { value: 'S' }, executor_id: { value: 'e' } },
      { ...without, timestamp: 5, agent_id: { value: 'S' }, executor_id: { value: 'e' } },
    ],
    [
      { ...update, status: { ...without, agent_id: { value: 'S' } } },
      { ...without, agent_id: { value: 'S' }, timestamp: 5 },
    ],
  ];
  for (const [sent, expected] of table) assert.deepEqual(statusOf(sent), expected);
  assert.equal(status.timestamp, 1, 'the status of the update is not changed');
});
