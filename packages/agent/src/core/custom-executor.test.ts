// Frameworks' own executors: subscription, launches, updates, messages, ends. What is expected is Mesos' behaviour
// (docs/executor-http-api.md).
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type ContainerId, type Pid, pidOf, type TaskId } from '@meseta/base';
import type { ExecutorCall, ExecutorEvent, ExecutorInfo, FrameworkInfo, TaskInfo, TaskStatus } from '@meseta/wire';
import type { AgentEffect, ConnectionId } from './io.js';
import { customExecutor, customTaskOf, executorCall, runCustomTask } from './testing/calls.js';
import {
  acknowledgeAll,
  alive,
  containerKilled,
  containerStarted,
  exit,
  frameworkIn,
  frameworkOf,
  killTask,
  launched,
  MASTER,
  registeredWorld,
  rejoin,
  sentOf,
  states,
  taskOf,
  updates,
  type World,
} from './testing.js';

const executor: ExecutorInfo = {
  ...customExecutor,
  resources: [{ name: 'cpus', type: 'SCALAR', scalar: { value: 0.1 }, allocation_info: { role: '*' } }],
};
const customTask = (id: string): TaskInfo => customTaskOf(id, { executor });
const ids = { executor_id: { value: 'e' }, framework_id: { value: 'f-1' } };

const launch = (world: World, id: string, launch_executor: boolean, framework?: FrameworkInfo) =>
  runCustomTask(world, customTask(id), launch_executor, framework);

const subscribe = (world: World, connection = 'c1', subscribe: ExecutorCall['subscribe'] = {}) =>
  executorCall(world, connection, { type: 'SUBSCRIBE', subscribe });

let uuids = 0;
const statusOf = (id: string, state: TaskStatus['state'], uuid = `u${uuids++}`): TaskStatus => ({
  task_id: { value: id },
  state,
  source: 'SOURCE_EXECUTOR',
  uuid,
});

const update = (world: World, status: TaskStatus) => executorCall(world, 'x', { type: 'UPDATE', update: { status } });

const eventsOf = (effects: readonly AgentEffect[]): readonly ExecutorEvent[] =>
  effects.flatMap((effect) => (effect.kind === 'executorEvent' ? [effect.event] : []));
const typesOf = (effects: readonly AgentEffect[]) => eventsOf(effects).map(({ type }) => type);
const repliesOf = (effects: readonly AgentEffect[]) =>
  effects.flatMap((effect) => (effect.kind === 'reply' ? [effect.status] : []));

/** A world with task `a` delivered to a subscribed executor. */
function subscribedWorld(framework: FrameworkInfo = frameworkOf()): { world: World; containerId: ContainerId } {
  const world = registeredWorld();
  const containerId = launched(launch(world, 'a', true, framework));
  containerStarted(world, containerId);
  subscribe(world);
  return { world, containerId };
}

test('CUSTOM-EXECUTORS-1: tasks are queued until their executor subscribes and are delivered in order', () => {
  const world = registeredWorld();
  const containerId = launched(launch(world, 'a', true));
  assert(!launch(world, 'b', false).some(({ kind }) => kind === 'launch'));
  containerStarted(world, containerId);
  const effects = subscribe(world);
  assert.deepEqual(typesOf(effects), ['SUBSCRIBED', 'LAUNCH', 'LAUNCH']);
  assert.deepEqual(
    eventsOf(effects).flatMap(({ launch }) => launch?.task.task_id.value ?? []),
    ['a', 'b'],
  );
  assert.deepEqual(eventsOf(effects)[0]?.subscribed?.container_id, { value: containerId });
  assert.deepEqual(typesOf(launch(world, 'c', false)), ['LAUNCH']);
});

test('CUSTOM-EXECUTORS-1: of a checkpointing framework nothing is launched before it is on disk', () => {
  const { world } = subscribedWorld();
  world.durable = false;
  assert.deepEqual(typesOf(launch(world, 'b', false)), []);
  world.durable = true;
  const before = world.effects.length;
  world.flush();
  assert.deepEqual(typesOf(world.effects.slice(before)), ['LAUNCH']);
});

test('CUSTOM-EXECUTORS-1: a task that has the id of one that was killed in the queue is delivered once', () => {
  const world = registeredWorld();
  const containerId = launched(launch(world, 'a', true));
  launch(world, 'b', false);
  killTask(world, 'b');
  acknowledgeAll(world);
  launch(world, 'b', false);
  launch(world, 'c', false);
  containerStarted(world, containerId);
  assert.deepEqual(
    eventsOf(subscribe(world)).flatMap(({ launch }) => launch?.task.task_id.value ?? []),
    ['a', 'b', 'c'],
  );
});

