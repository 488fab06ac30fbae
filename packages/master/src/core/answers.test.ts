// Answers of Mesos in corner cases, one test a row of docs/compatibility-answers.md.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type FrameworkId, present, type TaskId } from '@meseta/base';
import type { FrameworkInfo, Task } from '@meseta/wire';
import { bytesOfUuid } from '@meseta/wire/uuid';
import {
  createWorld,
  DRIVER,
  MASTER_ID,
  messagesTo,
  resources,
  sendDriverCall,
  type TestAgent,
  type TestScheduler,
  task,
  type World,
} from './testing.js';

const driverInfo: FrameworkInfo = {
  user: 'root',
  name: 'v0',
  roles: ['*'],
  capabilities: [{ type: 'MULTI_ROLE' }],
  failover_timeout: 60,
};
const uuid = bytesOfUuid('22222222-2222-4222-8222-222222222222');

function subscribeDriver(world: World, more: Partial<FrameworkInfo> = {}): { readonly value: string } {
  sendDriverCall(world, { type: 'SUBSCRIBE', subscribe: { framework_info: { ...driverInfo, ...more } } });
  const [id] = [...world.master.state.frameworkByPid.values()];
  return { value: present(id, 'the framework of the driver') };
}

interface Running {
  readonly world: World;
  readonly agent: TestAgent;
  readonly scheduler: TestScheduler;
  readonly known: () => Task | undefined;
}

const aware: Partial<FrameworkInfo> = { capabilities: [{ type: 'MULTI_ROLE' }, { type: 'PARTITION_AWARE' }] };

/** One task that runs, of a framework that checkpoints. */
function running(info: Partial<FrameworkInfo> = aware): Running {
  const world = createWorld({ agentPingTimeoutMs: 1_000, maxAgentPingTimeouts: 1 });
  const agent = world.agent();
  const scheduler = world.subscribe({ checkpoint: true, ...info });
  world.wait(1_000);
  const offer = scheduler.offer();
  scheduler.launch(offer, task('t', offer));
  agent.update(scheduler, 't', 'TASK_RUNNING');
  scheduler.acknowledge(scheduler.status());
  const known = () => world.master.state.frameworks.get(scheduler.id)?.tasks.get('t' as TaskId);
  return { world, agent, scheduler, known };
}

function loseAgent({ world, agent }: Pick<Running, 'world' | 'agent'>): void {
  agent.answersPings = false;
  world.wait(5_000);
  assert.equal(world.master.state.agents.unreachable.has(agent.id), true);
  agent.answersPings = true;
}

const counter = ({ master }: World, name: string): number => master.state.counters.get(`master/${name}`) ?? 0;

test('SUBSCRIBE: a framework of an earlier master is announced as added, then as updated', () => {
  const world = createWorld();
  world.subscribe({ id: { value: 'earlier' } });
  const kinds = world.notes.filter(({ kind }) => kind !== 'log').map(({ kind }) => kind);
  assert.deepEqual(kinds, ['frameworkAdded', 'frameworkUpdated']);
});

test('TEARDOWN: unreachable tasks are not counted a second time', () => {
  const it = running();
  loseAgent(it);
  const ends = () => ['tasks_killed', 'tasks_lost', 'tasks_unreachable'].map((name) => counter(it.world, name));
  const before = ends();
  it.scheduler.call({ type: 'TEARDOWN' });
  assert.deepEqual(ends(), before);
});

test('driver: the same pid again, without force, gets RESCIND of its offers and FrameworkReregisteredMessage', () => {
  const world = createWorld();
  world.agent();
  const id = subscribeDriver(world);
  world.wait(1_000);
  sendDriverCall(world, { framework_id: id, type: 'SUBSCRIBE', subscribe: { framework_info: { ...driverInfo, id } } });
  const names = messagesTo(world).map(({ name }) => name);
  assert.deepEqual(names.slice(-3, -1), ['RescindResourceOfferMessage', 'FrameworkReregisteredMessage']);
});

