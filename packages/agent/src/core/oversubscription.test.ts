import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ContainerId } from '@meseta/base';
import type { FrameworkInfo, Resource } from '@meseta/wire';
import { customExecutor, customTaskOf, runCustomTask } from './testing/calls.js';
import {
  acknowledgeAll,
  alive,
  containerKilled,
  containerStarted,
  ended,
  exit,
  frameworkOf,
  killTask,
  launched,
  launchFailed,
  MASTER,
  registeredWorld,
  rejoin,
  runToRunning,
  sentOf,
  states,
  taskOf,
  updates,
  type World,
} from './testing.js';

const INTERVAL_MS = 15_000;
const cpus = (value: number, fields: Partial<Resource> = {}): Resource => ({
  name: 'cpus',
  type: 'SCALAR',
  scalar: { value },
  ...fields,
});
const spare = (value: number): Resource => cpus(value, { revocable: {} });
const used = (value: number): Resource => cpus(value, { revocable: {}, allocation_info: { role: '*' } });
const withSpare = (value: number) => ({
  oversubscription: { resources: [spare(value)], intervalMs: INTERVAL_MS },
});
const revocableTask = (id: string, value = 1) => taskOf(id, { resources: [used(value)] });

/** The revocable cpus in each update to the master, oldest first; undefined: an update without oversubscription. */
const reportedCpus = (world: World): readonly (number | undefined)[] =>
  sentOf(world, 'UpdateAgentMessage').map(({ update_oversubscribed_resources, oversubscribed_resources }) => {
    if (update_oversubscribed_resources !== true) return undefined;
    for (const { revocable, allocation_info } of oversubscribed_resources ?? []) {
      assert.deepEqual([revocable, allocation_info], [{}, undefined]);
    }
    return oversubscribed_resources?.[0]?.scalar?.value ?? 0;
  });

test('without an estimator no update of oversubscribed resources is sent', () => {
  const world = registeredWorld();
  world.pass(4 * INTERVAL_MS);
  assert.deepEqual(reportedCpus(world), [undefined]);
});

test('OVERSUBSCRIPTION-1: the estimate is sent to the master after each registration', () => {
  const world = registeredWorld(withSpare(3));
  world.pass(4 * INTERVAL_MS);
  assert.deepEqual(reportedCpus(world), [3]);
  world.restart();
  rejoin(world);
  assert.deepEqual(reportedCpus(world), [3, 3]);
});

test('OVERSUBSCRIPTION-1: revocable resources in use stay in the sum when the estimate has become smaller, until they are free', () => {
  const world = registeredWorld(withSpare(3));
  const containerId = runToRunning(world, revocableTask('t', 2));
  world.restart([alive(containerId)], withSpare(1));
  rejoin(world);
  assert.deepEqual(reportedCpus(world), [3, 2]);
  exit(world, containerId, 0);
  acknowledgeAll(world);
  world.pass(INTERVAL_MS);
  assert.deepEqual(reportedCpus(world), [3, 2, 1]);
});

test('OVERSUBSCRIPTION-1: a changed sum is not sent to a master before the agent is registered with it', () => {
  const world = registeredWorld(withSpare(3));
  const containerId = runToRunning(world, revocableTask('t', 2));
  world.restart([alive(containerId)], withSpare(1));
  world.input({ kind: 'masterDetected', master: MASTER });
  exit(world, containerId, 0);
  world.pass(INTERVAL_MS);
  assert.deepEqual(reportedCpus(world), [3]);
  world.message({ name: 'AgentReregisteredMessage', body: { agent_id: { value: 'm-S0' } } });
  assert.deepEqual(reportedCpus(world), [3, 1]);
});

const overload = (world: World) => world.input({ kind: 'overload', cause: 'the load is 9' });
const destroyed = (world: World): readonly ContainerId[] =>
  world.effects.flatMap((effect) => (effect.kind === 'destroy' ? [effect.containerId] : []));

function checkPreempted(world: World, state: string, taskId = 't'): void {
  const status = updates(world).find(
    (update) => update.status.task_id.value === taskId && update.status.state === state,
  )?.status;
  assert.deepEqual(
    [status?.source, status?.reason, status?.message],
    ['SOURCE_AGENT', 'REASON_CONTAINER_PREEMPTED', 'Container preempted by QoS correction'],
  );
}

const outcomes: readonly (readonly [FrameworkInfo, string])[] = [
  [frameworkOf(), 'TASK_GONE'],
  [frameworkOf({ capabilities: [] }), 'TASK_LOST'],
];

