import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { addressOfPid, type Pid, pidOf } from '@meseta/base';
import type { LibprocessMessage } from '@meseta/wire';
import { decodeMessage } from '@meseta/wire/libprocess-codec';
import {
  acknowledgeAll,
  containerStarted,
  createWorld,
  frameworkOf,
  MASTER,
  OBSERVER,
  registeredWorld,
  rejoin,
  run,
  runToRunning,
  sentOf,
  states,
  taskOf,
  type World,
} from './testing.js';

/** The master has sent the agent its id, which is not on disk yet. */
function worldThatWritesItsId(): World {
  const world = createWorld();
  world.input({ kind: 'start', checkpoint: [], containers: [] });
  world.input({ kind: 'masterDetected', master: MASTER });
  world.pass(1000);
  world.durable = false;
  world.message({ name: 'AgentRegisteredMessage', body: { agent_id: { value: 'm-S0' } } });
  return world;
}

const sentNames = (world: World): readonly string[] => world.sent.map(({ message }) => message.name);

test('REGISTRATION-3: registration attempts are separated by random pauses whose bound doubles up to a minute', () => {
  const world = createWorld();
  world.input({ kind: 'start', checkpoint: [], containers: [] });
  world.input({ kind: 'masterDetected', master: MASTER });
  const times: number[] = [];
  for (let i = 0; i < 40; i++) {
    const before = sentNames(world).length;
    while (sentNames(world).length === before) world.pass((world.core.nextDeadline() ?? 0) - world.nowMs);
    times.push(world.nowMs);
  }
  assert((times[0] as number) - 1_000_000 <= 1000);
  const pauses = times.slice(1).map((at, i) => at - (times[i] as number));
  pauses.forEach((pause, i) => {
    assert(pause <= Math.min(1000 * 2 ** (i + 1), 60_000), `pause ${i}: ${pause}`);
  });
  assert(Math.max(...pauses) > 30_000);
});

test('REGISTRATION-3: an agent registers with a newly detected master at once if updates wait for an acknowledgement, and else after a pause', () => {
  for (const acknowledges of [false, true]) {
    const world = registeredWorld();
    const containerId = run(world, taskOf('t'));
    containerStarted(world, containerId);
    assert(states(world).length > 0);
    if (acknowledges) acknowledgeAll(world);
    world.sent.length = 0;
    world.input({ kind: 'masterDetected', master: pidOf('master', '10.0.0.9:5050') });
    const pause = (world.core.nextDeadline() ?? 0) - world.nowMs;
    assert(acknowledges ? pause > 0 && pause <= 1000 : pause <= 0, `${acknowledges}: ${pause}`);
    world.pass(0);
    assert.deepEqual(sentNames(world), acknowledges ? [] : ['ReregisterAgentMessage']);
    // The next attempts pause.
    assert(world.core.nextDeadline() !== undefined && (world.core.nextDeadline() as number) > world.nowMs);
  }
});

test('REGISTRATION-2: the id is on disk before the agent sends UpdateAgentMessage under it', () => {
  const world = worldThatWritesItsId();
  assert(!sentNames(world).includes('UpdateAgentMessage'));
  world.flush();
  const [update] = sentOf(world, 'UpdateAgentMessage');
  const [registration] = sentOf(world, 'RegisterAgentMessage');
  assert.deepEqual(update, {
    agent_id: { value: 'm-S0' },
    update_oversubscribed_resources: false,
    operations: {},
    resource_version_uuid: registration?.resource_version_uuid,
    resource_providers: {},
  });
});

test('a task that arrives while the id is being written is launched afterwards', () => {
  const world = worldThatWritesItsId();
  world.message({ name: 'RunTaskMessage', body: { framework: frameworkOf(), task: taskOf('t') } });
  world.flush();
  assert(world.effects.some(({ kind }) => kind === 'launch'));
});

test('REGISTRATION-1, AGENT-3: a ping of the detected master is answered, in every state; of others none is', () => {
  const world = createWorld();
  const ping: LibprocessMessage = { name: 'PingAgentMessage', body: { connected: true } };
  world.message(ping, OBSERVER);
  world.input({ kind: 'masterDetected', master: MASTER });
  world.sent.splice(0);
  world.message(ping, pidOf('slave-observer(1)', '10.0.0.9:5050'));
  assert.deepEqual(world.sent, []);
  world.message(ping, OBSERVER);
  assert.deepEqual(world.sent, [{ to: OBSERVER, message: { name: 'PongAgentMessage', body: {} } }]);
});

