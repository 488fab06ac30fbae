import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ContainerId, ExecutorId } from '@meseta/base';
import type { AgentInfo, FrameworkInfo } from '@meseta/wire';
import type { AgentOptions } from './options.js';
import { compatibility } from './recovery.js';
import {
  acknowledgeAll,
  alive,
  containerKilled,
  containerStarted,
  ended,
  exit,
  frameworkOf,
  lastStatus,
  optionsOf,
  registeredWorld,
  rejoin,
  run,
  runToRunning,
  sandboxesRemovedFor,
  sentOf,
  states,
  taskOf,
  updates,
} from './testing.js';

test('a running task continues across a restart of the agent without a repeated update', () => {
  const world = registeredWorld();
  const containerId = runToRunning(world, taskOf('t'));
  const reported = updates(world).length;
  world.restart([alive(containerId)]);
  rejoin(world);
  assert.equal(updates(world).length, reported);
  assert.deepEqual(
    sentOf(world, 'ReregisterAgentMessage')
      .at(-1)
      ?.tasks?.map(({ state }) => state),
    ['TASK_RUNNING'],
  );
  exit(world, containerId, 3);
  assert.deepEqual(
    [lastStatus(world).state, lastStatus(world).message],
    ['TASK_FAILED', 'Command exited with status 3'],
  );
});

test('the sandbox of a container that still runs after a restart does not age, however full the disk', () => {
  const world = registeredWorld();
  const [running, over] = [runToRunning(world, taskOf('t')), runToRunning(world, taskOf('u'))];
  world.restart([alive(running), ended(over, { kind: 'exited', code: 0 })]);
  rejoin(world);
  acknowledgeAll(world);
  assert.deepEqual(sandboxesRemovedFor(world), [over]);
  exit(world, running, 0);
  acknowledgeAll(world);
  assert.deepEqual(sandboxesRemovedFor(world), [running]);
});

test('an update that was written but not acknowledged is sent by the next process', () => {
  const world = registeredWorld();
  const containerId = run(world, taskOf('t'));
  containerStarted(world, containerId);
  const [first] = updates(world);
  world.restart([alive(containerId)]);
  rejoin(world);
  assert.equal(updates(world).at(-1)?.uuid, first?.uuid);
  acknowledgeAll(world);
  assert.equal(states(world).at(-1), 'TASK_RUNNING');
});

test('EXECUTORS-1: a launch that is only on disk is completed if the launcher has its container, else dropped', () => {
  for (const found of [true, false]) {
    const world = registeredWorld();
    const containerId = run(world, taskOf('t'));
    world.restart(found ? [ended(containerId, { kind: 'exited', code: 0 })] : []);
    rejoin(world);
    acknowledgeAll(world);
    const expected = found ? ['TASK_STARTING', 'TASK_RUNNING', 'TASK_FINISHED'] : ['TASK_DROPPED'];
    assert.deepEqual(states(world), expected);
    if (!found) assert.equal(lastStatus(world).reason, 'REASON_AGENT_RESTARTED');
  }
});

test('RECOVERY-2: after a restart of the host every task is lost and the agent keeps its id', () => {
  const pairs: readonly (readonly [FrameworkInfo, string])[] = [
    [frameworkOf(), 'TASK_GONE'],
    [frameworkOf({ capabilities: [] }), 'TASK_LOST'],
  ];
  for (const [framework, state] of pairs) {
    const world = registeredWorld();
    runToRunning(world, taskOf('t'), framework);
    world.restart([], { bootId: 'boot-2' });
    rejoin(world);
    assert.equal(lastStatus(world).state, state);
    assert.equal(lastStatus(world).message, 'The host was restarted');
    assert.equal(world.core.state.info.id?.value, 'm-S0');
  }
});

test('RECOVERY-1: running containers without a record are destroyed, ended ones are removed', () => {
  const world = registeredWorld();
  const framework = frameworkOf({ checkpoint: false });
  const orphan = run(world, taskOf('t'), framework);
  const dead = 'dead' as ContainerId;
  world.restart([alive(orphan), ended(dead, { kind: 'unknown' })]);
  const kinds = world.effects.filter((it) => it.kind === 'destroy' || it.kind === 'removeContainer');
  assert.deepEqual(kinds.slice(-2), [
    { kind: 'destroy', containerId: orphan },
    { kind: 'removeContainer', containerId: dead },
  ]);
  assert.equal(world.core.state.frameworks.size, 0);
});

test('SANDBOXES-1: the sandbox of a container that no record names stays until the container has ended', () => {
  const framework = frameworkOf({ checkpoint: false });
  const command = registeredWorld();
  const [running, over] = [
    runToRunning(command, taskOf('t'), framework),
    runToRunning(command, taskOf('u'), framework),
  ];
  command.restart([alive(running), ended(over, { kind: 'exited', code: 0 })]);
  assert.deepEqual(sandboxesRemovedFor(command), []);
  exit(command, running, 0);
  assert.deepEqual(sandboxesRemovedFor(command), [running, over]);
});