test('CUSTOM-EXECUTORS-1: adding to the queue and delivering from it copy no queue', () => {
  const world = registeredWorld();
  const containerId = launched(launch(world, 'a', true));
  const queue = () => world.core.state.runs.get(containerId)?.queuedLaunches;
  const first = queue();
  for (const id of ['b', 'c']) launch(world, id, false);
  assert.equal(queue(), first);
  assert.deepEqual([...(first?.keys() ?? [])], ['a', 'b', 'c']);
  containerStarted(world, containerId);
  subscribe(world);
  assert.equal(queue(), first);
  assert.equal(first?.size, 0);
});

test('calls before SUBSCRIBE and calls of unknown executors are refused', () => {
  const world = registeredWorld();
  assert.deepEqual(repliesOf(subscribe(world)), [400]);
  assert.deepEqual(repliesOf(executorCall(world, 'h', { type: 'HEARTBEAT' })), [202]);
  containerStarted(world, launched(launch(world, 'a', true)));
  assert.deepEqual(repliesOf(update(world, statusOf('a', 'TASK_RUNNING'))), [403]);
  assert.deepEqual(repliesOf(executorCall(world, 'y', { type: 'MESSAGE', message: { data: 'aGk=' } })), [403]);
  subscribe(world);
  assert.deepEqual(repliesOf(update(world, statusOf('a', 'TASK_RUNNING'))), [202]);
});

test('a token is valid only for the executor in its claims', () => {
  const world = registeredWorld();
  const containerId = launched(launch(world, 'a', true));
  containerStarted(world, containerId);
  const own = { fid: 'f-1', eid: 'e', cid: containerId };
  const wrongs: readonly Readonly<Record<string, string>>[] = [
    {},
    { ...own, fid: 'f-2' },
    { ...own, eid: 'x' },
    { ...own, cid: 'earlier' },
  ];
  const content = { ...ids, type: 'SUBSCRIBE', subscribe: {} } as const;
  for (const claims of wrongs) {
    const connection = 'z' as ConnectionId;
    assert.deepEqual(repliesOf(world.input({ kind: 'executorCall', connection, call: content, claims })), [403]);
  }
  const effects = world.input({ kind: 'executorCall', connection: 'c' as ConnectionId, call: content, claims: own });
  assert.deepEqual(typesOf(effects), ['SUBSCRIBED', 'LAUNCH']);
});

test('EXECUTOR-CALLS-1: an update is forwarded once and acknowledged each time it arrives, once it is on disk', () => {
  const { world } = subscribedWorld();
  const status = statusOf('a', 'TASK_RUNNING');
  world.durable = false;
  assert.deepEqual(typesOf(update(world, status)), []);
  world.durable = true;
  world.flush();
  acknowledgeAll(world);
  const again = update(world, status);
  assert.deepEqual(eventsOf(again), [
    { type: 'ACKNOWLEDGED', acknowledged: { task_id: { value: 'a' }, uuid: status.uuid } },
  ]);
  assert.deepEqual(states(world), ['TASK_RUNNING']);
  assert.equal(updates(world)[0]?.status.uuid, status.uuid);
  assert.equal(world.core.state.counters.validStatusUpdates, 2, 'a repeated one is valid too');
});

test('EXECUTOR-CALLS-4: an update for a task of another executor is ignored and counted', () => {
  const { world } = subscribedWorld();
  const containerId = launched(
    world.message({ name: 'RunTaskMessage', body: { framework: frameworkOf(), task: taskOf('other') } }),
  );
  containerStarted(world, containerId);
  const reported = states(world).length;
  update(world, statusOf('other', 'TASK_FINISHED'));
  assert.equal(states(world).length, reported);
  assert.equal(frameworkIn(world)?.tasks.get('other' as TaskId)?.task.state, 'TASK_RUNNING');
  assert.equal(world.core.state.counters.invalidStatusUpdates, 1);
});

test('an executor that reports TASK_STAGING is shut down and the update is not forwarded', () => {
  const { world } = subscribedWorld();
  assert.deepEqual(typesOf(update(world, statusOf('a', 'TASK_STAGING'))), ['SHUTDOWN']);
  assert.deepEqual(states(world), []);
});