test('REGISTRATION-4: the agent registers again when a ping says disconnected, pings stop, or the connection breaks', () => {
  const causes: readonly ((world: World) => void)[] = [
    (world) => world.message({ name: 'PingAgentMessage', body: { connected: false } }, OBSERVER),
    (world) => world.pass(75_000),
    (world) => world.input({ kind: 'peerLost', address: '10.0.0.1:5050' }),
  ];
  for (const cause of causes) {
    const world = registeredWorld();
    cause(world);
    world.pass(1000);
    assert.equal(sentOf(world, 'ReregisterAgentMessage').length > 0, true);
    assert.equal(world.core.state.registration.registered, false);
  }
});

test('REGISTRATION-8: an accepted registration links to the master again, as the earlier link may be broken', () => {
  const answers: readonly ((world: World) => void)[] = [
    (world) => world.message({ name: 'AgentRegisteredMessage', body: { agent_id: { value: 'm-S0' } } }),
    (world) => world.message({ name: 'AgentReregisteredMessage', body: { agent_id: { value: 'm-S0' } } }),
  ];
  for (const [index, answer] of answers.entries()) {
    const world = index === 0 ? createWorld() : registeredWorld();
    if (index === 0) world.input({ kind: 'start', checkpoint: [], containers: [] });
    world.input({ kind: 'masterDetected', master: MASTER });
    world.pass(1000);
    const before = world.effects.length;
    answer(world);
    assert.deepEqual(
      world.effects.slice(before).filter(({ kind }) => kind === 'link'),
      [{ kind: 'link', to: MASTER }],
    );
    world.input({ kind: 'peerLost', address: '10.0.0.1:5050' });
    assert.equal(world.core.state.registration.registered, false);
  }
});

test('REGISTRATION-6: all attempts over a connection have one new resource version; a launch with an earlier one is dropped', () => {
  const world = registeredWorld();
  const versionsOf = () => sentOf(world, 'ReregisterAgentMessage').map((it) => it.resource_version_uuid?.value ?? '');
  const launch = (id: string, version: string): void => {
    const resource_version_uuids = [{ uuid: { value: version } }];
    const body = { framework: frameworkOf(), task: taskOf(id), resource_version_uuids };
    world.message({ name: 'RunTaskMessage', body });
  };
  const before = world.core.state.resourceVersion;
  world.message({ name: 'PingAgentMessage', body: { connected: false } }, OBSERVER);
  world.pass(100_000);
  const versions = new Set(versionsOf());
  assert.deepEqual([versions.size, versions.has(before)], [1, false], 'one version for all tries');
  assert.equal(versionsOf().length > 1, true);
  world.message({ name: 'AgentReregisteredMessage', body: { agent_id: { value: 'm-S0' } } });
  launch('late', before);
  launch('new', world.core.state.resourceVersion);
  const [framework] = world.core.state.frameworks.values();
  assert.deepEqual([...(framework?.executors.keys() ?? [])], ['new']);
  const [dropped] = sentOf(world, 'StatusUpdateMessage').filter((it) => it.update.status.task_id.value === 'late');
  assert.equal(dropped?.update.status.reason, 'REASON_INVALID_OFFERS');
});

test('REGISTRATION-9: an answer to an attempt over an earlier connection does not register the agent', () => {
  const world = registeredWorld();
  const agent_id = world.core.state.info.id ?? assert.fail('the agent has no id');
  world.input({ kind: 'peerLost', address: addressOfPid(MASTER) });
  const before = world.sent.length;
  for (const name of ['AgentReregisteredMessage', 'AgentRegisteredMessage'] as const) {
    world.message({ name, body: { agent_id } });
    assert.deepEqual([world.core.state.registration.registered, world.sent.length], [false, before], name);
  }
  world.pass(2_000);
  const { resource_version_uuid } =
    sentOf(world, 'ReregisterAgentMessage').at(-1) ?? assert.fail('it does not register');
  world.message({ name: 'AgentReregisteredMessage', body: { agent_id } });
  assert.equal(world.core.state.registration.registered, true);
  assert.deepEqual(sentOf(world, 'UpdateAgentMessage').at(-1)?.resource_version_uuid, resource_version_uuid);
});

