// Sessions in containers, and which containers are attached to (docs/operator-http-api.md).
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ContainerId } from '@meseta/base';
import type { ContainerID } from '@meseta/wire';
import { callRepliesOf, containerCall } from './testing/calls.js';
import { alive, containerStarted, launched, registeredWorld, runToRunning, taskOf, type World } from './testing.js';

const tty = { type: 'MESOS', tty_info: {} } as const;

/** The replies to attaching to the output and to the input of a container. */
const attachTo = (world: World, container_id: ContainerID) => [
  ...callRepliesOf(
    containerCall(world, { type: 'ATTACH_CONTAINER_OUTPUT', attach_container_output: { container_id } }),
  ),
  ...callRepliesOf(
    containerCall(world, {
      type: 'ATTACH_CONTAINER_INPUT',
      attach_container_input: { type: 'CONTAINER_ID', container_id },
    }),
  ),
];

test('containers with a terminal and sessions are attached to, others are not, in the words that Mesos command line knows', () => {
  const world = registeredWorld();
  const plain = runToRunning(world, taskOf('plain'));
  const withTty = runToRunning(world, taskOf('tty', { container: tty }));
  const disabled = [500, 'I/O switchboard server was disabled for this container'];
  const answers = (id: ContainerID) => attachTo(world, id).map(({ status, text }) => [status, text]);
  assert.deepEqual(answers({ value: plain }), [disabled, disabled]);
  assert.deepEqual(
    attachTo(world, { value: withTty }).map(({ container }) => container?.containerId),
    [withTty, withTty],
  );
  const nested = { value: 'n', parent: { value: plain } };
  const launch = { container_id: nested, command: { value: 'sh' }, container: tty };
  const spec = launched(containerCall(world, { type: 'LAUNCH_NESTED_CONTAINER', launch_nested_container: launch }));
  assert.deepEqual(
    answers(nested),
    [500, 500].map((status) => [status, `Unknown container ${plain}/n`]),
    'launching',
  );
  containerStarted(world, spec);
  assert.deepEqual(
    attachTo(world, nested).map(({ container }) => container?.containerId),
    [spec, spec],
  );
});

const openSession = (world: World, container_id: ContainerID) =>
  containerCall(world, {
    type: 'LAUNCH_NESTED_CONTAINER_SESSION',
    launch_nested_container_session: { container_id, command: { value: 'sh' } },
  });

test('a session starts in the sandbox of its parent with its environment, and is attached to', () => {
  const world = registeredWorld();
  const parent = runToRunning(world, taskOf('t'));
  const id = { value: 's', parent: { value: parent } };
  const effects = openSession(world, id);
  const effect = effects.find((it) => it.kind === 'launch');
  assert.ok(effect?.kind === 'launch');
  const { isSession, environment, outer, containerId, sandbox } = effect.spec;
  assert.equal(isSession, true);
  assert.equal(environment['MESOS_SANDBOX'], outer?.sandbox);
  assert.ok(environment['MESOS_FRAMEWORK_ID']);
  const [answer] = callRepliesOf(containerStarted(world, containerId));
  assert.deepEqual(answer?.container, { containerId, sandbox });
  assert.deepEqual(
    attachTo(world, id).map(({ container }) => container),
    [answer?.container, answer?.container],
  );
});

test('NESTED-7: a session that an earlier process of the agent launched is destroyed', () => {
  const world = registeredWorld();
  const parent = runToRunning(world, taskOf('t'));
  const session = launched(openSession(world, { value: 's', parent: { value: parent } }));
  const launch = { container_id: { value: 'n', parent: { value: parent } }, command: { value: 'sleep 60' } };
  const nested = launched(containerCall(world, { type: 'LAUNCH_NESTED_CONTAINER', launch_nested_container: launch }));
  for (const id of [session, nested]) containerStarted(world, id);
  world.effects.length = 0;
  const ids = [parent as ContainerId, session, nested];
  world.restart(ids.map((containerId) => alive(containerId)));
  const destroyed = world.effects.flatMap((it) => (it.kind === 'destroy' ? [it.containerId] : []));
  assert.deepEqual(destroyed, [session]);
});
