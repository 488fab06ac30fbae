import assert from 'node:assert/strict';
import { test } from 'node:test';
import { resourcesJson, taskJson } from '@meseta/resources/v0-json';
import type { MasterEvent, MasterResponse, Task } from '@meseta/wire';
import { MasterEventCodec, MasterResponseCodec, TaskCodec } from '@meseta/wire/codecs';
import { jsonObject } from '@meseta/wire/json';
import { JSON_TYPE, PROTOBUF_TYPE } from '@meseta/wire/media';
import { separated } from './pieces.js';
import { createLists } from './runs.js';
import { listField, renderDocument } from './v1-document.js';

const task: Task = {
  name: 'sleeper "quoted"',
  task_id: { value: 't' },
  framework_id: { value: 'f' },
  agent_id: { value: 'a' },
  state: 'TASK_RUNNING',
  resources: [
    { name: 'cpus', type: 'SCALAR', scalar: { value: 0.1 }, allocation_info: { role: 'web' } },
    { name: 'ports', type: 'RANGES', ranges: { range: [{ begin: 1, end: 3 }] }, allocation_info: { role: 'web' } },
  ],
  statuses: [{ task_id: { value: 't' }, state: 'TASK_RUNNING', timestamp: 12.5, healthy: true }],
};

const binary = (pieces: Iterable<string | Uint8Array>): Buffer =>
  Buffer.concat([...pieces].map((piece) => (typeof piece === 'string' ? Buffer.from(piece) : piece)));
const text = (pieces: Iterable<string | Uint8Array>): string => binary(pieces).toString();
const lists = () => createLists(undefined);

test('a document is encoded like the message that it declares, in both media types', () => {
  const many = Array.from({ length: 200 }, (_, i) => ({ ...task, name: `task ${i}` }));
  for (const tasks of [[], [task], many]) {
    const response: MasterResponse = {
      type: 'GET_STATE',
      get_state: { get_tasks: tasks.length === 0 ? {} : { tasks } },
    };
    const body = {
      name: 'get_state',
      number: 9,
      fields: [
        { name: 'get_tasks', number: 1, fields: [listField(['tasks', 2], 'tasks', tasks, TaskCodec, (t: Task) => t)] },
      ],
    };
    const json = MasterResponseCodec.parse(text(renderDocument(JSON_TYPE, ['GET_STATE', 8], body, lists())));
    assert.deepEqual(json, { ok: true, value: response });
    const bytes = MasterResponseCodec.decode(binary(renderDocument(PROTOBUF_TYPE, ['GET_STATE', 8], body, lists())));
    assert.deepEqual(bytes, { ok: true, value: response });
  }
});

test('a number in a document is encoded as a double, in both media types', () => {
  const event: MasterEvent = { type: 'SUBSCRIBED', subscribed: { heartbeat_interval_seconds: 15 } };
  const interval = { name: 'heartbeat_interval_seconds', number: 2, value: 15 };
  const body = { name: 'subscribed', number: 2, fields: [interval] };
  const json = MasterEventCodec.parse(text(renderDocument(JSON_TYPE, ['SUBSCRIBED', 1], body, lists())));
  assert.deepEqual(json, { ok: true, value: event });
  const bytes = MasterEventCodec.decode(binary(renderDocument(PROTOBUF_TYPE, ['SUBSCRIBED', 1], body, lists())));
  assert.deepEqual(bytes, { ok: true, value: event });
});

test("a v0 task has Mesos' fields; unset ones are omitted", () => {
  assert.deepEqual(JSON.parse(taskJson(task)), {
    id: 't',
    name: 'sleeper "quoted"',
    framework_id: 'f',
    executor_id: '',
    ...Object.fromEntries([['slave_id', 'a']]),
    state: 'TASK_RUNNING',
    resources: { cpus: 0.1, disk: 0, gpus: 0, mem: 0, ports: '[1-3]' },
    role: 'web',
    statuses: [{ state: 'TASK_RUNNING', timestamp: 12.5, healthy: true }],
  });
});

test('fields and pieces are separated by commas; unset fields are omitted', () => {
  assert.equal(
    jsonObject([
      ['a', '1'],
      ['b', undefined],
      ['c', '2'],
    ]),
    '{"a":1,"c":2}',
  );
  assert.equal(jsonObject([]), '{}');
  assert.equal([...separated([1, 2, 3], String)].join(''), '1,2,3');
  assert.deepEqual(JSON.parse(resourcesJson([])), { cpus: 0, disk: 0, gpus: 0, mem: 0 });
});