test('REGISTRATION-10: a new agent that may have missed an answer re-registers, and refuses a task that it ignored before', () => {
  const losses = [
    [{ kind: 'peerLost', address: addressOfPid(MASTER) }],
    [
      { kind: 'masterDetected', master: undefined },
      { kind: 'masterDetected', master: MASTER },
    ],
  ] as const;
  for (const loss of [[], ...losses]) {
    const world = createWorld();
    world.input({ kind: 'start', checkpoint: [], containers: [] });
    world.input({ kind: 'masterDetected', master: MASTER });
    world.pass(1_000);
    for (const input of loss) world.input(input);
    world.message({ name: 'RunTaskMessage', body: { framework: frameworkOf(), task: taskOf('t') } });
    assert.equal(world.core.state.frameworks.size, 0);
    world.pass(2_000);
    const agent_id = { value: 'S0' };
    world.message({ name: 'AgentRegisteredMessage', body: { agent_id } });
    world.pass(2_000);
    const attempts = sentOf(world, 'ReregisterAgentMessage');
    assert.equal(world.core.state.registration.registered, loss.length === 0);
    assert.equal(attempts.length > 0, loss.length > 0);
    if (loss.length === 0) continue;
    assert.deepEqual(attempts[0]?.agent.id, agent_id);
    const [framework, statuses] = [frameworkOf(), [{ task_id: { value: 't' }, state: 'TASK_STAGING' } as const]];
    const framework_id = framework.id ?? assert.fail('the framework has no id');
    const reconciliations = [{ framework_id, statuses, framework }];
    world.message({ name: 'AgentReregisteredMessage', body: { agent_id, reconciliations } });
    assert.deepEqual(
      sentOf(world, 'StatusUpdateMessage').map(({ update }) => update.status.state),
      ['TASK_DROPPED'],
    );
    world.pass(2_000);
    assert.equal(world.core.state.registration.registered, true);
    assert.equal(sentOf(world, 'ReregisterAgentMessage').length, attempts.length);
  }
});

test('pings at intervals keep the agent registered', () => {
  const world = registeredWorld();
  for (let i = 0; i < 20; i++) {
    world.pass(15_000);
    world.message({ name: 'PingAgentMessage', body: { connected: true } }, OBSERVER);
  }
  assert.equal(sentOf(world, 'ReregisterAgentMessage').length, 0);
});

test('REGISTRATION-2: an agent id other than its own ends the process', () => {
  const world = registeredWorld();
  const effects = world.message({ name: 'AgentReregisteredMessage', body: { agent_id: { value: 'm-S9' } } });
  assert(effects.some((effect) => effect.kind === 'exit' && effect.status === 1));
});

test('REGISTRATION-1: messages of others than the detected master change nothing', () => {
  const world = registeredWorld();
  const stranger = pidOf('master', '10.0.0.9:5050');
  world.message({ name: 'RunTaskMessage', body: { framework: frameworkOf(), task: taskOf('t') } }, stranger);
  world.message({ name: 'ShutdownMessage', body: { message: 'bye' } }, stranger);
  world.message({ name: 'PingAgentMessage', body: { connected: false } }, pidOf('slave-observer(1)', '10.0.0.9:5050'));
  assert.equal(world.core.state.frameworks.size, 0);
  assert.equal(world.core.state.registration.registered, true);
});

test('STATUS-UPDATES-4: without a master no status update is sent; the first one is sent upon registration', () => {
  const world = registeredWorld();
  const containerId = run(world, taskOf('t'));
  world.input({ kind: 'masterDetected', master: undefined });
  containerStarted(world, containerId);
  world.pass(60_000);
  assert.deepEqual(states(world), []);
  rejoin(world);
  assert.deepEqual(states(world), ['TASK_STARTING']);
});