test('a second terminal update is acknowledged and not forwarded', () => {
  const { world } = subscribedWorld();
  update(world, statusOf('a', 'TASK_FINISHED'));
  assert.deepEqual(typesOf(update(world, statusOf('a', 'TASK_FAILED'))), ['ACKNOWLEDGED']);
  acknowledgeAll(world);
  assert.deepEqual(states(world), ['TASK_FINISHED']);
  // Its executor lives on, and so does the framework.
  assert.equal(frameworkIn(world)?.executors.size, 1);
  assert.equal(frameworkIn(world)?.tasks.size, 0);
});

test('a task that is killed before its executor subscribes is not delivered, and an executor without tasks is shut down', () => {
  const world = registeredWorld();
  const containerId = launched(launch(world, 'a', true));
  const kill = { framework_id: { value: 'f-1' }, task_id: { value: 'a' } };
  world.message({ name: 'KillTaskMessage', body: kill });
  const [first] = updates(world);
  assert.deepEqual([first?.status.state, first?.status.reason], ['TASK_KILLED', 'REASON_TASK_KILLED_DURING_LAUNCH']);
  containerStarted(world, containerId);
  assert.deepEqual(typesOf(subscribe(world)), ['SHUTDOWN']);
});

test('CUSTOM-EXECUTORS-2, CUSTOM-EXECUTORS-3: an executor that does not subscribe in time is destroyed, its task failed', () => {
  const world = registeredWorld();
  const containerId = launched(launch(world, 'a', true));
  containerStarted(world, containerId);
  world.pass(59_999);
  assert(!world.effects.some(({ kind }) => kind === 'destroy'));
  world.pass(1);
  assert(world.effects.some((it) => it.kind === 'destroy' && it.containerId === containerId));
  containerKilled(world, containerId);
  const [reported] = updates(world);
  assert.deepEqual(
    [reported?.status.state, reported?.status.reason],
    ['TASK_FAILED', 'REASON_EXECUTOR_REGISTRATION_TIMEOUT'],
  );
  assert.deepEqual(
    sentOf(world, 'ExitedExecutorMessage').map(({ status }) => status),
    [9],
  );
});

test('CUSTOM-EXECUTORS-3: the end of an executor fails its tasks and is reported before their statuses, with the status of wait(2)', () => {
  const { world, containerId } = subscribedWorld(frameworkOf({ checkpoint: false }));
  exit(world, containerId, 7);
  assert.deepEqual(
    world.sent.slice(-2).map(({ message }) => message.name),
    ['ExitedExecutorMessage', 'StatusUpdateMessage'],
  );
  assert.equal(sentOf(world, 'ExitedExecutorMessage')[0]?.status, 7 << 8);
  const [reported] = updates(world);
  assert.deepEqual([reported?.status.state, reported?.status.reason], ['TASK_FAILED', 'REASON_EXECUTOR_TERMINATED']);
});

/** The agent has tried to register again with a running executor, and was not answered yet. */
function reregisteringWorld() {
  const { world, containerId } = subscribedWorld();
  world.input({ kind: 'masterDetected', master: MASTER });
  world.pass(1000);
  const answer = () =>
    world.message({ name: 'AgentReregisteredMessage', body: { agent_id: { value: 'm-S0' } } } as const);
  const exits = () => sentOf(world, 'ExitedExecutorMessage').map(({ status }) => status);
  return { world, containerId, answer, exits };
}

// After an answer to an earlier try, the later one, which names the executor too, may not have reached the master yet.
for (const [when, answersBefore] of [['before the first answer', 0] as const, ['between two answers', 1] as const]) {
  test(`REGISTRATION-7: the end of an executor that a re-registration names, ${when}, is reported again on the next`, () => {
    const { world, containerId, answer, exits } = reregisteringWorld();
    for (let i = 0; i < answersBefore; i++) answer();
    exit(world, containerId, 7);
    assert.deepEqual(exits(), [7 << 8]);
    answer();
    assert.deepEqual(exits(), [7 << 8, 7 << 8]);
    rejoin(world);
    assert.equal(exits().length, 2, 'the next re-registration does not name it');
  });
}

