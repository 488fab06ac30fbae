// The order of inputs, writes and effects of the agent's core.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  createWorld,
  exit,
  frameworkOf,
  MASTER,
  registeredWorld,
  run,
  runToRunning,
  states,
  taskOf,
} from './testing.js';

test('AGENT-1: the same inputs at the same times with the same seed give the same effects', () => {
  const effectsOf = (seed: number) => {
    const world = registeredWorld({}, seed);
    exit(world, runToRunning(world, taskOf('t')), 0);
    world.restart();
    return world.effects;
  };
  assert.deepEqual(effectsOf(7), effectsOf(7));
  assert.notDeepEqual(effectsOf(7), effectsOf(8));
});

test('AGENT-2: the changes of one step are one write, and what depends on a write happens in the order of the writes', () => {
  const world = registeredWorld();
  world.durable = false;
  for (const id of ['a', 'b']) {
    world.message({ name: 'RunTaskMessage', body: { framework: frameworkOf(), task: taskOf(id) } });
  }
  assert.equal(world.unwritten.length, 2, 'one write for each launch');
  const launches = () =>
    world.effects.flatMap((effect) =>
      effect.kind === 'launch' ? [/executors\/(\w)/.exec(effect.spec.sandbox)?.[1]] : [],
    );
  assert.deepEqual(launches(), []);
  world.flush(1);
  assert.deepEqual(launches(), ['a']);
  world.flush(1);
  assert.deepEqual(launches(), ['a', 'b']);
});

test('AGENT-2: an answer to a write that was not requested is a broken invariant', () => {
  assert.throws(() => registeredWorld().input({ kind: 'persisted' }), /write/);
});

test('AGENT-3: before start no message but a ping has an effect, and a driver is not registered', () => {
  const world = createWorld();
  world.input({ kind: 'masterDetected', master: MASTER });
  world.message({ name: 'AgentRegisteredMessage', body: { agent_id: { value: 'm-S0' } } });
  world.message({ name: 'RunTaskMessage', body: { framework: frameworkOf(), task: taskOf('t') } });
  world.message({
    name: 'RegisterExecutorMessage',
    body: { framework_id: { value: 'f-1' }, executor_id: { value: 'e' } },
  });
  assert.deepEqual(
    world.effects.filter(({ kind }) => kind !== 'log'),
    [],
  );
});

test('AGENT-2: work that needs no write is not delayed by a write that is outstanding', () => {
  const world = registeredWorld();
  world.durable = false;
  run(world, taskOf('t'), frameworkOf({ checkpoint: false }));
  assert.equal(world.unwritten.length, 1, 'the sandbox of a container is on record');
  assert.deepEqual(states(world), []);
});
