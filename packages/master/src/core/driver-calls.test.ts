import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { LibprocessMessage, SchedulerV0Call } from '@meseta/wire';
import { callOfDriver } from './driver-calls.js';

const framework_id = { value: 'f' };
const task_id = { value: 't' };
const agent_id = { value: 'a' };
const info = { user: 'u', name: 'n' };
const filters = { refuse_seconds: 7 };
const offer_ids = [{ value: 'o' }];
const task = { name: 'x', task_id, agent_id };

const calls: readonly (readonly [message: LibprocessMessage, call: SchedulerV0Call])[] = [
  [
    { name: 'RegisterFrameworkMessage', body: { framework: { ...info, id: { value: '' } } } },
    { type: 'SUBSCRIBE', subscribe: { framework_info: info } },
  ],
  [
    { name: 'ReregisterFrameworkMessage', body: { framework: { ...info, id: framework_id }, failover: true } },
    { framework_id, type: 'SUBSCRIBE', subscribe: { framework_info: { ...info, id: framework_id }, force: true } },
  ],
  [
    { name: 'UnregisterFrameworkMessage', body: { framework_id } },
    { framework_id, type: 'TEARDOWN' },
  ],
  [
    { name: 'ResourceRequestMessage', body: { framework_id, requests: [{ agent_id }] } },
    { framework_id, type: 'REQUEST', request: { requests: [{ agent_id }] } },
  ],
  [
    { name: 'LaunchTasksMessage', body: { framework_id, tasks: [task], filters, offer_ids } },
    {
      framework_id,
      type: 'ACCEPT',
      accept: { offer_ids, operations: [{ type: 'LAUNCH', launch: { task_infos: [task] } }], filters },
    },
  ],
  [
    { name: 'LaunchTasksMessage', body: { framework_id, filters, offer_ids } },
    { framework_id, type: 'DECLINE', decline: { offer_ids, filters } },
  ],
  [
    { name: 'ReviveOffersMessage', body: { framework_id, roles: ['r'] } },
    { framework_id, type: 'REVIVE', revive: { roles: ['r'] } },
  ],
  [
    { name: 'KillTaskMessage', body: { framework_id, task_id } },
    { framework_id, type: 'KILL', kill: { task_id } },
  ],
  [
    { name: 'StatusUpdateAcknowledgementMessage', body: { agent_id, framework_id, task_id, uuid: 'AAAA' } },
    { framework_id, type: 'ACKNOWLEDGE', acknowledge: { agent_id, task_id, uuid: 'AAAA' } },
  ],
  [
    { name: 'FrameworkToExecutorMessage', body: { agent_id, framework_id, executor_id: { value: 'e' }, data: 'AAAA' } },
    { framework_id, type: 'MESSAGE', message: { agent_id, executor_id: { value: 'e' }, data: 'AAAA' } },
  ],
  [
    {
      name: 'ReconcileTasksMessage',
      body: {
        framework_id,
        statuses: [
          { task_id, state: 'TASK_RUNNING', agent_id },
          { task_id, state: 'TASK_LOST' },
        ],
      },
    },
    { framework_id, type: 'RECONCILE', reconcile: { tasks: [{ task_id, agent_id }, { task_id }] } },
  ],
];

for (const [message, call] of calls) {
  test(`${message.name} becomes ${call.type}`, () => {
    assert.deepEqual(callOfDriver(message), { ok: true, value: { name: 'SchedulerCall', body: call } });
  });
}

test('other messages are not changed', () => {
  const message: LibprocessMessage = { name: 'DeactivateFrameworkMessage', body: { framework_id } };
  assert.deepEqual(callOfDriver(message), { ok: true, value: message });
});

test('a registration with an id and a re-registration without one are errors', () => {
  const registered = callOfDriver({
    name: 'RegisterFrameworkMessage',
    body: { framework: { ...info, id: framework_id } },
  });
  const reregistered = callOfDriver({ name: 'ReregisterFrameworkMessage', body: { framework: info, failover: false } });
  assert.match(registered.ok ? '' : registered.error, /framework\.id.*"f"/);
  assert.match(reregistered.ok ? '' : reregistered.error, /framework\.id/);
});
