// Statuses and counters of tasks whose container never started: without a container, a check or a count that they never had.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ContainerId } from '@meseta/base';
import type { TaskInfo, TaskStatus } from '@meseta/wire';
import { frameworkOf, launched, registeredWorld, run, taskOf, updates, type World } from './testing.js';

const check = { type: 'COMMAND', command: { command: { value: 'true' } } } as const;

const launchFails = (world: World, containerId: ContainerId): void => {
  const event = { kind: 'launchFailed', containerId, stage: 'launch', message: 'no such user' } as const;
  world.input({ kind: 'containerEvent', event });
};

const podOf = (task: TaskInfo) =>
  ({
    framework: frameworkOf(),
    executor: { type: 'DEFAULT', executor_id: { value: 'pod' } },
    task_group: { tasks: [task] },
  }) as const;

const cases: readonly (readonly [what: string, act: (world: World) => void, expected: Partial<TaskStatus>])[] = [
  [
    'a command task whose launch fails',
    (world) => launchFails(world, run(world, taskOf('t', { check }))),
    { state: 'TASK_FAILED', source: 'SOURCE_AGENT', reason: 'REASON_CONTAINER_LAUNCH_FAILED' },
  ],
  [
    'a command task that is killed before',
    (world) => {
      const containerId = run(world, taskOf('t', { check }));
      const ids = { framework_id: { value: 'f-1' }, task_id: { value: 't' } };
      world.message({ name: 'KillTaskMessage', body: ids });
      launchFails(world, containerId);
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
  launchFails(world, containerId);
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
