// Pods of the DEFAULT executor, which the agent runs itself (Mesos' docs/nested-container-and-task-group.md).
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ContainerId, ExecutorId } from '@meseta/base';
import type { ExecutorInfo, TaskInfo } from '@meseta/wire';
import {
  acknowledgeAll,
  alive,
  containerKilled,
  containerStarted,
  ended,
  exit,
  frameworkIn,
  frameworkOf,
  killTask,
  registeredWorld,
  rejoin,
  runToRunning,
  sentOf,
  taskOf,
  updates,
  type World,
} from './testing.js';

const pod: ExecutorInfo = { executor_id: { value: 'pod' }, type: 'DEFAULT' };

/** Launches a group and lets it start; its containers by task id. */
function launchGroup(
  world: World,
  tasks: readonly TaskInfo[],
  launch_executor = true,
): ReadonlyMap<string, ContainerId> {
  const body = { framework: frameworkOf(), executor: pod, task_group: { tasks }, launch_executor };
  const effects = world.message({ name: 'RunTaskGroupMessage', body });
  const containers = new Map<string, ContainerId>();
  for (const effect of effects) {
    if (effect.kind === 'launch') containers.set(effect.spec.outer?.pod?.taskId ?? '', effect.spec.containerId);
  }
  for (const containerId of containers.values()) {
    containerStarted(world, containerId, 7);
  }
  acknowledgeAll(world);
  return containers;
}

const statesOf = (world: World, id: string): readonly string[] =>
  updates(world).flatMap(({ status }) => (status.task_id.value === id ? [status.state] : []));

const signalled = (world: World, containerId: ContainerId | undefined): boolean =>
  world.effects.some((it) => it.kind === 'signal' && it.containerId === containerId);

const killed = (world: World, containerId: ContainerId | undefined) =>
  containerKilled(world, containerId as ContainerId, 15);

const exits = (world: World) => sentOf(world, 'ExitedExecutorMessage').map(({ status }) => status);

test("each task has a container, its sandbox in the pod's, its status names both", () => {
  const world = registeredWorld();
  const containers = launchGroup(world, [taskOf('a'), taskOf('b')]);
  assert.deepEqual(statesOf(world, 'a'), ['TASK_STARTING', 'TASK_RUNNING']);
  const [launch] = world.effects.flatMap((effect) => (effect.kind === 'launch' ? [effect] : []));
  assert.equal(launch?.spec.sandbox, `${launch?.spec.outer?.sandbox}/containers/${containers.get('a')}`);
  const status = updates(world)[0]?.status;
  const executor = frameworkIn(world)?.executors.get('pod' as ExecutorId);
  assert.deepEqual(status?.executor_id, { value: 'pod' });
  assert.deepEqual(status?.container_status?.container_id, {
    value: containers.get('a'),
    parent: { value: executor?.containerId },
  });
});

test('PODS-1: a task that fails ends its group and no other; one that finishes ends none', () => {
  const world = registeredWorld();
  const first = launchGroup(world, [taskOf('a'), taskOf('b')]);
  const second = launchGroup(world, [taskOf('c'), taskOf('d')], false);
  exit(world, second.get('c') as ContainerId, 0);
  assert(!signalled(world, second.get('d')));
  exit(world, first.get('a') as ContainerId, 1);
  assert(signalled(world, first.get('b')) && !signalled(world, second.get('d')));
  killed(world, first.get('b'));
  acknowledgeAll(world);
  assert.equal(statesOf(world, 'a').at(-1), 'TASK_FAILED');
  assert.equal(statesOf(world, 'b').at(-1), 'TASK_KILLED');
  assert.deepEqual(exits(world), []);
});

test('PODS-2: the executor ends with its last container, with status 0, and nothing of it is left', () => {
  const world = registeredWorld();
  const containers = launchGroup(world, [taskOf('a'), taskOf('b')]);
  for (const containerId of containers.values()) exit(world, containerId, 0);
  assert.deepEqual(exits(world), [0]);
  acknowledgeAll(world);
  world.pass(1000);
  assert.equal(world.core.state.frameworks.size, 0);
  assert.deepEqual(
    [...world.disk.keys()].filter((key) => !/^(agent|sandbox\/)/.test(key)),
    [],
  );
});

test('PODS-1: a kill ends the group, each task within its own grace period', () => {
  const world = registeredWorld();
  const patient = taskOf('b', { kill_policy: { grace_period: { nanoseconds: 9e9 } } });
  const containers = launchGroup(world, [taskOf('a'), patient]);
  const body = { framework_id: { value: 'f-1' }, task_id: { value: 'a' } };
  world.message({ name: 'KillTaskMessage', body });
  killed(world, containers.get('a'));
  const destroyed = () => world.effects.some((it) => it.kind === 'destroy' && it.containerId === containers.get('b'));
  world.pass(8_999);
  assert(!destroyed());
  world.pass(1);
  assert(destroyed());
});

test('PODS-1: a task that is killed during its launch ends its group', () => {
  const world = registeredWorld();
  world.durable = false;
  const tasks = [taskOf('a'), taskOf('b')];
  const body = { framework: frameworkOf(), executor: pod, task_group: { tasks }, launch_executor: true };
  world.message({ name: 'RunTaskGroupMessage', body });
  killTask(world, 'b');
  world.durable = true;
  world.flush();
  assert(!world.effects.some(({ kind }) => kind === 'launch'));
  assert.deepEqual([...statesOf(world, 'a'), ...statesOf(world, 'b')], ['TASK_KILLED', 'TASK_KILLED']);
});