test('REGISTRATION-7: the end of an executor that no attempt listed, or that has a successor, is reported once', () => {
  const { world, containerId, answer, exits } = reregisteringWorld();
  answer();
  exit(world, containerId, 7);
  acknowledgeAll(world);
  assert.notEqual(launched(launch(world, 'b', true)), containerId);
  answer();
  assert.deepEqual(exits(), [7 << 8], 'the successor lives');
  const unnamed = { ...customTask('c'), executor: { ...executor, executor_id: { value: 'e2' } } };
  const body = { framework: frameworkOf(), task: unnamed, launch_executor: true };
  exit(world, launched(world.message({ name: 'RunTaskMessage', body })), 3);
  answer();
  assert.deepEqual(exits(), [7 << 8, 3 << 8]);
});

test('CUSTOM-EXECUTORS-2: a shutdown sends SHUTDOWN and destroys the executor after its grace period', () => {
  const { world, containerId } = subscribedWorld();
  assert.deepEqual(typesOf(world.message({ name: 'ShutdownExecutorMessage', body: ids })), ['SHUTDOWN']);
  world.pass(4999);
  assert(!world.effects.some(({ kind }) => kind === 'destroy'));
  world.pass(1);
  assert(world.effects.some((it) => it.kind === 'destroy' && it.containerId === containerId));
  assert.deepEqual(typesOf(subscribe(world, 'c2')), ['SHUTDOWN']);
});

test('a task is dropped if its executor does not exist as the master expects', () => {
  const cases: readonly (readonly [boolean, boolean, number])[] = [
    // exists, is expected to be new, reported exits
    [false, false, 0],
    [true, true, 0],
  ];
  for (const [there, wantedNew, exits] of cases) {
    const world = there ? subscribedWorld().world : registeredWorld();
    launch(world, 'z', wantedNew);
    const reported = updates(world).at(-1)?.status;
    assert.deepEqual([reported?.state, reported?.reason], ['TASK_DROPPED', 'REASON_EXECUTOR_TERMINATED']);
    assert.equal(sentOf(world, 'ExitedExecutorMessage').length, exits);
    // The executor that the master does not know is shut down.
    assert.deepEqual(typesOf(world.effects).includes('SHUTDOWN'), there && wantedNew);
  }
  const draining = registeredWorld();
  launch(draining, 'a', true);
  draining.message({ name: 'DrainAgentMessage', body: { config: {} } });
  const other = { ...customTask('b'), executor: { ...executor, executor_id: { value: 'e2' } } };
  const body = { framework: frameworkOf(), task: other, launch_executor: true };
  draining.message({ name: 'RunTaskMessage', body });
  // The master must not charge for an executor that was never launched.
  assert.deepEqual(
    sentOf(draining, 'ExitedExecutorMessage').map(({ executor_id }) => executor_id.value),
    ['e2'],
  );
});

test('a task for an executor id whose last executor has unacknowledged updates is dropped', () => {
  const { world, containerId } = subscribedWorld();
  exit(world, containerId, 7);
  launch(world, 'b', true);
  const reported = updates(world).at(-1)?.status;
  assert.deepEqual([reported?.state, reported?.reason], ['TASK_DROPPED', 'REASON_EXECUTOR_TERMINATED']);
  // Of the end, and of the one that the master has counted since.
  assert.equal(sentOf(world, 'ExitedExecutorMessage').length, 2);
  acknowledgeAll(world);
  assert.notEqual(launched(launch(world, 'c', true)), containerId);
});

test('REGISTRATION-5, EXECUTOR-CALLS-3: after a restart the agent registers when its executors have subscribed, and tasks that were not delivered are dropped', () => {
  const { world, containerId } = subscribedWorld();
  update(world, statusOf('a', 'TASK_RUNNING'));
  acknowledgeAll(world);
  launch(world, 'b', false);
  world.restart([alive(containerId, 99)]);
  const reregistrations = () => sentOf(world, 'ReregisterAgentMessage').length;
  world.input({ kind: 'masterDetected', master: MASTER });
  world.pass(1900);
  assert.equal(reregistrations(), 0);
  const unseen = statusOf('a', 'TASK_FINISHED');
  const effects = subscribe(world, 'c2', { unacknowledged_updates: [{ status: unseen }] });
  assert(typesOf(effects).includes('SUBSCRIBED') && typesOf(effects).includes('ACKNOWLEDGED'));
  world.pass(1000);
  assert(reregistrations() > 0);
  const message = sentOf(world, 'ReregisterAgentMessage')[0];
  assert.deepEqual(
    message?.executor_infos?.map((it) => it.executor_id.value),
    ['e'],
  );
  rejoin(world);
  const last = new Map(updates(world).map(({ status }) => [status.task_id.value, status]));
  assert.deepEqual([last.get('b')?.state, last.get('b')?.reason], ['TASK_DROPPED', 'REASON_AGENT_RESTARTED']);
  assert.equal(last.get('a')?.state, 'TASK_FINISHED');
});