test('driver: a framework that was recovered from an agent gets FrameworkRegisteredMessage', () => {
  const world = createWorld();
  const agent = world.agent(undefined, { unregistered: true });
  const id = { value: 'earlier' };
  agent.reregister({ agent: { ...agent.info, id: { value: 'a' } }, frameworks: [{ ...driverInfo, id }] });
  assert.equal(world.master.state.frameworks.get('earlier' as FrameworkId)?.status, 'recovered');
  sendDriverCall(world, { framework_id: id, type: 'SUBSCRIBE', subscribe: { framework_info: { ...driverInfo, id } } });
  assert.equal(messagesTo(world)[0]?.name, 'FrameworkRegisteredMessage');
});

test('driver: the pid of a registered framework cannot subscribe as another framework', () => {
  const world = createWorld();
  subscribeDriver(world);
  const before = messagesTo(world).length;
  const id = { value: 'another' };
  sendDriverCall(world, { framework_id: id, type: 'SUBSCRIBE', subscribe: { framework_info: { ...driverInfo, id } } });
  assert.deepEqual([world.master.state.frameworks.size, messagesTo(world).length], [1, before]);
});

test('driver: an UPDATE_FRAMEWORK that fails is answered by a FrameworkErrorMessage', () => {
  const world = createWorld();
  const id = subscribeDriver(world);
  const framework_info = { ...driverInfo, id, user: 'other', roles: ['a b'] };
  sendDriverCall(world, { framework_id: id, type: 'UPDATE_FRAMEWORK', update_framework: { framework_info } });
  assert.equal(messagesTo(world).at(-1)?.name, 'FrameworkErrorMessage');
});

test('driver: agents get its pid, also while it is disconnected', () => {
  const world = createWorld();
  const agent = world.agent();
  const id = subscribeDriver(world);
  world.feed({ kind: 'peerLost', address: '10.0.0.9:7000' });
  agent.breakConnection();
  agent.reregister({ frameworks: [{ ...driverInfo, id }] });
  assert.equal(agent.take('UpdateFrameworkMessage').pid, DRIVER);
});

test('re-registration: tasks of completed_frameworks become completed tasks of a known framework', () => {
  const { world, agent, scheduler, known } = running();
  const ended: Task = { ...present(known(), 'the task'), task_id: { value: 'ended' }, state: 'TASK_FINISHED' };
  loseAgent({ world, agent });
  const framework_info = { ...scheduler.info, id: { value: scheduler.id } };
  agent.reregister({ completed_frameworks: [{ framework_info, tasks: [ended] }] });
  const completed = [...(world.master.state.frameworks.get(scheduler.id)?.completedTasks.values() ?? [])];
  assert.deepEqual(
    completed.map(({ task_id }) => task_id.value),
    ['ended'],
  );
});

test('re-registration: a returned task is neither completed nor unreachable', () => {
  for (const info of [aware, {}]) {
    const it = running(info);
    const sent = present(it.known(), 'the task');
    loseAgent(it);
    const framework = present(it.world.master.state.frameworks.get(it.scheduler.id), 'the framework');
    assert.equal(framework.unreachableTasks.size, 1);
    it.agent.reregister({ frameworks: [framework.info], tasks: [sent] });
    assert.deepEqual([framework.tasks.size, framework.unreachableTasks.size, framework.completedTasks.size], [1, 0, 0]);
  }
});

test('re-registration: AGENT_ADDED precedes the events of frameworks that only the agent knows, and of their tasks', () => {
  const world = createWorld();
  const agent = world.agent(undefined, { unregistered: true });
  const id = { value: 'earlier' };
  const brought = { name: 't', task_id: { value: 't' }, framework_id: id, agent_id: { value: 'a' } } as const;
  agent.reregister({
    agent: { ...agent.info, id: { value: 'a' } },
    frameworks: [{ ...driverInfo, id }],
    tasks: [{ ...brought, state: 'TASK_RUNNING', resources: resources('cpus:1') }],
  });
  const kinds = world.notes.filter(({ kind }) => kind !== 'log').map(({ kind }) => kind);
  assert.deepEqual(kinds, ['agentAdded', 'frameworkAdded', 'taskAdded']);
});

