import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LIMITS } from '@meseta/base';
import type { TaskStatus } from '@meseta/wire';
import { bytesOfUuid } from './bytes.js';
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

test('UPDATES-1: updates that wait behind others at an agent which registers again are told in their turn', () => {
  const world = createWorld();
  const agent = world.agent();
  const scheduler = world.subscribe();
  world.wait(1_000);
  const offer = scheduler.offer();
  scheduler.launch(offer, task('t', offer));
  const said = (state: TaskStatus['state'], n: number): TaskStatus => ({
    task_id: { value: 't' },
    agent_id: { value: agent.id },
    state,
    uuid: bytesOfUuid(`00000000-0000-4000-8000-00000000000${n}`),
  });
  const waiting = [said('TASK_RUNNING', 1), said('TASK_RUNNING', 2), said('TASK_FAILED', 3)];
  const framework_id = { value: scheduler.id };
  const resources = offer.resources ?? [];
  // One status for each run of equal states, the newest.
  const known = { name: 't', task_id: { value: 't' }, framework_id, agent_id: { value: agent.id }, resources };
  agent.answersPings = false;
  world.wait(90_000);
  assert.equal(world.master.state.agents.unreachable.has(agent.id), true);
  while (scheduler.events.some(({ type }) => type === 'UPDATE')) scheduler.status();
  agent.answersPings = true;
  agent.reregister({ tasks: [{ ...known, state: 'TASK_FAILED', statuses: waiting.slice(1) }] });
  assert.equal(scheduler.status().uuid, undefined, 'the master tells that the task is back');
  for (const status of waiting) {
    const update = { framework_id, agent_id: { value: agent.id }, status, timestamp: 1, uuid: status.uuid };
    agent.say({ name: 'StatusUpdateMessage', body: { update } });
    assert.equal(scheduler.status().uuid, status.uuid);
    scheduler.acknowledge(status);
    assert.equal(agent.take('StatusUpdateAcknowledgementMessage').uuid, status.uuid);
  }
});

test('a task that goes back and forth between states is remembered by its last 256 statuses', () => {
  const world = createWorld();
  const agent = world.agent();
  const scheduler = world.subscribe();
  world.wait(1_000);
  const offer = scheduler.offer();
  scheduler.launch(offer, task('t', offer));
  for (let i = 0; i < 200; i++) {
    for (const state of ['TASK_RUNNING', 'TASK_STARTING'] as const) {
      agent.update(scheduler, 't', state);
      scheduler.acknowledge(scheduler.status());
    }
  }
  const known = world.master.state.frameworks.get(scheduler.id)?.tasks.get('t' as never);
  assert.equal(known?.statuses?.length, LIMITS.statuses.most);
  assert.equal(known?.statuses?.at(-1)?.state, 'TASK_STARTING');
});
