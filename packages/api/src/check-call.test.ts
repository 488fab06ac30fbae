import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { TaskStatus } from '@meseta/wire';
import { checkCall, checkExecutorCall, checkSchedulerCall, masterCalls, statusOf } from './index.js';

test('a call must have a known type and the field of that type', () => {
  const field = (call: object) => {
    const checked = checkCall(masterCalls, call);
    return checked.ok ? undefined : [statusOf(checked.error.code), checked.error.text];
  };
  assert.equal(field({ type: 'GET_HEALTH' }), undefined);
  assert.equal(field({ type: 'GET_METRICS', get_metrics: {} }), undefined);
  assert.deepEqual(field({ type: 'GET_METRICS' }), [400, "Field 'get_metrics' is required by GET_METRICS but missing"]);
  assert.equal(field({})?.[0], 400);
  assert.equal(field({ type: 'UNKNOWN' })?.[0], 501);
  assert.equal(field({ type: 'toString' })?.[0], 501);
});

const uuid = (version: number): string => {
  const raw = Buffer.alloc(16, 7);
  raw[6] = version << 4;
  return raw.toString('base64');
};

test("a scheduler's call is refused with the field that is wrong", () => {
  const info = { user: 'root', name: 'f' };
  const id = { value: 'a' };
  const acknowledge = (text: string) => ({ agent_id: id, task_id: id, uuid: text });
  const acknowledgeOperation = (more: { readonly uuid: string; readonly agent_id?: typeof id }) =>
    ({
      type: 'ACKNOWLEDGE_OPERATION_STATUS',
      framework_id: id,
      acknowledge_operation_status: { operation_id: id, ...more },
    }) as const;
  const table: readonly (readonly [call: Parameters<typeof checkSchedulerCall>[0], wrong: string | undefined])[] = [
    [{ type: 'SUBSCRIBE', subscribe: { framework_info: info } }, undefined],
    [{ type: 'SUBSCRIBE', framework_id: { value: '' }, subscribe: { framework_info: info } }, undefined],
    [{ type: 'SUBSCRIBE' }, "'subscribe'"],
    [{ type: 'SUBSCRIBE', framework_id: id, subscribe: { framework_info: info } }, 'framework_info.id'],
    [{ type: 'SUBSCRIBE', subscribe: { framework_info: { ...info, id } } }, 'framework_info.id'],
    [{ type: 'SUBSCRIBE', subscribe: { framework_info: { ...info, principal: 'other' } } }, 'principal'],
    [{ type: 'REVIVE' }, "'framework_id'"],
    [{ type: 'REVIVE', framework_id: id }, undefined],
    [{ type: 'UNKNOWN' }, "'framework_id'"],
    [{ type: 'ACCEPT', framework_id: id }, "'accept'"],
    [{ type: 'ACKNOWLEDGE', framework_id: id, acknowledge: acknowledge(uuid(4)) }, undefined],
    [{ type: 'ACKNOWLEDGE', framework_id: id, acknowledge: acknowledge(uuid(9)) }, 'acknowledge.uuid'],
    [{ type: 'ACKNOWLEDGE', framework_id: id, acknowledge: acknowledge('AAAA') }, 'acknowledge.uuid'],
    [{ type: 'UPDATE_FRAMEWORK', framework_id: id, update_framework: { framework_info: { ...info, id } } }, undefined],
    [
      { type: 'UPDATE_FRAMEWORK', framework_id: id, update_framework: { framework_info: info } },
      'update_framework.framework_info.id',
    ],
    [acknowledgeOperation({ uuid: uuid(4), agent_id: id }), undefined],
    [acknowledgeOperation({ uuid: uuid(4) }), 'acknowledge_operation_status.agent_id'],
    [acknowledgeOperation({ uuid: uuid(9), agent_id: id }), 'acknowledge_operation_status.uuid'],
  ];
  for (const [call, wrong] of table) {
    const checked = checkSchedulerCall(call, 'me');
    const text = checked.ok ? undefined : checked.error.text;
    if (wrong === undefined) assert.equal(text, undefined);
    else assert.ok(text?.includes(wrong), `${JSON.stringify(call)}: ${text}`);
  }
});

test('an error quotes only the beginning of a long principal', () => {
  const principal = '\u0001'.repeat(8 * 2 ** 20);
  const checked = checkSchedulerCall(
    { type: 'SUBSCRIBE', subscribe: { framework_info: { user: 'root', name: 'f', principal } } },
    'me',
  );
  assert.ok(!checked.ok && checked.error.text.length < 2_000);
});

test("an executor's call is refused with the field that is wrong", () => {
  const id = { value: 'a' };
  const ids = { framework_id: id, executor_id: { value: 'e' } };
  const good: TaskStatus = { task_id: id, state: 'TASK_RUNNING', source: 'SOURCE_EXECUTOR', uuid: uuid(4) };
  const errorOf = (call: Parameters<typeof checkExecutorCall>[0]): string | undefined => {
    const checked = checkExecutorCall(call);
    return checked.ok ? undefined : checked.error.text;
  };
  assert.equal(errorOf({ type: 'HEARTBEAT', ...ids }), undefined);
  assert.equal(errorOf({ type: 'UPDATE', ...ids }), "Field 'update' is required by UPDATE but missing");
  const table: readonly (readonly [status: Partial<TaskStatus>, error: string | undefined])[] = [
    [{}, undefined],
    [{ executor_id: ids.executor_id }, undefined],
    [
      { executor_id: { value: 'other' } },
      `Field 'update.status.executor_id': expected the same as 'executor_id' ("e"), got "other"`,
    ],
    [{ uuid: undefined }, "Field 'update.status.uuid': expected the 16 bytes of a uuid with a version from 1 to 5"],
    [{ source: 'SOURCE_AGENT' }, "Field 'update.status.source': expected SOURCE_EXECUTOR, got SOURCE_AGENT"],
    [{ source: undefined }, "Field 'update.status.source': expected SOURCE_EXECUTOR, got nothing"],
    [{ state: 'TASK_STAGING' }, "Field 'update.status.state': an executor may not send TASK_STAGING"],
  ];
  for (const [changes, error] of table) {
    assert.equal(errorOf({ type: 'UPDATE', ...ids, update: { status: { ...good, ...changes } } }), error);
  }
});
