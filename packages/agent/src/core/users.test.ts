import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { CommandInfo, ExecutorInfo, TaskInfo } from '@meseta/wire';
import { frameworkOf, registeredWorld, taskOf, updates, type World } from './testing.js';

const asRoot: CommandInfo = { value: 'true', user: 'root' };
const asNobody: CommandInfo = { value: 'true', user: 'nobody' };
const framework = frameworkOf({ user: 'nobody', principal: 'p' });

const world = (): World => registeredWorld({ mayRunAs: (principal, user) => principal === 'p' && user === 'nobody' });
const isLaunched = ({ effects }: World): boolean => effects.some(({ kind }) => kind === 'launch');

const denied: readonly (readonly [string, Partial<TaskInfo>])[] = [
  ["the task's own", { command: asRoot }],
  ["its executor's", { command: undefined, executor: { executor_id: { value: 'e' }, command: asRoot } }],
  ["its check's", { command: asNobody, check: { type: 'COMMAND', command: { command: asRoot } } }],
  ["its health check's", { command: asNobody, health_check: { type: 'COMMAND', command: asRoot } }],
];

test("a task is refused whose users the agent's own ACLs don't allow, whatever the master's say", () => {
  for (const [where, more] of denied) {
    const one = world();
    one.message({ name: 'RunTaskMessage', body: { framework, task: taskOf('t', more) } });
    const { status } = updates(one)[0] ?? assert.fail(where);
    assert.deepEqual([status.state, status.reason], ['TASK_ERROR', 'REASON_TASK_UNAUTHORIZED'], where);
    assert.equal(isLaunched(one), false);
  }
  const other = world();
  const stranger = frameworkOf({ user: 'nobody', principal: 'q' });
  other.message({ name: 'RunTaskMessage', body: { framework: stranger, task: taskOf('t') } });
  assert.equal(updates(other)[0]?.status.reason, 'REASON_TASK_UNAUTHORIZED');
  const good = world();
  good.message({ name: 'RunTaskMessage', body: { framework, task: taskOf('t') } });
  assert.ok(isLaunched(good));
});

test('a group is refused whole', () => {
  const one = world();
  const executor: ExecutorInfo = { type: 'DEFAULT', executor_id: { value: 'pod' } };
  const tasks = [taskOf('good'), taskOf('bad', { command: asRoot })];
  one.message({ name: 'RunTaskGroupMessage', body: { framework, executor, task_group: { tasks } } });
  assert.deepEqual(
    updates(one).map(({ status }) => [status.task_id.value, status.reason]),
    [
      ['good', 'REASON_TASK_GROUP_UNAUTHORIZED'],
      ['bad', 'REASON_TASK_GROUP_UNAUTHORIZED'],
    ],
  );
  assert.equal(isLaunched(one), false);
});

test("a group is refused whose executor names a user that the agent's own ACLs don't allow", () => {
  const one = world();
  const executor: ExecutorInfo = { type: 'CUSTOM', executor_id: { value: 'e' }, command: asRoot };
  const task_group = { tasks: [taskOf('t', { command: asNobody })] };
  one.message({ name: 'RunTaskGroupMessage', body: { framework, executor, task_group } });
  assert.equal(updates(one)[0]?.status.reason, 'REASON_TASK_GROUP_UNAUTHORIZED');
  assert.equal(isLaunched(one), false);
});

test('the authorized user is that of the framework in the agent’s record, as which its tasks run', () => {
  const one = registeredWorld({ mayRunAs: (_, user) => user === 'nobody' });
  const asFramework = taskOf('t', { command: { value: 'true' } });
  one.message({ name: 'RunTaskMessage', body: { framework: { ...framework, user: 'root' }, task: asFramework } });
  one.message({ name: 'RunTaskMessage', body: { framework, task: asFramework } });
  assert.equal(isLaunched(one), false);
});
