import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { KillTaskInput, Reply, RequestId } from '../io.js';
import { createWorld, task, type World } from '../testing.js';

let requests = 0;

/** What the operator is answered. */
function killBy(
  world: World,
  frameworkId: string,
  taskId: string,
  more: Partial<KillTaskInput> = {},
): Reply | undefined {
  const request = `kill-${requests++}` as RequestId;
  const kill = { task_id: { value: taskId } };
  const from = world.effects.length;
  world.feed({ kind: 'killTask', request, principal: 'ops', frameworkId: { value: frameworkId }, kill, ...more });
  for (const effect of world.effects.slice(from)) {
    if (effect.kind === 'reply' && effect.request === request) return effect.reply;
  }
  return undefined;
}

function running(world: World) {
  const agent = world.agent();
  const scheduler = world.subscribe({ principal: 'web', checkpoint: true });
  world.wait(1_000);
  const offer = scheduler.offer();
  scheduler.launch(offer, task('t', offer));
  agent.take('RunTaskMessage');
  agent.update(scheduler, 't', 'TASK_RUNNING');
  scheduler.acknowledge(scheduler.status());
  return { agent, scheduler };
}

test("an operator's kill is sent to the agent like the framework's KILL", () => {
  const world = createWorld();
  const { agent, scheduler } = running(world);
  const kill_policy = { grace_period: { nanoseconds: 2_000_000_000 } };
  const body = { task_id: { value: 't' }, kill_policy };
  scheduler.call({ type: 'KILL', kill: body });
  const own = agent.take('KillTaskMessage');
  assert.equal(killBy(world, scheduler.id, 't', { kill: body })?.status, 202);
  assert.deepEqual(agent.take('KillTaskMessage'), own);
  agent.update(scheduler, 't', 'TASK_KILLED');
  assert.equal(scheduler.status().state, 'TASK_KILLED');
});

test('the kill of a task on a disconnected agent is sent when the agent re-registers', () => {
  const world = createWorld();
  const { agent, scheduler } = running(world);
  agent.breakConnection();
  assert.equal(killBy(world, scheduler.id, 't')?.status, 202);
  assert.equal(agent.has('KillTaskMessage'), false);
  const framework = world.master.state.frameworks.get(scheduler.id);
  agent.reregister({ tasks: [...(framework?.tasks.values() ?? [])], frameworks: [framework?.info as never] });
  assert.equal(agent.take('KillTaskMessage').task_id.value, 't');
});

test('an unknown task is a 404 without an event; an unauthorized principal gets 403', () => {
  const asked: unknown[] = [];
  const world = createWorld({
    authorize: (question) => {
      asked.push(question);
      return question.action !== 'TEARDOWN_FRAMEWORK' || question.principal === 'ops';
    },
  });
  const { agent, scheduler } = running(world);
  const before = scheduler.events.length;
  assert.equal(killBy(world, 'nobody', 't')?.status, 404);
  assert.match(killBy(world, scheduler.id, 'other')?.text ?? '', /task_id: .* no task other/);
  asked.length = 0;
  assert.equal(killBy(world, scheduler.id, 't', { principal: 'guest' })?.status, 403);
  assert.deepEqual(asked, [{ action: 'TEARDOWN_FRAMEWORK', principal: 'guest', value: 'web' }]);
  assert.equal(scheduler.events.length, before);
  assert.equal(agent.has('KillTaskMessage'), false);
});

test('a kill before the registry is read is a 503', () => {
  assert.equal(killBy(createWorld({ waiting: true }), 'f', 't')?.status, 503);
});
