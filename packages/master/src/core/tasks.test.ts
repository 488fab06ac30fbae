import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { TaskStatus } from '@meseta/wire';
import { createWorld, task } from './testing.js';

test('a task: offered, launched, running, finished, acknowledged', () => {
  const world = createWorld();
  const agent = world.agent();
  assert.equal(world.persisted.at(-1)?.kind, 'admitAgent');
  const scheduler = world.subscribe();
  assert.deepEqual(
    scheduler.events.slice(0, 2).map((event) => event.type),
    ['SUBSCRIBED', 'HEARTBEAT'],
  );
  world.wait(1_000);
  const offer = scheduler.offer();
  assert.equal(offer.agent_id.value, agent.id);
  assert.equal(scheduler.launch(offer, task('t', offer))?.status, 202);

  const run = agent.take('RunTaskMessage');
  assert.equal(run.task.task_id.value, 't');
  assert.equal(run.launch_executor, true);
  const framework = world.master.state.frameworks.get(scheduler.id);
  assert.equal(framework?.tasks.get('t' as never)?.state, 'TASK_STAGING');

  agent.update(scheduler, 't', 'TASK_RUNNING');
  const running = scheduler.status();
  assert.equal(running.state, 'TASK_RUNNING');
  scheduler.acknowledge(running);
  assert.equal(agent.take('StatusUpdateAcknowledgementMessage').uuid, running.uuid);

  agent.update(scheduler, 't', 'TASK_FINISHED');
  const finished = scheduler.status();
  assert.equal(framework?.tasks.has('t' as never), true, 'in tasks until its end is acknowledged');
  scheduler.acknowledge(finished);
  assert.equal(framework?.tasks.size, 0);
  assert.deepEqual(
    [...(framework?.completedTasks.values() ?? [])].map(({ state }) => state),
    ['TASK_FINISHED'],
  );

  world.wait(2_000);
  scheduler.call({ type: 'REVIVE' });
  world.wait(2_000);
  const resources = world.master.state.allocator.totals();
  assert.deepEqual(resources.heldTotal, resources.total, 'everything is free and offered again');
});

test('operators are told of every state that an agent reports, with the latest that is known beside it', () => {
  const world = createWorld();
  const agent = world.agent();
  const scheduler = world.subscribe();
  world.wait(1_000);
  const offer = scheduler.offer();
  scheduler.launch(offer, task('t', offer));
  agent.update(scheduler, 't', 'TASK_STARTING', 'TASK_RUNNING');
  agent.update(scheduler, 't', 'TASK_RUNNING');
  const told = world.notes.flatMap((note) => (note.kind === 'taskUpdated' ? [[note.state, note.status.state]] : []));
  assert.deepEqual(told, [
    ['TASK_RUNNING', 'TASK_STARTING'],
    ['TASK_RUNNING', 'TASK_RUNNING'],
  ]);
});

test('UPDATES-1: updates that come again after their acknowledgement are acknowledged by the master and not told twice', () => {
  const world = createWorld();
  const agent = world.agent();
  const scheduler = world.subscribe();
  world.wait(1_000);
  const offer = scheduler.offer();
  scheduler.launch(offer, task('t', offer));
  /** The agent died with acknowledgements in its socket, and sends again what it has on disk. */
  const sayAgain = (status: TaskStatus): void => {
    const framework_id = { value: scheduler.id };
    const update = { framework_id, agent_id: { value: agent.id }, status, timestamp: 1, uuid: status.uuid };
    agent.say({ name: 'StatusUpdateMessage', body: { update } });
  };
  const seen: TaskStatus[] = [];
  for (const state of ['TASK_STARTING', 'TASK_RUNNING', 'TASK_FINISHED'] as const) {
    agent.update(scheduler, 't', state);
    const status = scheduler.status();
    sayAgain(status);
    assert.equal(scheduler.status().uuid, status.uuid, 'told again until it is acknowledged');
    seen.push(status);
    scheduler.acknowledge(status);
    agent.take('StatusUpdateAcknowledgementMessage');
    // A call that is made again, as its answer was lost.
    scheduler.acknowledge(seen[0] as TaskStatus);
    agent.take('StatusUpdateAcknowledgementMessage');
    const told = scheduler.events.length;
    for (const earlier of seen) {
      sayAgain(earlier);
      assert.equal(agent.take('StatusUpdateAcknowledgementMessage').uuid, earlier.uuid);
    }
    assert.equal(scheduler.events.length, told);
  }
});
