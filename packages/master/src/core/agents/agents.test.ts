import assert from 'node:assert/strict';
import { test } from 'node:test';
import { present, type TaskId } from '@meseta/base';
import type { FrameworkInfo, ReregisterAgentMessage } from '@meseta/wire';
import { createWorld, MASTER_ID, runTask, type TestAgent, type World } from '../testing.js';

const aware = { capabilities: [{ type: 'MULTI_ROLE' }, { type: 'PARTITION_AWARE' }] } as const;

test('REGISTRAR-2: an agent gets its id when the registry has it; a repeated registration changes nothing', () => {
  const world = createWorld();
  world.holdStore(true);
  const agent = world.agent();
  agent.register();
  assert.equal(agent.has('AgentRegisteredMessage'), false);
  world.holdStore(false);
  world.completeWrites();
  assert.equal(agent.id, `${MASTER_ID}-S0`);
  assert.deepEqual(
    agent.received.map(({ name }) => name),
    ['AgentRegisteredMessage', 'PingAgentMessage'],
  );
  assert.equal(agent.take('AgentRegisteredMessage').connection?.total_ping_timeout_seconds, 75);
  agent.register();
  assert.equal(agent.take('AgentRegisteredMessage').agent_id.value, `${MASTER_ID}-S0`);
  assert.equal(world.master.state.nextAgent, 1);
});

test('registrations with an invalid version or domain are ignored', () => {
  const world = createWorld();
  for (const version of ['0.28.2', 'new', '']) world.agent('cpus:1', { version });
  world.agent('cpus:1', { info: { domain: { fault_domain: { region: { name: 'r' }, zone: { name: 'z' } } } } });
  assert.equal(world.master.state.agents.registered.size, 0);
});

test('an agent that answers no ping is unreachable after 75 s, with updates and FAILURE, and may re-register', () => {
  const world = createWorld();
  const { agent, scheduler } = runTask(world, aware);
  agent.answersPings = false;
  world.wait(74_000);
  assert.equal(world.master.state.agents.registered.size, 1);
  world.wait(16_000);
  assert.equal(world.master.state.agents.unreachable.has(agent.id), true);
  const lost = scheduler.status();
  assert.deepEqual(
    [lost.state, lost.reason, lost.source, lost.uuid],
    ['TASK_UNREACHABLE', 'REASON_AGENT_REMOVED', 'SOURCE_MASTER', undefined],
  );
  assert.equal(typeof lost.unreachable_time?.nanoseconds, 'bigint');
  assert.deepEqual(scheduler.take('FAILURE').failure, { agent_id: { value: agent.id } });
  const framework = world.master.state.frameworks.get(scheduler.id);
  assert.deepEqual([framework?.tasks.size, framework?.unreachableTasks.size], [0, 1]);

  agent.answersPings = true;
  const known = [...(framework?.unreachableTasks.values() ?? [])].map((t) => ({
    ...t,
    state: 'TASK_RUNNING' as const,
  }));
  agent.reregister({ tasks: known, frameworks: [framework?.info as FrameworkInfo] });
  const back = scheduler.status();
  assert.deepEqual([back.state, back.reason, back.uuid], ['TASK_RUNNING', 'REASON_AGENT_REREGISTERED', undefined]);
  assert.deepEqual([framework?.tasks.size, framework?.unreachableTasks.size], [1, 0]);
  assert.equal(agent.has('AgentReregisteredMessage'), true);
});

test('the re-registration time of an agent that was unreachable is later than its registration time', () => {
  const world = createWorld();
  const agent = world.agent();
  agent.answersPings = false;
  world.wait(80_000);
  agent.answersPings = true;
  agent.reregister();
  const record = world.master.state.agents.registered.get(agent.id);
  assert.ok(record?.reregisteredAtMs !== undefined && record.reregisteredAtMs > record.registeredAtMs);
  const seconds = [record.registeredAtMs, record.reregisteredAtMs].map((ms) => ms / 1000);
  assert.notEqual(seconds[0], seconds[1], 'as seconds, too');
});

