import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LIMITS, type TaskId } from '@meseta/base';
import type { StatusUpdate, TaskStatus } from '@meseta/wire';
import { rememberUpdate } from './executor-calls.js';
import type { AgentEffect } from './io.js';
import { customTaskOf, executorCall, runCustomTask } from './testing/calls.js';
import {
  acknowledge,
  acknowledgeAll,
  containerStarted,
  frameworkIn,
  launched,
  registeredWorld,
  rejoin,
  updates,
  type World,
} from './testing.js';

const subscribe = (world: World, connection: string, listed: readonly TaskStatus[] = []) =>
  executorCall(world, connection, {
    type: 'SUBSCRIBE',
    subscribe: { unacknowledged_updates: listed.map((status) => ({ status })) },
  });

const update = (world: World, status: TaskStatus) => executorCall(world, 'u', { type: 'UPDATE', update: { status } });

const runningUpdates = (count: number, first = 0): readonly TaskStatus[] =>
  Array.from({ length: count }, (_, index) => ({
    task_id: { value: 'a' },
    state: 'TASK_RUNNING',
    source: 'SOURCE_EXECUTOR',
    uuid: `u${first + index}`,
  }));

/** Task `a` was sent to its executor. */
function worldWithTask(): World {
  const world = registeredWorld();
  const containerId = launched(runCustomTask(world, customTaskOf('a'), true));
  containerStarted(world, containerId, 99);
  subscribe(world, 'c');
  return world;
}

const deliveredUuids = (world: World) => updates(world).map(({ uuid }) => uuid);

test('EXECUTOR-CALLS-1: an executor that lists more than a hundred updates, again and again, has each delivered once', () => {
  const world = worldWithTask();
  const sent = [...runningUpdates(250)];
  // No acknowledgement reaches the executor: its connection breaks each time.
  for (let times = 0; times < 3; times++) {
    subscribe(world, `c${times}`, sent);
    const [next] = runningUpdates(1, sent.length) as [TaskStatus];
    sent.push(next);
    update(world, next);
    acknowledgeAll(world);
  }
  assert.deepEqual(
    deliveredUuids(world),
    sent.map(({ uuid }) => uuid),
  );
});

test('EXECUTOR-CALLS-1: the newest hundred updates of a task are acknowledged and not delivered when they come again', () => {
  const world = worldWithTask();
  const sent = runningUpdates(110);
  for (const status of sent) update(world, status);
  acknowledgeAll(world);
  assert.equal(deliveredUuids(world).length, sent.length);
  for (const status of sent.slice(-100)) {
    const events = update(world, status).flatMap((effect) => (effect.kind === 'executorEvent' ? [effect.event] : []));
    assert.deepEqual(
      events.map(({ acknowledged }) => acknowledged?.uuid),
      [status.uuid],
    );
  }
  assert.equal(deliveredUuids(world).length, sent.length);
});

test('the uuids that an executor does not list are forgotten but for the newest hundred', () => {
  const all = Array.from({ length: 300 }, (_, index) => `u${index}`);
  const listed = new Set(['u0', 'u7']);
  const remembered = all.reduce<readonly string[]>((known, uuid) => rememberUpdate(known, uuid, listed), []);
  assert.deepEqual(remembered, ['u0', 'u7', ...all.slice(-100)]);
});

test('of the uuids that an executor lists, as many are remembered as may wait for acknowledgement', () => {
  const most = LIMITS.waitingUpdates.most + 100;
  const all = Array.from({ length: most + 50 }, (_, index) => `u${index}`);
  const listed = new Set(all);
  const remembered = all.reduce<readonly string[]>((known, uuid) => rememberUpdate(known, uuid, listed), []);
  assert.deepEqual(remembered, all.slice(-most));
});

