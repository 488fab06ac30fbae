import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { SchedulerCall } from '@meseta/wire';
import { bytesOfUuid } from '@meseta/wire/uuid';
import { checkCall } from './call.js';

const framework_id = { value: 'F' };
const info = { user: 'u', name: 'n' };
const uuid = bytesOfUuid('00000000-0000-4000-8000-000000000001');
const [agent_id, task_id, operation_id] = [{ value: 'S' }, { value: 't' }, { value: 'op' }];
const uuidText = 'uuid: expected the 16 bytes of a uuid with a version from 1 to 5';

test('a call is complete or refused with the missing field', () => {
  const table: readonly (readonly [call: SchedulerCall, problem: string | undefined, principal?: string])[] = [
    [{}, 'type: expected a type of call, got none'],
    [{ type: 'UNKNOWN' }, 'type: expected a type of call, got UNKNOWN'],
    [{ type: 'ACCEPT', framework_id }, 'accept: is missing, expected for a call of type ACCEPT'],
    [{ type: 'REVIVE' }, 'framework_id: is missing'],
    [{ type: 'REVIVE', framework_id }, undefined],
    [{ type: 'REVIVE', framework_id, subscribe: { framework_info: info } }, undefined],
    [{ type: 'SUBSCRIBE' }, 'subscribe: is missing, expected for a call of type SUBSCRIBE'],
    [{ type: 'SUBSCRIBE', subscribe: { framework_info: info } }, undefined],
    [{ type: 'SUBSCRIBE', framework_id: { value: '' }, subscribe: { framework_info: info } }, undefined],
    [{ type: 'SUBSCRIBE', framework_id, subscribe: { framework_info: { ...info, id: framework_id } } }, undefined],
    [
      { type: 'SUBSCRIBE', framework_id, subscribe: { framework_info: info } },
      'framework_id: differs from subscribe.framework_info.id',
    ],
    [{ type: 'SUBSCRIBE', subscribe: { framework_info: info } }, undefined, 'p'],
    [{ type: 'SUBSCRIBE', subscribe: { framework_info: { ...info, principal: 'p' } } }, undefined, 'p'],
    [{ type: 'SUBSCRIBE', subscribe: { framework_info: { ...info, principal: 'q' } } }, undefined],
    [
      { type: 'SUBSCRIBE', subscribe: { framework_info: { ...info, principal: 'q' } } },
      "subscribe.framework_info.principal: expected 'p', as authenticated, got 'q'",
      'p',
    ],
    [{ type: 'ACKNOWLEDGE', framework_id, acknowledge: { agent_id, task_id, uuid } }, undefined],
    [
      { type: 'ACKNOWLEDGE', framework_id, acknowledge: { agent_id, task_id, uuid: 'AA==' } },
      `acknowledge.${uuidText}`,
    ],
    [
      {
        type: 'ACKNOWLEDGE_OPERATION_STATUS',
        framework_id,
        acknowledge_operation_status: { agent_id, operation_id, uuid },
      },
      undefined,
    ],
    [
      { type: 'ACKNOWLEDGE_OPERATION_STATUS', framework_id, acknowledge_operation_status: { operation_id, uuid } },
      'acknowledge_operation_status.agent_id: is missing',
    ],
    [
      { type: 'ACKNOWLEDGE_OPERATION_STATUS', framework_id, acknowledge_operation_status: { operation_id, uuid: '' } },
      `acknowledge_operation_status.${uuidText}`,
    ],
    [
      { type: 'UPDATE_FRAMEWORK', framework_id, update_framework: { framework_info: { ...info, id: framework_id } } },
      undefined,
    ],
    [
      { type: 'UPDATE_FRAMEWORK', framework_id, update_framework: { framework_info: info } },
      'update_framework.framework_info.id: differs from framework_id',
    ],
    [{ type: 'ACCEPT', framework_id, accept: {} }, undefined],
  ];
  for (const [call, problem, principal] of table) {
    assert.equal(checkCall(call, principal), problem, JSON.stringify(call));
  }
});