for (const [framework, state] of outcomes) {
  test(`OVERSUBSCRIPTION-2: an overload ends a task with revocable resources at once, which is ${state}; others run on`, () => {
    const world = registeredWorld(withSpare(3));
    const kept = runToRunning(world, taskOf('kept'), framework);
    const containerId = runToRunning(world, revocableTask('t'), framework);
    overload(world);
    assert.deepEqual(destroyed(world), [containerId]);
    containerKilled(world, containerId);
    acknowledgeAll(world);
    checkPreempted(world, state);
    overload(world);
    assert.deepEqual(destroyed(world), [containerId]);
    assert.notEqual(kept, containerId);
    assert.equal(world.core.state.counters.executorsPreempted, 1);
  });
}

test('an overload while the container of a task is made preempts the task', () => {
  const world = registeredWorld(withSpare(3));
  const containerId = launched(
    world.message({ name: 'RunTaskMessage', body: { framework: frameworkOf(), task: revocableTask('t') } }),
  );
  overload(world);
  launchFailed(world, containerId, 'destroyed before it was launched');
  checkPreempted(world, 'TASK_GONE');
});

test('a preempted task that had been asked to end was killed', () => {
  const world = registeredWorld(withSpare(3));
  const containerId = runToRunning(world, revocableTask('t'));
  killTask(world, 't');
  overload(world);
  assert.deepEqual(destroyed(world), [containerId]);
  containerKilled(world, containerId);
  acknowledgeAll(world);
  assert.equal(states(world).at(-1), 'TASK_KILLED');
});

test('OVERSUBSCRIPTION-2: an overload ends a custom executor that has a revocable task, with all its tasks, also across a restart', () => {
  const world = registeredWorld(withSpare(3));
  const launch = (id: string, resources: readonly Resource[], launch_executor: boolean) =>
    runCustomTask(world, customTaskOf(id, { resources }), launch_executor);
  const containerId = launched(launch('t', [used(1)], true));
  containerStarted(world, containerId, 7);
  launch('u', [cpus(1, { allocation_info: { role: '*' } })], false);
  overload(world);
  assert.deepEqual(destroyed(world), [containerId]);
  world.restart([ended(containerId, { kind: 'signaled', signal: 9 })]);
  rejoin(world);
  for (const id of ['t', 'u']) checkPreempted(world, 'TASK_GONE', id);
});

test('OVERSUBSCRIPTION-1, OVERSUBSCRIPTION-2: the revocable resources of an executor count; it is preempted once, also if its tasks have none', () => {
  const world = registeredWorld(withSpare(1));
  const executor = { ...customExecutor, resources: [cpus(0.1, { allocation_info: { role: '*' } }), used(2)] };
  const containerId = launched(runCustomTask(world, customTaskOf('t', { executor }), true));
  containerStarted(world, containerId);
  world.pass(INTERVAL_MS);
  assert.deepEqual(reportedCpus(world), [1, 2]);
  overload(world);
  overload(world);
  assert.deepEqual(destroyed(world), [containerId]);
  containerKilled(world, containerId);
  // It has ended, but the end of its task is not acknowledged.
  overload(world);
  assert.equal(world.core.state.counters.executorsPreempted, 1);
  checkPreempted(world, 'TASK_GONE');
  world.pass(INTERVAL_MS);
  assert.deepEqual(reportedCpus(world), [1, 2, 1]);
});

test('OVERSUBSCRIPTION-2: a task that has revocable resources beside others is ended; one without resources runs on', () => {
  const world = registeredWorld(withSpare(3));
  runToRunning(world, taskOf('none', { resources: undefined }));
  const both = [cpus(1, { allocation_info: { role: '*' } }), used(1)];
  const containerId = runToRunning(world, taskOf('t', { resources: both }));
  overload(world);
  assert.deepEqual(destroyed(world), [containerId]);
});

test('OVERSUBSCRIPTION-2: an overload ends a pod that has a revocable task, with all its tasks', () => {
  const world = registeredWorld(withSpare(3));
  const effects = world.message({
    name: 'RunTaskGroupMessage',
    body: {
      framework: frameworkOf(),
      executor: { executor_id: { value: 'pod' }, type: 'DEFAULT' },
      task_group: { tasks: [taskOf('a'), revocableTask('b')] },
      launch_executor: true,
    },
  });
  const containers = effects.flatMap((effect) => (effect.kind === 'launch' ? [effect.spec.containerId] : []));
  for (const containerId of containers) containerStarted(world, containerId);
  acknowledgeAll(world);
  overload(world);
  assert.equal(containers.length, 2);
  assert.deepEqual(destroyed(world), containers);
  for (const containerId of containers) containerKilled(world, containerId);
  acknowledgeAll(world);
  for (const id of ['a', 'b']) checkPreempted(world, 'TASK_GONE', id);
  assert.equal(world.core.state.counters.executorsPreempted, 1);
});