test('a framework without PARTITION_AWARE gets TASK_LOST', () => {
  const world = createWorld({ agentPingTimeoutMs: 1_000, maxAgentPingTimeouts: 1 });
  const { agent, scheduler } = runTask(world);
  agent.answersPings = false;
  world.wait(2_000);
  assert.equal(scheduler.status().state, 'TASK_LOST');
});

test('a broken connection rescinds offers, and loses tasks of frameworks without checkpointing', () => {
  const world = createWorld();
  const { agent, scheduler } = runTask(world);
  const other = world.subscribe({ checkpoint: true });
  scheduler.call({ type: 'SUPPRESS' });
  world.wait(6_000);
  const offered = [...scheduler.events, ...other.events].filter(({ type }) => type === 'OFFERS').length;
  assert.ok(offered > 0);
  agent.breakConnection();
  const lost = scheduler.status();
  assert.deepEqual([lost.state, lost.reason], ['TASK_LOST', 'REASON_AGENT_DISCONNECTED']);
  assert.equal([...scheduler.events, ...other.events].filter(({ type }) => type === 'RESCIND').length, 1);
  assert.equal(world.master.state.agents.registered.get(agent.id)?.connected, false);
  world.wait(15_000);
  assert.equal(
    agent.received.some((m) => m.name === 'PingAgentMessage' && !m.body.connected),
    true,
  );
  world.wait(600_000);
  assert.equal(world.master.state.agents.unreachable.has(agent.id), true, 'though it answers pings');
});

test('the re-registration of a registered agent: tasks that it lacks are reconciled with it, and not killed', () => {
  const world = createWorld();
  const { agent, scheduler } = runTask(world, { checkpoint: true });
  agent.breakConnection();
  const kill = { task_id: { value: 't' }, agent_id: { value: agent.id } };
  scheduler.call({ type: 'KILL', kill });
  assert.equal(agent.has('KillTaskMessage'), false);
  const before = world.persisted.length;
  agent.reregister({ frameworks: [world.master.state.frameworks.get(scheduler.id)?.info as FrameworkInfo] });
  assert.equal(world.persisted.length, before, 'an unchanged info costs no write');
  const { reconciliations } = agent.take('AgentReregisteredMessage');
  assert.deepEqual(
    reconciliations?.map(({ statuses }) => statuses?.map(({ task_id, state }) => [task_id.value, state])),
    [[['t', 'TASK_LOST']]],
  );
  assert.equal(agent.has('KillTaskMessage'), false);
  assert.equal(agent.has('UpdateFrameworkMessage'), true);
});

test('kills are repeated at each re-registration that lists the task', () => {
  for (const sentBefore of [true, false]) {
    const world = createWorld();
    const { agent, scheduler } = runTask(world, { checkpoint: true });
    const known = present(world.master.state.frameworks.get(scheduler.id)?.tasks.get('t' as TaskId), 'the task');
    const kill = () => scheduler.call({ type: 'KILL', kill: { task_id: { value: 't' } } });
    if (sentBefore) {
      kill();
      agent.take('KillTaskMessage');
    }
    agent.breakConnection();
    if (!sentBefore) kill();
    const frameworks = [world.master.state.frameworks.get(scheduler.id)?.info as FrameworkInfo];
    agent.reregister({ frameworks, tasks: [known] });
    assert.equal(agent.take('KillTaskMessage').task_id.value, 't');
    agent.reregister({ frameworks, tasks: [{ ...known, state: 'TASK_KILLED' }] });
    assert.equal(agent.has('KillTaskMessage'), false, 'it has ended there');
  }
});

test("an agent that claims the id of another machine's agent is shut down", () => {
  const world = createWorld();
  const agent = world.agent();
  const impostor = world.agent('cpus:1', { pid: 'slave(1)@10.9.9.9:5051', unregistered: true });
  impostor.send({
    name: 'ReregisterAgentMessage',
    body: { agent: { hostname: 'agent0', id: { value: agent.id } }, version: '1.12.0' },
  });
  assert.equal(impostor.has('ShutdownMessage'), true);
  assert.equal(world.master.state.agents.registered.get(agent.id)?.pid, agent.pid);
});

