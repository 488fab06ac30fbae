import assert from 'node:assert/strict';
import { test } from 'node:test';
import { checkCall, checkSchedulerCall, masterCalls, statusOf } from './index.js';

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
  ];
  for (const [call, wrong] of table) {
    const checked = checkSchedulerCall(call, 'me');
    const text = checked.ok ? undefined : checked.error.text;
    if (wrong === undefined) assert.equal(text, undefined);
    else assert.ok(text?.includes(wrong), `${JSON.stringify(call)}: ${text}`);
  }
});
