// Statuses and counters of tasks whose container never started: without a container, a check or a count that they never had.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { TaskInfo, TaskStatus } from '@meseta/wire';
import {
  frameworkOf,
  killTask,
  launched,
  launchFailed,
  registeredWorld,
  run,
  taskOf,
  updates,
  type World,
} from './testing.js';

const check = { type: 'COMMAND', command: { command: { value: 'true' } } } as const;

const podOf = (task: TaskInfo) =>
  ({
    framework: frameworkOf(),
    executor: { type: 'DEFAULT', executor_id: { value: 'pod' } },
    task_group: { tasks: [task] },
  }) as const;

const cases: readonly (readonly [what: string, act: (world: World) => void, expected: Partial<TaskStatus>])[] = [
  [
    'a command task whose launch fails',
    (world) => launchFailed(world, run(world, taskOf('t', { check })), 'no such user'),
    { state: 'TASK_FAILED', source: 'SOURCE_AGENT', reason: 'REASON_CONTAINER_LAUNCH_FAILED' },
  ],
  [
    'a command task that is killed before',
    (world) => {
      const containerId = run(world, taskOf('t', { check }));
      killTask(world, 't');
      launchFailed(world, containerId, 'no such user');
    },
    { state: 'TASK_KILLED', source: 'SOURCE_AGENT', reason: 'REASON_TASK_KILLED_DURING_LAUNCH' },
  ],
];

test('the status of a task that never started has no container and no check', () => {
  for (const [what, act, expected] of cases) {
    const world = registeredWorld();
    act(world);
    const status = updates(world).at(-1)?.status;
    const { state, source, reason, container_status, check_status } = status ?? {};
    assert.deepEqual({ state, source, reason }, expected, what);
    assert.deepEqual([container_status, check_status], [undefined, undefined], what);
  }
});

test('a failed launch of a task of a pod is reported with the container id only', () => {
  const world = registeredWorld();
  const containerId = launched(world.message({ name: 'RunTaskGroupMessage', body: podOf(taskOf('t')) }));
  launchFailed(world, containerId, 'no such user');
  const { state, source, reason, container_status } = updates(world).at(-1)?.status ?? {};
  assert.deepEqual([state, source, reason], ['TASK_FAILED', 'SOURCE_EXECUTOR', 'REASON_CONTAINER_LAUNCH_FAILED']);
  assert.deepEqual(Object.keys(container_status ?? {}), ['container_id']);
  assert.equal(container_status?.container_id?.value, containerId);
  assert.notEqual(container_status?.container_id?.parent?.value, undefined);
});

test('a refused task is not counted among the ended tasks', () => {
  const world = registeredWorld();
  world.message({
    name: 'RunTaskMessage',
    body: { framework: frameworkOf(), task: taskOf('../t') },
  });
  assert.equal(updates(world).at(-1)?.status.state, 'TASK_ERROR');
  assert.deepEqual([...world.core.state.counters.tasks], []);
});