test('a new agent at the pid of a disconnected agent: that agent is removed', () => {
  const world = createWorld();
  const { agent, scheduler } = runTask(world, { checkpoint: true, ...aware });
  const old = agent.id;
  agent.breakConnection();
  agent.register();
  const lost = scheduler.status();
  assert.deepEqual([lost.state, lost.reason], ['TASK_LOST', 'REASON_AGENT_REMOVED'], 'even with PARTITION_AWARE');
  assert.deepEqual([...world.master.state.agents.registered.keys()], [`${MASTER_ID}-S1`]);
  assert.equal(world.master.state.agents.removed.has(old), true);
});

test('AGENTS-2: a new process at the pid of a connected agent gets no id until the end of the old process is noticed', () => {
  const world = createWorld();
  const agent = world.agent();
  const { info, id } = agent;
  const registerAsNewProcess = (): void => {
    const resource_version_uuid = { value: 'bmV3IHByb2Nlc3MgdXVpZA==' };
    const body = { agent: { ...info, id: undefined }, version: '1.12.0', resource_version_uuid };
    agent.send({ name: 'RegisterAgentMessage', body });
  };
  agent.received.length = 0;
  registerAsNewProcess();
  assert.equal(agent.has('AgentRegisteredMessage'), false);
  assert.deepEqual([...world.master.state.agents.registered.keys()], [id]);
  agent.breakConnection();
  registerAsNewProcess();
  assert.equal(agent.take('AgentRegisteredMessage').agent_id.value, `${MASTER_ID}-S1`);
  assert.deepEqual([...world.master.state.agents.registered.keys()], [`${MASTER_ID}-S1`]);
});

test('after a master failover agents and frameworks return; missing agents are marked unreachable after 10 min', () => {
  const old = createWorld();
  const { agent, scheduler } = runTask(old, { checkpoint: true, failover_timeout: 600 });
  const missing = old.agent();
  const framework = old.master.state.frameworks.get(scheduler.id);
  const world = createWorld({ registry: old.master.state.registrar.durable });
  const tasks = [...(framework?.tasks.values() ?? [])];
  const again = world.agent(undefined, { unregistered: true, info: { id: { value: agent.id } } });
  again.send({
    name: 'ReregisterAgentMessage',
    body: {
      agent: { ...agent.info, id: { value: agent.id } },
      version: '1.12.0',
      tasks,
      frameworks: [framework?.info as FrameworkInfo],
    },
  });
  assert.equal(world.master.state.frameworks.get(scheduler.id)?.status, 'recovered');
  assert.deepEqual(
    world.persisted.map(({ kind }) => kind),
    ['recordMaster'],
  );
  const back = world.subscribe({ checkpoint: true, failover_timeout: 600, id: { value: scheduler.id } });
  assert.equal(back.take('SUBSCRIBED').subscribed?.framework_id.value, scheduler.id);
  back.call({
    type: 'RECONCILE',
    reconcile: { tasks: [{ task_id: { value: 't' } }, { task_id: { value: 'other' } }] },
  });
  assert.deepEqual(
    [back.status().state, back.has('UPDATE')],
    ['TASK_RUNNING', false],
    'the other may be on the missing agent',
  );
  world.wait(600_000);
  assert.equal(world.master.state.agents.unreachable.has(missing.id), true);
  assert.deepEqual(back.take('FAILURE').failure?.agent_id?.value, missing.id);
});

/** The agent re-registers with a master that knows it from the registry. */
const comeBack = (world: World, { id, info }: TestAgent): void =>
  world.agent(undefined, { unregistered: true }).send({
    name: 'ReregisterAgentMessage',
    body: {
      agent: { ...info, id: { value: id } },
      version: '1.12.0',
      agent_capabilities: [{ type: 'MULTI_ROLE' }, { type: 'RESERVATION_REFINEMENT' }],
    },
  });

