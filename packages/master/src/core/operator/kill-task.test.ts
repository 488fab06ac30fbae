import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { KillTaskInput, Reply, RequestId } from '../io.js';
import { createWorld, runTask, type World } from '../testing.js';

let requests = 0;

/** The reply to an operator's kill. */
function killTask(
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

const WEB = { principal: 'web', checkpoint: true };

test('an unknown task is a 404 without an event; an unauthorized principal gets 403', () => {
  const questions: unknown[] = [];
  const world = createWorld({
    authorize: (question) => {
      questions.push(question);
      return question.action !== 'TEARDOWN_FRAMEWORK' || question.principal === 'ops';
    },
  });
  const { agent, scheduler } = runTask(world, WEB);
  const before = scheduler.events.length;
  assert.equal(killTask(world, 'nobody', 't')?.status, 404);
  assert.match(killTask(world, scheduler.id, 'other')?.text ?? '', /task_id: .* no task other/);
  questions.length = 0;
  assert.equal(killTask(world, scheduler.id, 't', { principal: 'guest' })?.status, 403);
  assert.deepEqual(questions, [{ action: 'TEARDOWN_FRAMEWORK', principal: 'guest', value: 'web' }]);
  assert.equal(scheduler.events.length, before);
  assert.equal(agent.has('KillTaskMessage'), false);
});

test('a kill before the registry is read is a 503', () => {
  assert.equal(killTask(createWorld({ waiting: true }), 'f', 't')?.status, 503);
});
