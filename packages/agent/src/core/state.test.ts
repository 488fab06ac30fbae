// Invariants of the agent's state. `checkState` and `checkEffect` check them after every input of every test and story; here
// each check is shown a state that breaks it.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ContainerId, ExecutorId, FrameworkId, OperationUuid, TaskId } from '@meseta/base';
import type { AgentEffect } from './io.js';
import type { FrameworkRecord } from './state.js';
import { checkEffect, checkState } from './testing/check-state.js';
import {
  acknowledgeAll,
  exit,
  frameworkOf,
  registeredWorld,
  runToRunning,
  taskOf,
  updates,
  type World,
} from './testing.js';

const FRAMEWORK = 'f-1' as FrameworkId;
const TASK = 't' as TaskId;
const EXECUTOR = 't' as ExecutorId;

const frameworkIn = (world: World): FrameworkRecord => {
  const framework = world.core.state.frameworks.get(FRAMEWORK);
  assert.ok(framework);
  return framework;
};

/** Breaks the state of an agent that runs a task; returns what the check then reports. */
function problemAfter(breakState: (world: World, framework: FrameworkRecord) => void): string {
  const world = registeredWorld();
  runToRunning(world, taskOf('t'));
  checkState(world.core.state);
  breakState(world, frameworkIn(world));
  let problem = 'none';
  try {
    checkState(world.core.state);
  } catch (error) {
    problem = (error as Error).message;
  }
  return problem;
}

test('AGENT-STATE-1: a record is replaced and never changed', () => {
  const world = registeredWorld();
  runToRunning(world, taskOf('t'));
  const { executors, tasks } = frameworkIn(world);
  for (const record of [executors.get(EXECUTOR), tasks.get(TASK), world.core.state.registration]) {
    assert.throws(() => Object.assign(record ?? {}, { kind: 'changed' }), TypeError);
  }
});

test('AGENT-STATE-2: a framework without an executor and an unacknowledged update has a timer that removes it', () => {
  const problem = problemAfter((world, framework) => {
    framework.executors.clear();
    framework.tasks.clear();
    world.core.state.runs.clear();
  });
  assert.match(problem, /AGENT-STATE-2: nothing keeps framework f-1/);
});

test('AGENT-STATE-2: a framework is not among the completed ones while it is here', () => {
  const problem = problemAfter((world, framework) => {
    world.core.state.completedFrameworks = [framework];
  });
  assert.match(problem, /framework f-1 runs and is completed/);
});

test('AGENT-STATE-3: an executor that has ended stays only for updates that are not acknowledged', () => {
  const problem = problemAfter((world, framework) => {
    const executor = framework.executors.get(EXECUTOR);
    const task = framework.tasks.get(TASK);
    assert.ok(executor && task);
    framework.executors.set(EXECUTOR, { ...executor, state: 'ended' });
    framework.tasks.set(TASK, { ...task, task: { ...task.task, state: 'TASK_FINISHED' } });
    world.core.state.runs.clear();
  });
  assert.match(problem, /AGENT-STATE-3: nothing keeps executor t/);
});

test('AGENT-STATE-3: a task has its executor', () => {
  const problem = problemAfter((_, framework) => {
    const task = framework.tasks.get(TASK);
    assert.ok(task);
    framework.tasks.set('u' as TaskId, { ...task, executorId: 'gone' as ExecutorId });
  });
  assert.match(problem, /AGENT-STATE-3: task u has its executor/);
});

test('AGENT-STATE-4, EXECUTORS-1, NESTED-1, OPERATIONS-1: nothing is sent or launched before it is on disk', () => {
  const world = registeredWorld();
  const containerId = runToRunning(world, taskOf('t'));
  const { state } = world.core;
  const [update] = updates(world);
  const to = state.options.pid;
  assert.ok(update);
  const launchOf = (id: ContainerId): AgentEffect => {
    const launch = world.effects.find((effect) => effect.kind === 'launch');
    assert.ok(launch?.kind === 'launch');
    return { ...launch, spec: { ...launch.spec, containerId: id } };
  };
  const operation = {
    status: { state: 'OPERATION_FINISHED' as const, uuid: { value: 'u' } },
    operation_uuid: { value: 'o' as OperationUuid },
  };
  const table: readonly (readonly [AgentEffect, RegExp])[] = [
    [
      { kind: 'send', to, message: { name: 'StatusUpdateMessage', body: { update, pid: to } } },
      /AGENT-STATE-4: TASK_STARTING of task t/,
    ],
    [{ kind: 'send', to, message: { name: 'UpdateOperationStatusMessage', body: operation } }, /OPERATIONS-1/],
    [launchOf(containerId), /EXECUTORS-1: a container is launched before framework\/f-1/],
    [launchOf('nested' as ContainerId), /NESTED-1/],
  ];
  for (const [effect, problem] of table) assert.throws(() => checkEffect(state, new Map(), effect), problem);
});

test('a timer is cancelled when its subject ends', () => {
  for (const kind of ['kill', 'health', 'check', 'maxCompletion', 'registerExecutor', 'executorHeartbeat'] as const) {
    const problem = problemAfter(({ core: { state } }) => {
      state.timers.byKey.set(kind, { kind, containerId: 'gone' as ContainerId });
    });
    assert.match(problem, new RegExp(`a timer without its subject: .*${kind}`));
  }
});

const complete = (world: World, id: string): void => {
  exit(world, runToRunning(world, taskOf('t'), frameworkOf({ id: { value: id } })), 0);
  acknowledgeAll(world);
  world.pass(1000);
};
const completedIds = (world: World) => world.core.state.completedFrameworks.map(({ id }) => id);

test('a framework that completes again is among the completed ones once, as the last', () => {
  const world = registeredWorld();
  for (const id of ['f-0', 'f-1', 'f-0']) complete(world, id);
  assert.deepEqual(completedIds(world), ['f-1', 'f-0']);
});

test('the last 50 completed frameworks are kept, as in Mesos', () => {
  const world = registeredWorld();
  for (let index = 0; index < 51; index++) complete(world, `f-${index}`);
  const ids = completedIds(world);
  assert.deepEqual([ids.length, ids[0], ids.at(-1)], [50, 'f-1', 'f-50']);
});