test('after a master failover offers wait until most agents are back if a role has quota, and else come with the first agent', () => {
  for (const hasQuota of [true, false]) {
    const old = createWorld();
    const agents = Array.from({ length: 5 }, () => old.agent());
    const cpus = { cpus: { value: 1 } };
    const quota_configs = [{ role: 'web', guarantees: cpus, limits: cpus }];
    if (hasQuota) assert.equal(old.operator({ type: 'UPDATE_QUOTA', update_quota: { quota_configs } })?.status, 200);
    const world = createWorld({ registry: old.master.state.registrar.durable });
    const scheduler = world.subscribe({ roles: ['other'] });
    scheduler.take('SUBSCRIBED');
    agents.forEach((agent, n) => {
      comeBack(world, agent);
      world.wait(2000);
      // Four of five are the share of --allocator_agent_recovery_factor.
      assert.equal(scheduler.has('OFFERS'), !hasQuota || n >= 3, `quota ${hasQuota}, ${n + 1} agents`);
    });
    const waiting = createWorld({ registry: old.master.state.registrar.durable, allocatorRecoveryTimeoutMs: 60_000 });
    const patient = waiting.subscribe({ roles: ['other'] });
    comeBack(waiting, agents[0] as TestAgent);
    waiting.wait(55_000);
    assert.equal(patient.has('OFFERS'), !hasQuota);
    waiting.wait(10_000);
    assert.equal(patient.has('OFFERS'), true);
  }
});

test('a drain ends when the last terminal update is acknowledged; then the agent can be reactivated', () => {
  const world = createWorld();
  const { agent, scheduler } = runTask(world);
  const agent_id = { value: agent.id };
  const drain = world.operator({ type: 'DRAIN_AGENT', drain_agent: { agent_id, max_grace_period: { seconds: 1 } } });
  assert.equal(drain?.status, 200);
  assert.deepEqual(agent.take('DrainAgentMessage').config, {
    max_grace_period: { nanoseconds: 1e9 },
    mark_gone: false,
  });
  const state = () => world.master.state.agents.registered.get(agent.id)?.drainInfo?.state;
  agent.update(scheduler, 't', 'TASK_KILLED');
  assert.equal(state(), 'DRAINING');
  assert.equal(world.operator({ type: 'REACTIVATE_AGENT', reactivate_agent: { agent_id } })?.status, 400);
  scheduler.acknowledge(scheduler.status());
  assert.equal(state(), 'DRAINED');
  assert.equal(world.master.state.registrar.durable.minimumCapabilities.has('AGENT_DRAINING'), true);
  scheduler.events.splice(0);
  world.wait(10_000);
  assert.equal(scheduler.has('OFFERS'), false);
  assert.equal(world.operator({ type: 'REACTIVATE_AGENT', reactivate_agent: { agent_id } })?.status, 200);
  assert.equal(world.operator({ type: 'REACTIVATE_AGENT', reactivate_agent: { agent_id } })?.status, 400);
  world.wait(10_000);
  assert.equal(scheduler.has('OFFERS'), true);
});

test('a draining agent that becomes unreachable is not drained, because its tasks may run on', () => {
  const world = createWorld({ agentPingTimeoutMs: 1_000, maxAgentPingTimeouts: 1 });
  const { agent } = runTask(world, aware);
  world.operator({ type: 'DRAIN_AGENT', drain_agent: { agent_id: { value: agent.id } } });
  agent.answersPings = false;
  world.wait(5_000);
  const entry = world.master.state.registrar.durable.unreachable.get(agent.id);
  assert.deepEqual([entry?.drainInfo?.state, entry?.deactivated], ['DRAINING', true]);
});

test('a deactivated agent is not offered by the next master', () => {
  const old = createWorld();
  const { id } = old.agent();
  assert.equal(old.operator({ type: 'DEACTIVATE_AGENT', deactivate_agent: { agent_id: { value: id } } })?.status, 200);
  const world = createWorld({ registry: old.master.state.registrar.durable });
  const agent = world.agent(undefined, { unregistered: true, info: { id: { value: id } } });
  const scheduler = world.subscribe();
  const agent_id = { value: id };
  const agent_capabilities = [{ type: 'MULTI_ROLE' as const }, { type: 'HIERARCHICAL_ROLE' as const }];
  const body = { agent: { ...agent.info, id: agent_id }, version: '1.12.0', agent_capabilities };
  agent.send({ name: 'ReregisterAgentMessage', body });
  assert.equal(world.master.state.agents.registered.has(id), true);
  world.wait(10_000);
  assert.equal(scheduler.has('OFFERS'), false);
  assert.equal(world.operator({ type: 'REACTIVATE_AGENT', reactivate_agent: { agent_id } })?.status, 200);
  world.wait(10_000);
  assert.equal(scheduler.has('OFFERS'), true);
});