test('EXECUTORS-4: an update that an executor repeats after the end of its task is acknowledged is not forwarded, also after a restart of the agent', () => {
  const { world, containerId } = subscribedWorld();
  const finished = statusOf('a', 'TASK_FINISHED');
  update(world, finished);
  acknowledgeAll(world);
  assert.deepEqual(typesOf(update(world, finished)), ['ACKNOWLEDGED']);
  assert.deepEqual(states(world), ['TASK_FINISHED']);
  world.restart([alive(containerId, 99)]);
  assert.equal(frameworkIn(world)?.tasks.size, 0);
  const effects = subscribe(world, 'c2', { unacknowledged_updates: [{ status: finished }] });
  assert(typesOf(effects).includes('ACKNOWLEDGED'));
  rejoin(world);
  assert.deepEqual(states(world), ['TASK_FINISHED']);
  exit(world, containerId, 0);
  world.pass(2000);
  assert.deepEqual(
    [...world.disk.keys()].filter((key) => key.startsWith('task/') || key.startsWith('executor/')),
    [],
  );
});

test('CUSTOM-EXECUTORS-2: an executor that does not subscribe again in time is destroyed and its tasks are TASK_GONE', () => {
  const { world, containerId } = subscribedWorld();
  update(world, statusOf('a', 'TASK_RUNNING'));
  acknowledgeAll(world);
  world.restart([alive(containerId, 99)]);
  world.pass(2000);
  assert(world.effects.some((it) => it.kind === 'destroy' && it.containerId === containerId));
  rejoin(world);
  exit(world, containerId, 0);
  const reported = updates(world).at(-1)?.status;
  assert.deepEqual([reported?.state, reported?.reason], ['TASK_GONE', 'REASON_EXECUTOR_REREGISTRATION_TIMEOUT']);
});

test('EXECUTOR-CALLS-2: a new SUBSCRIBE replaces the stream', () => {
  const { world } = subscribedWorld();
  const effects = subscribe(world, 'c2', { unacknowledged_tasks: [customTask('a')] });
  assert(effects.some((it) => it.kind === 'closeStream' && it.connection === 'c1'));
  // The end of the old stream is no news.
  world.input({ kind: 'streamClosed', connection: 'c1' as ConnectionId });
  const sent = launch(world, 'b', false).find(({ kind }) => kind === 'executorEvent');
  assert(sent?.kind === 'executorEvent' && sent.connection === 'c2');
});

test('EXECUTOR-DRIVER-1, EXECUTOR-DRIVER-2: an executor has one driver, which no other process replaces', () => {
  const world = registeredWorld();
  containerStarted(world, launched(launch(world, 'a', true)));
  const driver = pidOf('executor(1)', '10.0.0.7:40000');
  const stranger = pidOf('executor(1)', '10.0.0.9:40000');
  const to = (pid: Pid) => world.sent.filter((it) => it.to === pid).map(({ message }) => message.name);
  world.message({ name: 'ReregisterExecutorMessage', body: ids }, stranger);
  world.message({ name: 'RegisterExecutorMessage', body: ids }, driver);
  world.message({ name: 'RegisterExecutorMessage', body: ids }, stranger);
  world.message({ name: 'ReregisterExecutorMessage', body: ids }, stranger);
  assert.deepEqual(to(driver), ['ExecutorRegisteredMessage', 'RunTaskMessage']);
  assert.deepEqual(to(stranger), Array(3).fill('ShutdownExecutorMessage'));
  world.message({ name: 'RegisterExecutorMessage', body: { ...ids, executor_id: { value: 'who' } } }, driver);
  assert.deepEqual(to(driver), ['ExecutorRegisteredMessage', 'RunTaskMessage']);
  world.message({ name: 'RegisterExecutorMessage', body: ids }, driver);
  assert.equal(to(driver).at(-1), 'ExecutorRegisteredMessage', 'a driver may register twice');
});

test('a driver does not replace the stream of an HTTP executor', () => {
  const { world } = subscribedWorld();
  const stranger = pidOf('executor(1)', '10.0.0.9:40000');
  world.message({ name: 'RegisterExecutorMessage', body: ids }, stranger);
  assert.equal(world.sent.at(-1)?.message.name, 'ShutdownExecutorMessage');
});
