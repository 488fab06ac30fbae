import assert from 'node:assert/strict';
import { test } from 'node:test';
import { bytesOf } from '@meseta/platform/responses';
import type { AgentResponse, Task } from '@meseta/wire';
import { AgentResponseCodec } from '@meseta/wire/codecs';
import { listPieces, withLists } from './pieces.js';
import { responsePieces } from './v1-pieces.js';

const joined = (pieces: Iterable<string>): string => [...pieces].join('');

test('the pieces of lists and objects join to the JSON of the whole', () => {
  const list = (items: readonly number[]) => listPieces(items, (item) => [String(item)]);
  assert.deepEqual(JSON.parse(joined(list([1, 2, 3]))), [1, 2, 3]);
  assert.equal(joined(list([])), '[]');
  assert.equal(joined(withLists('{"a":1}', [['b', list([1])]])), '{"a":1,"b":[1]}');
  assert.equal(
    joined(
      withLists('{}', [
        ['a', list([])],
        ['b', list([2])],
      ]),
    ),
    '{"a":[],"b":[2]}',
  );
  assert.equal(joined(withLists('{"a":1}', [])), '{"a":1}');
});

const task: Task = {
  name: 't',
  task_id: { value: 't' },
  framework_id: { value: 'f' },
  agent_id: { value: 'a' },
  state: 'TASK_RUNNING',
  resources: [{ name: 'cpus', type: 'SCALAR', scalar: { value: 1 } }],
};
const get_tasks = {
  pending_tasks: [],
  queued_tasks: [task],
  launched_tasks: [task, task],
  terminated_tasks: [],
  completed_tasks: [],
};
const executor = { executor_info: { executor_id: { value: 'e' }, command: { value: 'x' } } };
const get_executors = { executors: [executor], completed_executors: [] };
const get_frameworks = { frameworks: [{ framework_info: { user: 'u', name: 'n' } }], completed_frameworks: [] };

const responses: readonly AgentResponse[] = [
  { type: 'GET_HEALTH', get_health: { healthy: true } },
  { type: 'GET_TASKS', get_tasks },
  { type: 'GET_EXECUTORS', get_executors },
  { type: 'GET_FRAMEWORKS', get_frameworks },
  { type: 'GET_STATE', get_state: { get_tasks, get_executors, get_frameworks } },
  { type: 'GET_OPERATIONS', get_operations: {} },
];
for (const response of responses) {
  test(`the pieces of ${response.type} join to what the codec writes`, () => {
    assert.equal(joined(responsePieces(response)), AgentResponseCodec.write(response));
  });
}

test('a document may be longer than the longest string', () => {
  const piece = 'x'.repeat(2 ** 25);
  const bytes = bytesOf([Array<string>(17).fill(piece)]);
  assert.equal(bytes.length, 17 * 2 ** 25);
  assert.throws(() => piece.repeat(17), RangeError);
});