test('after a restart the running tasks of a pod continue, and those that ended have their exit status', () => {
  const world = registeredWorld();
  const containers = launchGroup(world, [taskOf('a'), taskOf('b')]);
  const [a, b] = ['a', 'b'].map((id) => containers.get(id) as ContainerId);
  assert(a !== undefined && b !== undefined);
  world.restart([ended(a, { kind: 'exited', code: 1 }), alive(b)]);
  assert(signalled(world, b));
  rejoin(world);
  killed(world, b);
  acknowledgeAll(world);
  assert.equal(statesOf(world, 'a').at(-1), 'TASK_FAILED');
  assert.equal(statesOf(world, 'b').at(-1), 'TASK_KILLED');
});

test('each task of a pod has its own health check', () => {
  const world = registeredWorld();
  const health_check = {
    type: 'COMMAND' as const,
    command: { value: 'true' },
    delay_seconds: 1,
    grace_period_seconds: 0,
    consecutive_failures: 1,
  };
  const containers = launchGroup(world, [taskOf('a', { health_check }), taskOf('b')]);
  world.pass(1000);
  const [probe] = world.effects.flatMap((effect) => (effect.kind === 'probe' ? [effect] : []));
  assert.equal(probe?.containerId, containers.get('a'));
  world.input({
    kind: 'probeResult',
    containerId: probe?.containerId as ContainerId,
    check: 'health',
    result: { kind: 'command', status: { kind: 'exited', code: 1 } },
  });
  acknowledgeAll(world);
  assert.equal(updates(world).at(-1)?.status.healthy, false);
  assert(signalled(world, containers.get('a')));
});

test('a shutdown of the framework ends its pods', () => {
  const world = registeredWorld();
  const containers = launchGroup(world, [taskOf('a'), taskOf('b')]);
  world.message({ name: 'ShutdownFrameworkMessage', body: { framework_id: { value: 'f-1' } } });
  for (const containerId of containers.values()) {
    assert(signalled(world, containerId));
    killed(world, containerId);
  }
  assert.equal(world.core.state.frameworks.size, 0);
  assert.equal(world.core.state.runs.size, 0);
  assert(![...world.disk.keys()].some((key) => key.startsWith('task/')));
});

test('PODS-1: if the agent finds that a task of a group failed while it was away, it ends the others, whose containers it finds too', () => {
  const world = registeredWorld();
  const body = { framework: frameworkOf(), executor: pod, task_group: { tasks: [taskOf('a'), taskOf('b')] } };
  const effects = world.message({ name: 'RunTaskGroupMessage', body: { ...body, launch_executor: true } });
  const [a, b] = effects.flatMap((effect) => (effect.kind === 'launch' ? [effect.spec.containerId] : []));
  if (a === undefined || b === undefined) assert.fail('the group was not launched');
  world.restart([ended(a, { kind: 'exited', code: 3 }), alive(b)]);
  rejoin(world);
  assert(signalled(world, b));
  killed(world, b);
  acknowledgeAll(world);
  assert.deepEqual([statesOf(world, 'a').at(-1), statesOf(world, 'b').at(-1)], ['TASK_FAILED', 'TASK_KILLED']);
  assert.deepEqual(exits(world), [0]);
});

for (const hasOtherTask of [false, true]) {
  const beside = hasOtherTask ? 'beside a running task' : 'alone';
  test(`a shutdown of the framework ends a group (${beside}) whose launch is being written: nothing of it is launched or left`, () => {
    const world = registeredWorld();
    const other = hasOtherTask ? [runToRunning(world, taskOf('t'))] : [];
    const before = world.effects.length;
    world.durable = false;
    const body = { framework: frameworkOf(), executor: pod, task_group: { tasks: [taskOf('a'), taskOf('b')] } };
    world.message({ name: 'RunTaskGroupMessage', body: { ...body, launch_executor: true } });
    world.message({ name: 'ShutdownFrameworkMessage', body: { framework_id: { value: 'f-1' } } });
    world.durable = true;
    world.flush();
    assert(!world.effects.slice(before).some(({ kind }) => kind === 'launch'));
    for (const containerId of other) killed(world, containerId);
    assert.equal(world.core.state.frameworks.size, 0);
  });
}

test('of a group that was shut down while its launch was written nothing is launched, also if its framework launches another', () => {
  const world = registeredWorld();
  world.durable = false;
  const launchTask = (id: string) => {
    const body = {
      framework: frameworkOf(),
      executor: pod,
      task_group: { tasks: [taskOf(id)] },
      launch_executor: true,
    };
    world.message({ name: 'RunTaskGroupMessage', body });
  };
  launchTask('a');
  world.message({ name: 'ShutdownFrameworkMessage', body: { framework_id: { value: 'f-1' } } });
  launchTask('b');
  world.durable = true;
  world.flush();
  const launchedTasks = world.effects.flatMap((it) => (it.kind === 'launch' ? [it.spec.outer?.pod?.taskId] : []));
  assert.deepEqual(launchedTasks, ['b']);
});
