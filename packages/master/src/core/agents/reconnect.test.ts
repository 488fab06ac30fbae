import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createWorld, task } from '../testing.js';

test('a task that was told lost with the connection, and runs on, is ended when the agent is back', () => {
  const world = createWorld();
  const agent = world.agent('cpus:2;mem:512');
  const scheduler = world.subscribe({ checkpoint: false });
  const offer = scheduler.offer();
  scheduler.launch(offer, task('lives', offer), task('ended', offer));
  const running = (id: string, state: 'TASK_RUNNING' | 'TASK_FINISHED') => ({
    name: id,
    task_id: { value: id },
    framework_id: { value: scheduler.id },
    agent_id: { value: agent.id },
    state,
  });
  agent.breakConnection();
  assert.equal(scheduler.status().state, 'TASK_LOST');
  const listed = [running('lives', 'TASK_RUNNING'), running('ended', 'TASK_FINISHED')];
  agent.reregister({ frameworks: [{ ...scheduler.info, id: { value: scheduler.id } }], tasks: listed });
  assert.deepEqual(agent.take('KillTaskMessage').task_id, { value: 'lives' });
  assert.equal(agent.has('KillTaskMessage'), false);
});