test('STATUS-UPDATES-7: of a task, a limited number of updates waits for acknowledgement, and a terminal one always', () => {
  const world = worldWithTask();
  const { most } = LIMITS.waitingUpdates;
  const acknowledged = runningUpdates(most + 5).map((status) =>
    update(world, status).some((it) => it.kind === 'executorEvent' && it.event.type === 'ACKNOWLEDGED'),
  );
  // The task's first update is the agent's own.
  const waiting = () => frameworkIn(world)?.streams.get('a' as TaskId)?.updates ?? [];
  assert.equal(waiting().length, most);
  assert.equal(acknowledged.filter((it) => it).length, most);
  assert.equal(world.core.state.counters.invalidStatusUpdates, 5);
  update(world, { task_id: { value: 'a' }, state: 'TASK_FINISHED', uuid: 'last' });
  assert.equal(waiting().at(-1)?.status.state, 'TASK_FINISHED');
});

test('CHECKPOINT-RECORDS-3: an update and its acknowledgement write as much when a thousand updates wait as when few do', () => {
  const world = worldWithTask();
  const data = 'A'.repeat(4096);
  const writtenBy = (effects: readonly AgentEffect[]): { readonly keys: number; readonly bytes: number } => {
    const changes = effects.flatMap((it) => (it.kind === 'checkpoint' ? it.changes : []));
    return { keys: changes.length, bytes: JSON.stringify(changes).length };
  };
  const all = runningUpdates(LIMITS.waitingUpdates.most);
  const written = all.map((status) => writtenBy(update(world, { ...status, data })));
  // The uuids of the newest hundred updates are part of the progress.
  const [few, many] = [written[150], written[all.length - 1]];
  assert.ok(few && many);
  assert.deepEqual([few.keys, many.keys], [2, 2]);
  assert.ok(many.bytes < few.bytes + 100, `${few.bytes} bytes, then ${many.bytes}`);
  const acknowledged = writtenBy(acknowledge(world, updates(world).at(-1) as StatusUpdate));
  assert.equal(acknowledged.keys, 2);
  assert.ok(acknowledged.bytes < few.bytes, `${acknowledged.bytes} bytes`);
});

test('CHECKPOINT-RECORDS-3: the waiting statuses on disk are those that are not acknowledged, and none after the end', () => {
  const world = worldWithTask();
  const onDisk = () => [...world.disk.values()].flatMap((it) => (it.kind === 'waitingStatus' ? [it.status.uuid] : []));
  for (const status of runningUpdates(12)) update(world, { ...status, data: 'AA==' });
  acknowledge(world, updates(world)[0] as StatusUpdate);
  assert.deepEqual(
    onDisk(),
    runningUpdates(11, 1).map(({ uuid }) => uuid),
  );
  world.restart();
  const stream = frameworkIn(world)?.streams.get('a' as TaskId);
  assert.deepEqual(stream?.updates.map(({ uuid }) => uuid).slice(0, 11), onDisk().slice(0, 11));
  rejoin(world);
  acknowledgeAll(world);
  assert.deepEqual(onDisk(), []);
});

test('STATUS-UPDATES-7: executors of a framework report a limited number of tasks that the agent does not know', () => {
  const world = worldWithTask();
  const { most } = LIMITS.unknownTasks;
  update(world, { task_id: { value: 'a' }, state: 'TASK_RUNNING', uuid: 'known' });
  for (let number = 0; number < most + 10; number++) {
    update(world, { task_id: { value: `invented-${number}` }, state: 'TASK_RUNNING', uuid: `u${number}` });
  }
  const streams = frameworkIn(world)?.streams.size ?? 0;
  assert.deepEqual(
    [streams, world.core.state.counters.invalidStatusUpdates],
    [most + 1, 10],
    'the known task counts too',
  );
});

test('the statuses of a task are limited, whatever states its executor reports in turn', () => {
  const world = worldWithTask();
  const states = ['TASK_RUNNING', 'TASK_STARTING'] as const;
  for (let number = 0; number < LIMITS.statuses.most + 10; number++) {
    update(world, { task_id: { value: 'a' }, state: states[number % 2] ?? 'TASK_RUNNING', uuid: `u${number}` });
  }
  const { task } = frameworkIn(world)?.tasks.get('a' as TaskId) ?? {};
  assert.equal(task?.statuses?.length, LIMITS.statuses.most);
});