test('removal: slave_removals counts by reason, and a removal for maintenance has none', () => {
  const reasons: readonly (readonly [reason: string, act: (world: World, agent: TestAgent) => void])[] = [
    ['reason_unhealthy', (world, agent) => loseAgent({ world, agent })],
    [
      'reason_unregistered',
      (_, agent) => agent.send({ name: 'UnregisterAgentMessage', body: { agent_id: { value: agent.id } } }),
    ],
    [
      'reason_registered',
      (_, agent) => {
        agent.breakConnection();
        agent.register();
      },
    ],
    [
      'none',
      (world, agent) => {
        const machine = { hostname: agent.info.hostname, ip: '10.0.1.0' };
        const unavailability = { start: { nanoseconds: 0n } };
        const schedule = { windows: [{ machine_ids: [machine], unavailability }] };
        world.operator({ type: 'UPDATE_MAINTENANCE_SCHEDULE', update_maintenance_schedule: { schedule } });
        world.operator({ type: 'START_MAINTENANCE', start_maintenance: { machines: [machine] } });
      },
    ],
  ];
  const names = ['reason_unhealthy', 'reason_unregistered', 'reason_registered'];
  for (const [reason, act] of reasons) {
    const { world, agent } = running();
    act(world, agent);
    assert.equal(counter(world, 'slave_removals'), 1, reason);
    const counts = names.map((name) => counter(world, `slave_removals/${name}`));
    assert.deepEqual(
      counts,
      names.map((name) => (name === reason ? 1 : 0)),
      reason,
    );
  }
});

/** An operation with an id is under way on the agent. */
function reserving(): Running & { readonly events: () => readonly (string | undefined)[] } {
  const it = running({ roles: ['web'], principal: 'p', ...aware });
  it.world.wait(5_000);
  const offer = it.scheduler.offer();
  const reserved = resources('cpus:1', offer).map((resource) => ({
    ...resource,
    reservations: [{ type: 'DYNAMIC' as const, role: 'web', principal: 'p' }],
  }));
  it.scheduler.call({
    type: 'ACCEPT',
    accept: {
      offer_ids: [offer.id],
      operations: [{ type: 'RESERVE', id: { value: 'r' }, reserve: { resources: reserved } }],
    },
  });
  assert.equal(it.world.master.state.operations.size, 1);
  it.scheduler.events.splice(0);
  return { ...it, events: () => it.scheduler.events.map(({ type }) => type) };
}

test('removal: operations of a removed agent are removed without an update', () => {
  const { world, agent, events } = reserving();
  agent.send({ name: 'UnregisterAgentMessage', body: { agent_id: { value: agent.id } } });
  assert.equal(world.master.state.operations.size, 0);
  assert.deepEqual(events(), ['UPDATE', 'RESCIND', 'FAILURE']);
});

test('operations of an unreachable and a gone agent are reported before its tasks, with a message', () => {
  const ends: Readonly<Record<string, (it: Running) => void>> = {
    OPERATION_UNREACHABLE: loseAgent,
    OPERATION_GONE_BY_OPERATOR: ({ world, agent }) =>
      void world.operator({ type: 'MARK_AGENT_GONE', mark_agent_gone: { agent_id: { value: agent.id } } }),
  };
  for (const [state, act] of Object.entries(ends)) {
    const it = reserving();
    act(it);
    assert.deepEqual(it.events(), ['UPDATE_OPERATION_STATUS', 'UPDATE', 'RESCIND', 'FAILURE'], state);
    const status = it.scheduler.take('UPDATE_OPERATION_STATUS').update_operation_status?.status;
    assert.equal(status?.state, state);
    assert.notEqual(status?.message ?? '', '');
  }
});

