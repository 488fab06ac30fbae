import assert from 'node:assert/strict';
import { test } from 'node:test';
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

test('operators are told the latest state, where the scheduler has yet to be shown earlier ones', () => {
  const world = createWorld();
  const agent = world.agent();
  const scheduler = world.subscribe();
  world.wait(1_000);
  const offer = scheduler.offer();
  scheduler.launch(offer, task('t', offer));
  agent.update(scheduler, 't', 'TASK_STARTING', 'TASK_RUNNING');
  agent.update(scheduler, 't', 'TASK_RUNNING');
  const told = world.notes.flatMap((note) => (note.kind === 'taskUpdated' ? [[note.state, note.status.state]] : []));
  assert.deepEqual(told, [['TASK_RUNNING', 'TASK_STARTING']]);
});

test('an update that comes again after its acknowledgement is acknowledged by the master and not told twice', () => {
  const world = createWorld();
  const agent = world.agent();
  const scheduler = world.subscribe();
  world.wait(1_000);
  const offer = scheduler.offer();
  scheduler.launch(offer, task('t', offer));
  agent.update(scheduler, 't', 'TASK_RUNNING');
  const running = scheduler.status();
  scheduler.acknowledge(running);
  agent.take('StatusUpdateAcknowledgementMessage');

  // The agent died with the acknowledgement in its socket, and sends what it has on disk.
  const told = scheduler.events.length;
  agent.say({
    name: 'StatusUpdateMessage',
    body: {
      update: {
        framework_id: { value: scheduler.id },
        agent_id: { value: agent.id },
        status: running,
        timestamp: 1,
        uuid: running.uuid,
      },
    },
  });
  assert.equal(agent.take('StatusUpdateAcknowledgementMessage').uuid, running.uuid);
  assert.equal(scheduler.events.length, told);
});
