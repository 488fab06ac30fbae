// Containers that are destroyed because they exceed a limit: the statuses of their tasks and the replies to calls. What is
// expected is Mesos' behaviour (mesos.proto, TaskStatus.limitation; docs/isolators/disk-du.md).
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ContainerId } from '@meseta/base';
import type { Limitation } from '@meseta/containers/types';
import type { Resource } from '@meseta/wire';
import { callRepliesOf, containerCall, customTaskOf, runCustomTask } from './testing/calls.js';
import {
  acknowledgeAll,
  alive,
  containerStarted,
  ended,
  killTask,
  launched,
  registeredWorld,
  rejoin,
  runToRunning,
  taskOf,
  updates,
  type World,
} from './testing.js';

const disk: Resource = { name: 'disk', type: 'SCALAR', scalar: { value: 10 } };
const limitation: Limitation = {
  resources: [disk],
  reason: 'REASON_CONTAINER_LIMITATION_DISK',
  message: 'Disk usage (40MB) exceeds quota (10MB)',
};
const KILLED = { kind: 'signaled', signal: 9 } as const;

const exceed = (world: World, containerId: ContainerId) =>
  world.input({ kind: 'containerEvent', event: { kind: 'exited', containerId, status: KILLED, limitation } });

function checkLastStatus(world: World): void {
  const status = updates(world).at(-1)?.status;
  assert.deepEqual(
    [status?.state, status?.source, status?.reason, status?.message],
    ['TASK_FAILED', 'SOURCE_AGENT', limitation.reason, limitation.message],
  );
  assert.deepEqual(status?.limitation, { resources: [disk] });
}

test("a limitation of a command task's container is in the task's status, with its resources", () => {
  const world = registeredWorld();
  exceed(world, runToRunning(world, taskOf('t')));
  checkLastStatus(world);
});

test('a limitation takes precedence over a pending kill: the task has failed', () => {
  const world = registeredWorld();
  const containerId = runToRunning(world, taskOf('t'));
  killTask(world, 't');
  acknowledgeAll(world);
  exceed(world, containerId);
  checkLastStatus(world);
});

test('a limitation that was recorded while no agent ran is reported after the restart, also without an exit status', () => {
  for (const status of [KILLED, { kind: 'unknown' }] as const) {
    const world = registeredWorld();
    const containerId = runToRunning(world, taskOf('t'));
    world.restart([{ ...ended(containerId, status), limitation }]);
    rejoin(world);
    checkLastStatus(world);
  }
});

test("a limitation of a custom executor's container is in the status of each of its tasks, also after a restart", () => {
  for (const restarts of [false, true]) {
    const world = registeredWorld();
    const containerId = launched(runCustomTask(world, customTaskOf('a'), true));
    containerStarted(world, containerId, 7);
    runCustomTask(world, customTaskOf('b'), false);
    if (restarts) {
      world.restart([{ ...ended(containerId, KILLED), limitation }]);
      rejoin(world);
    } else exceed(world, containerId);
    const failed = updates(world).filter(({ status }) => status.state === 'TASK_FAILED');
    assert.deepEqual(failed.map(({ status }) => status.task_id.value).sort(), ['a', 'b']);
    for (const { status } of failed) assert.deepEqual(status.limitation, { resources: [disk] });
    checkLastStatus(world);
  }
});

test("the containerizer gets the resources of a running custom executor's tasks, at a launch and after a restart", () => {
  const world = registeredWorld();
  const containerId = launched(runCustomTask(world, customTaskOf('a'), true));
  containerStarted(world, containerId, 7);
  const updatesOf = () =>
    world.effects.flatMap((effect) => (effect.kind === 'updateContainer' ? [effect.resources.length] : []));
  assert.deepEqual(updatesOf(), []);
  runCustomTask(world, customTaskOf('b'), false);
  const each = taskOf('a').resources?.length ?? 0;
  assert.deepEqual(updatesOf(), [2 * each]);
  world.restart([alive(containerId)]);
  assert.deepEqual(updatesOf(), [2 * each, 2 * each]);
});

test('a WAIT call for a nested container that exceeded a limit is answered with the limitation', () => {
  const world = registeredWorld();
  const parent = { value: runToRunning(world, taskOf('t')) };
  const container_id = { value: 'n', parent };
  const containerId = launched(
    containerCall(world, {
      type: 'LAUNCH_NESTED_CONTAINER',
      launch_nested_container: { container_id, command: { value: 'true' } },
    }),
  );
  containerStarted(world, containerId, 8);
  containerCall(world, { type: 'WAIT_NESTED_CONTAINER', wait_nested_container: { container_id } }, 'wait');
  const replies = callRepliesOf(exceed(world, containerId)).map(({ response }) => response);
  assert.deepEqual(replies, [
    {
      type: 'WAIT_NESTED_CONTAINER',
      wait_nested_container: {
        exit_status: 9,
        state: 'TASK_FAILED',
        reason: limitation.reason,
        message: limitation.message,
        limitation: { resources: [disk] },
      },
    },
  ]);
});
