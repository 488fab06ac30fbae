import assert from 'node:assert/strict';
import { test } from 'node:test';
import { present } from '@meseta/base';
import { bytesOfUuid } from '@meseta/wire/uuid';
import { createWorld, task } from './testing.js';

const STATES = ['TASK_STARTING', 'TASK_RUNNING', 'TASK_RUNNING', 'TASK_RUNNING', 'TASK_FINISHED'] as const;

test('UPDATES-1: of a completed task, each acknowledged update is acknowledged again, also of states that were repeated', () => {
  const world = createWorld({ maxCompletedTasksPerFramework: 1 });
  const agent = world.agent();
  const scheduler = world.subscribe();
  const launch = (taskId: string): void => {
    world.wait(10_000);
    const offer = scheduler.offer();
    scheduler.launch(offer, task(taskId, offer));
  };
  const uuidOf = (taskId: string, n: number): string => bytesOfUuid(`00000000-0000-4000-8000-0000000000${taskId}${n}`);
  const send = (taskId: string, n: number): void => {
    const [state, uuid] = [STATES[n], uuidOf(taskId, n)];
    assert(state !== undefined);
    const status = { task_id: { value: taskId }, agent_id: { value: agent.id }, state, uuid };
    const update = { framework_id: { value: scheduler.id }, agent_id: { value: agent.id }, status, timestamp: 1, uuid };
    agent.send({ name: 'StatusUpdateMessage', body: { update } });
  };
  for (const taskId of ['a', 'b']) {
    launch(taskId);
    for (const n of STATES.keys()) {
      send(taskId, n);
      scheduler.acknowledge(scheduler.status());
      agent.take('StatusUpdateAcknowledgementMessage');
    }
    for (const [n, state] of STATES.entries()) {
      send(taskId, n);
      assert.equal(scheduler.has('UPDATE'), false, state);
      assert.equal(agent.take('StatusUpdateAcknowledgementMessage').uuid, uuidOf(taskId, n));
    }
  }
  const { acknowledgedOfCompleted, completedTasks } = present(
    world.master.state.frameworks.get(scheduler.id),
    'the framework',
  );
  assert.deepEqual([...acknowledgedOfCompleted.keys()], [...completedTasks]);
});