test("a removed agent that re-registers is accepted, and its tasks' states are sent", () => {
  const world = createWorld();
  const { agent, scheduler } = runTask(world);
  const framework = world.master.state.frameworks.get(scheduler.id)?.info as FrameworkInfo;
  const tasks = [...(world.master.state.frameworks.get(scheduler.id)?.tasks.values() ?? [])];
  agent.send({ name: 'UnregisterAgentMessage', body: { agent_id: { value: agent.id } } });
  scheduler.events.splice(0);
  agent.update(scheduler, 't', 'TASK_FINISHED');
  assert.equal(scheduler.has('UPDATE'), false);
  agent.reregister({ tasks, frameworks: [framework] });
  const back = scheduler.status();
  assert.deepEqual([back.state, back.reason, back.uuid], ['TASK_RUNNING', 'REASON_AGENT_REREGISTERED', undefined]);
  agent.update(scheduler, 't', 'TASK_FINISHED');
  assert.equal(scheduler.status().state, 'TASK_FINISHED');
});

test("operations of an earlier master are recorded from the agent's report, and unreported ones are reconciled", () => {
  const world = createWorld();
  const agent = world.agent();
  const scheduler = world.subscribe({ roles: ['web'] });
  const uuid = { value: 'DN1KXCiXRXGIg9pO8WEyig==' };
  const operation = {
    framework_id: { value: scheduler.id },
    info: { type: 'RESERVE' as const, id: { value: 'op' } },
    latest_status: { state: 'OPERATION_PENDING' as const },
    uuid,
  };
  const agent_id = { value: agent.id };
  agent.send({ name: 'UpdateAgentMessage', body: { agent_id, operations: { operations: [operation] } } });
  assert.equal(world.master.state.operations.size, 1);
  scheduler.call({
    type: 'RECONCILE_OPERATIONS',
    reconcile_operations: { operations: [{ operation_id: { value: 'op' } }] },
  });
  assert.equal(scheduler.take('UPDATE_OPERATION_STATUS').update_operation_status?.status.state, 'OPERATION_PENDING');
  agent.send({ name: 'UpdateAgentMessage', body: { agent_id, operations: {} } });
  assert.deepEqual(agent.take('ReconcileOperationsMessage').operations, [{ operation_uuid: uuid }]);
});

test('a new agent does not get an id that another agent has claimed', () => {
  const world = createWorld();
  const claimer = world.agent(undefined, { unregistered: true });
  claimer.send({
    name: 'ReregisterAgentMessage',
    body: { agent: { ...claimer.info, id: { value: `${MASTER_ID}-S0` } }, version: '1.12.0' },
  });
  assert.deepEqual([...world.master.state.agents.registered.keys()], [`${MASTER_ID}-S0`]);
  world.agent();
  assert.deepEqual([...world.master.state.agents.registered.keys()], [`${MASTER_ID}-S0`, `${MASTER_ID}-S1`]);
});

test('an agent with an id that cannot be a directory name is not accepted', () => {
  const bad = { value: '../x' };
  const good = { value: 'x' };
  const resources = [] as const;
  const brought: readonly (readonly [RegExp, Partial<ReregisterAgentMessage>])[] = [
    [/frameworks\[0\]\.id/, { frameworks: [{ user: 'root', name: 'f', id: bad }] }],
    [/executor_infos\[0\]\.executor_id/, { executor_infos: [{ executor_id: bad, framework_id: good }] }],
    [/executor_infos\[0\]\.framework_id/, { executor_infos: [{ executor_id: good, framework_id: bad }] }],
    [
      /tasks\[0\]\.task_id/,
      { tasks: [{ name: '', task_id: bad, framework_id: good, agent_id: good, state: 'TASK_RUNNING', resources }] },
    ],
  ];
  for (const [field, more] of brought) {
    const world = createWorld();
    const agent = world.agent();
    agent.breakConnection();
    const before = agent.received.length;
    agent.reregister(more);
    assert.equal(agent.received.length, before);
    assert.ok(
      world.notes.some((it) => it.kind === 'log' && field.test(it.text)),
      String(field),
    );
  }
});