test('an operation status with a uuid of an operation that the master does not know counts as invalid', () => {
  const { world, agent } = running();
  agent.send({
    name: 'UpdateOperationStatusMessage',
    body: {
      operation_uuid: { value: uuid },
      agent_id: { value: agent.id },
      status: { state: 'OPERATION_FINISHED', uuid: { value: uuid } },
    },
  });
  assert.equal(counter(world, 'invalid_operation_status_updates'), 1);
});

test('DRAIN_AGENT of an agent that lacks AGENT_DRAINING: 400', () => {
  const world = createWorld();
  const agent = world.agent(undefined, { unregistered: true });
  agent.send({ name: 'RegisterAgentMessage', body: { agent: agent.info, version: '1.8.0' } });
  const reply = world.operator({ type: 'DRAIN_AGENT', drain_agent: { agent_id: { value: `${MASTER_ID}-S0` } } });
  assert.equal(reply?.status, 400);
  assert.match(reply?.text ?? '', /AGENT_DRAINING/);
});

test('UPDATE_QUOTA: an empty list is a 200; the last config of a role wins', () => {
  const world = createWorld();
  const update = (...quota_configs: { role: string; limits: { cpus: { value: number } } }[]) =>
    world.operator({ type: 'UPDATE_QUOTA', update_quota: { quota_configs } })?.status;
  assert.equal(update(), 200);
  assert.equal(
    update({ role: 'r', limits: { cpus: { value: 1 } } }, { role: 'r', limits: { cpus: { value: 2 } } }),
    200,
  );
  assert.deepEqual(world.master.state.registrar.durable.quotas.get('r')?.limits, { cpus: { value: 2 } });
});

test('TASK_UPDATED: for each result of a check, not for tasks of a re-registered agent', () => {
  const { world, agent, scheduler, known } = running();
  const updates = () => world.notes.filter(({ kind }) => kind === 'taskUpdated').length;
  const before = updates();
  for (const reason of ['REASON_TASK_CHECK_STATUS_UPDATED', 'REASON_TASK_HEALTH_CHECK_STATUS_UPDATED'] as const) {
    const status = { task_id: { value: 't' }, state: 'TASK_RUNNING' as const, uuid, reason };
    const update = { framework_id: { value: scheduler.id }, agent_id: { value: agent.id }, status, timestamp: 1, uuid };
    agent.send({ name: 'StatusUpdateMessage', body: { update, pid: agent.pid } });
  }
  assert.equal(updates(), before + 2);
  const sent = present(known(), 'the task');
  loseAgent({ world, agent });
  const lost = updates();
  agent.reregister({ frameworks: [{ ...scheduler.info, id: { value: scheduler.id } }], tasks: [sent] });
  assert.equal(known()?.state, 'TASK_RUNNING');
  assert.equal(updates(), lost);
});

test('every registration message of an agent is counted, also repeated and ignored ones', () => {
  const world = createWorld();
  world.holdStore(true);
  const agent = world.agent(undefined, { unregistered: true });
  for (let i = 0; i < 3; i++) agent.register();
  agent.send({ name: 'RegisterAgentMessage', body: { agent: agent.info, version: 'none' } });
  assert.equal(counter(world, 'messages_register_slave'), 4);
  for (let i = 0; i < 2; i++) agent.reregister({ agent: agent.info });
  assert.equal(counter(world, 'messages_reregister_slave'), 2);
});

test('LAUNCH: an executor whose resources are shared is refused', () => {
  const { world, scheduler } = running({ ...aware, roles: ['web'] });
  world.wait(5_000);
  const offer = scheduler.offer();
  const { command: _, ...rest } = task('shared', offer);
  const [disk] = resources('disk(web):1', offer);
  const volume = { persistence: { id: 'v' }, volume: { container_path: 'd', mode: 'RW' as const } };
  const executor = {
    executor_id: { value: 'e' },
    framework_id: { value: scheduler.id },
    command: { value: 'true' },
    resources: [{ ...present(disk, 'disk'), disk: volume, shared: {} }],
  };
  scheduler.launch(offer, { ...rest, executor });
  const status = scheduler.status();
  assert.equal(status.state, 'TASK_ERROR');
  assert.match(status.message ?? '', /shared/);
});