test('SANDBOXES-1: the sandbox of a pod that no record names stays until the last of its containers has ended', () => {
  const world = registeredWorld();
  const executor = { type: 'DEFAULT', executor_id: { value: 'pod' } } as const;
  const tasks = [taskOf('a'), taskOf('b')];
  const body = { framework: frameworkOf({ checkpoint: false }), executor, task_group: { tasks } };
  const effects = world.message({ name: 'RunTaskGroupMessage', body });
  const containers = effects.flatMap((effect) => (effect.kind === 'launch' ? [effect.spec.containerId] : []));
  const pod = [...world.core.state.frameworks.values()][0]?.executors.get('pod' as ExecutorId)?.containerId;
  assert.equal(containers.length, 2);
  world.restart(containers.map(alive));
  for (const containerId of containers) {
    assert.deepEqual(sandboxesRemovedFor(world), []);
    exit(world, containerId, 0);
  }
  assert.deepEqual(sandboxesRemovedFor(world), [pod]);
});

test('SANDBOXES-1: without a container of an earlier process its sandboxes age from the restart on', () => {
  const world = registeredWorld();
  const containerId = runToRunning(world, taskOf('t'), frameworkOf({ checkpoint: false }));
  world.pass(1000);
  world.restart([]);
  const { gcDelayMs, gcDiskHeadroom } = optionsOf();
  world.pass(gcDelayMs * (1 - gcDiskHeadroom) - 1);
  assert.deepEqual(sandboxesRemovedFor(world, 0), []);
  world.pass(1);
  assert.deepEqual(sandboxesRemovedFor(world, 0), [containerId]);
});

test('RECOVERY-3, RUN-END-2: a kill continues after a restart with the rest of its grace period', () => {
  const world = registeredWorld();
  const containerId = runToRunning(world, taskOf('t', { kill_policy: { grace_period: { nanoseconds: 10e9 } } }));
  world.message({
    name: 'KillTaskMessage',
    body: { framework_id: { value: 'f-1' }, task_id: { value: 't' } },
  });
  world.nowMs += 7000;
  world.restart([alive(containerId)]);
  const before = world.effects.length;
  world.pass(2999);
  assert(!world.effects.slice(before).some(({ kind }) => kind === 'destroy'));
  world.pass(1);
  assert(world.effects.slice(before).some(({ kind }) => kind === 'destroy'));
  rejoin(world);
  containerKilled(world, containerId);
  assert.equal(lastStatus(world).state, 'TASK_KILLED');
});

test('after a shutdown by the master the next process is a new agent', () => {
  const world = registeredWorld();
  world.message({ name: 'ShutdownMessage', body: { message: 'gone' } });
  assert(world.effects.some(({ kind }) => kind === 'exit'));
  world.restart();
  assert.equal(world.core.state.info.id, undefined);
});

test("the changes of the configuration that keep the agent's id, by --reconfiguration_policy", () => {
  const before = optionsOf().info;
  const more = (info: AgentInfo, cpus: number): AgentInfo => ({
    ...info,
    resources: (info.resources ?? []).map((it) => (it.name === 'cpus' ? { ...it, scalar: { value: cpus } } : it)),
  });
  const rack = { name: 'rack', type: 'TEXT' as const, text: { value: 'r1' } };
  const table: readonly (readonly [Partial<AgentOptions>, ReturnType<typeof compatibility>])[] = [
    [{}, 'known'],
    [{ info: more(before, 8) }, 'incompatible'],
    [{ info: more(before, 8), reconfigurationPolicy: 'additive' }, 'known'],
    [{ info: more(before, 2), reconfigurationPolicy: 'additive' }, 'incompatible'],
    [{ info: { ...before, attributes: [rack] } }, 'incompatible'],
    [{ info: { ...before, attributes: [rack] }, reconfigurationPolicy: 'additive' }, 'known'],
    [{ info: { ...before, hostname: 'other' }, reconfigurationPolicy: 'additive' }, 'incompatible'],
    [{ info: { ...before, port: 1 }, reconfigurationPolicy: 'additive' }, 'incompatible'],
    [{ info: more(before, 8), bootId: 'boot-2' }, 'new'],
  ];
  for (const [changes, verdict] of table) {
    assert.equal(compatibility(optionsOf(changes), before, 'boot-1'), verdict, JSON.stringify(changes));
  }
});

test('a change that is not allowed ends the process with a message that names the remedy', () => {
  const world = registeredWorld();
  world.restart([], { info: { ...optionsOf().info, hostname: 'other' } });
  const end = world.effects.find(({ kind }) => kind === 'exit');
  assert(end?.kind === 'exit');
  assert.match(end.message, /reconfiguration_policy=equal.*remove \S+\/meta\/\S+\/latest/);
});

test("without the agent's record every other record but sandboxes is deleted and running containers are destroyed", () => {
  const world = registeredWorld();
  const containerId = runToRunning(world, taskOf('t'));
  world.core.state.sandboxes.clear();
  const kept = [...world.disk.keys()];
  world.disk.delete('agent');
  world.restart([alive(containerId)]);
  assert.ok(kept.some((key) => key.startsWith('task/')));
  assert.deepEqual(
    [...world.disk.keys()].map((key) => key.split('/')[0]),
    ['sandbox'],
  );
  assert.ok(world.effects.some((effect) => effect.kind === 'destroy' && effect.containerId === containerId));
});