for (const checkpoint of [true, false]) {
  const kind = checkpoint ? 'with checkpointing' : 'without checkpointing';
  test(`a task that only the master knows is reported as dropped once upon re-registration, ${kind}`, () => {
    const world = registeredWorld();
    world.message({ name: 'PingAgentMessage', body: { connected: false } }, OBSERVER);
    world.pass(1_000);
    world.message({
      name: 'AgentReregisteredMessage',
      body: {
        agent_id: { value: 'm-S0' },
        reconciliations: [
          {
            framework_id: { value: 'f-1' },
            statuses: [{ task_id: { value: 'ghost' }, state: 'TASK_STAGING' }],
            framework: frameworkOf({ checkpoint }),
          },
        ],
      },
    });
    const sent = sentOf(world, 'StatusUpdateMessage').map(({ update: { status } }) => [status.state, status.reason]);
    assert.deepEqual(sent, [['TASK_DROPPED', 'REASON_RECONCILIATION']]);
  });
}

test('STATUS-UPDATES-3: an update in flight is not sent again by a second answer to the same re-registration', () => {
  const world = registeredWorld();
  const containerId = run(world, taskOf('t'));
  world.input({ kind: 'masterDetected', master: MASTER });
  containerStarted(world, containerId);
  world.pass(1000);
  const again = { name: 'AgentReregisteredMessage', body: { agent_id: { value: 'm-S0' } } } as const;
  world.message(again);
  assert.deepEqual(states(world), ['TASK_STARTING']);
  world.message(again);
  assert.deepEqual(states(world), ['TASK_STARTING']);
});

interface Captured {
  readonly name: string;
  readonly to: string;
  readonly from: Pid;
  readonly bytes: string;
}

test('recorded messages of a Mesos master register the agent and run a task', (t) => {
  let captured: readonly Captured[];
  try {
    captured = JSON.parse(readFileSync('../shared/facts/libprocess-messages.json', 'utf8')) as Captured[];
  } catch {
    t.skip('the captured messages are not here');
    return;
  }
  const bodies = (name: string) =>
    captured
      .filter((it) => it.name === `mesos.internal.${name}`)
      .map(({ bytes, from }) => {
        const message = decodeMessage(`mesos.internal.${name}`, Buffer.from(bytes, 'base64'));
        assert(message.ok);
        return { from, message: message.value };
      });
  const [registered] = bodies('SlaveRegisteredMessage');
  const [runTask] = bodies('RunTaskMessage');
  const [theirs] = bodies('RegisterSlaveMessage');
  assert(registered && runTask && theirs?.message.name === 'RegisterAgentMessage');
  assert(runTask.message.name === 'RunTaskMessage');

  const world = createWorld({ registrationBackoffMs: 10 });
  world.input({ kind: 'start', checkpoint: [], containers: [] });
  world.input({ kind: 'masterDetected', master: registered.from });
  world.pass(10);
  const ours = sentOf(world, 'RegisterAgentMessage').at(0);
  assert.deepEqual(ours?.agent_capabilities, theirs.message.body.agent_capabilities);
  assert.deepEqual(Object.keys(ours ?? {}), Object.keys(theirs.message.body));
  assert.deepEqual(
    Object.keys(ours?.agent.resources?.[0] ?? {}),
    Object.keys(theirs.message.body.agent.resources?.[0] ?? {}),
  );
  world.message(registered.message, registered.from);
  assert.equal(world.core.state.registration.pingTimeoutMs, 3000);
  // The resource version is each process' own: the captured one was meant for another.
  const { resource_version_uuids: _, ...body } = runTask.message.body;
  world.message({ name: 'RunTaskMessage', body }, registered.from);
  assert(world.effects.some((it) => it.kind === 'launch' && it.spec.command.value === 'sleep 2'));
});

test('a framework that is being shut down is not in a re-registration', () => {
  const world = registeredWorld();
  runToRunning(world, taskOf('t'));
  world.message({ name: 'ShutdownFrameworkMessage', body: { framework_id: { value: 'f-1' } } });
  rejoin(world);
  const again = sentOf(world, 'ReregisterAgentMessage').at(-1);
  assert.deepEqual([again?.frameworks, again?.tasks], [undefined, undefined]);
});

test('an agent that left the cluster registers under a new id', () => {
  const world = registeredWorld();
  world.input({ kind: 'leave', message: 'asked to' });
  world.restart();
  world.input({ kind: 'masterDetected', master: MASTER });
  world.pass(1000);
  assert.equal(sentNames(world).at(-1), 'RegisterAgentMessage');
});
