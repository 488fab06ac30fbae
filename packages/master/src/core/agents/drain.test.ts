import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { AgentId } from '@meseta/base';
import type { MasterCall } from '@meseta/wire';
import { bytesOfUuid } from '@meseta/wire/uuid';
import { CAPABILITIES, createWorld, MASTER_ID, type TestAgent, type World } from '../testing.js';

const drain = ({ id }: { readonly id: AgentId }, mark_gone = false): MasterCall => ({
  type: 'DRAIN_AGENT',
  drain_agent: { agent_id: { value: id }, mark_gone },
});
const deactivate = ({ id }: { readonly id: AgentId }): MasterCall => ({
  type: 'DEACTIVATE_AGENT',
  deactivate_agent: { agent_id: { value: id } },
});
const reactivate = ({ id }: { readonly id: AgentId }): MasterCall => ({
  type: 'REACTIVATE_AGENT',
  reactivate_agent: { agent_id: { value: id } },
});

const recordOf = (world: World, { id }: TestAgent) => world.master.state.agents.registered.get(id);
const repliesOf = (world: World) =>
  world.effects.flatMap((effect) => (effect.kind === 'reply' ? [[effect.reply.status, effect.reply.text]] : []));
const leave = (agent: TestAgent): void =>
  agent.say({ name: 'UnregisterAgentMessage', body: { agent_id: { value: agent.id } } });

test('an agent is not drained if it is unknown, in the maintenance schedule, or lacks AGENT_DRAINING', () => {
  const world = createWorld();
  const [agent, old] = [world.agent(), world.agent()];
  old.reregister({ agent_capabilities: CAPABILITIES.filter(({ type }) => type !== 'AGENT_DRAINING') });
  const unavailability = { start: { nanoseconds: 1_800_000_000_000_000_000n } };
  const windows = [{ machine_ids: [{ hostname: 'agent0', ip: '10.0.1.0' }], unavailability }];
  world.operator({ type: 'UPDATE_MAINTENANCE_SCHEDULE', update_maintenance_schedule: { schedule: { windows } } });
  const unknown = `${MASTER_ID}-S9` as AgentId;
  for (const [call, text] of [
    [drain({ id: unknown }), `agent_id: agent ${unknown} is unknown`],
    [drain(agent), `agent_id: the machine of agent ${agent.id} is in the maintenance schedule`],
    [drain(old), `agent_id: agent ${old.id} lacks the capability AGENT_DRAINING`],
    [deactivate({ id: unknown }), `agent_id: agent ${unknown} is unknown`],
    [reactivate({ id: unknown }), `agent_id: agent ${unknown} is unknown`],
    [reactivate(agent), `agent ${agent.id} is not deactivated`],
  ] as const) {
    assert.deepEqual(world.operator(call), { status: 400, text });
  }
  assert.equal(agent.has('DrainAgentMessage') || old.has('DrainAgentMessage'), false);
});

test('an agent that is being marked as gone cannot be drained, and one that is being removed cannot be deactivated', () => {
  const world = createWorld();
  const [gone, leaving] = [world.agent(), world.agent()];
  world.holdStore(true);
  world.operator({ type: 'MARK_AGENT_GONE', mark_agent_gone: { agent_id: { value: gone.id } } });
  assert.deepEqual(world.operator(drain(gone)), { status: 409, text: `agent ${gone.id} is being marked gone` });
  world.answerStore();
  leave(leaving);
  for (const call of [drain(leaving), deactivate(leaving)]) {
    assert.deepEqual(world.operator(call), { status: 400, text: `agent ${leaving.id} is unknown` });
  }
});

test('each call is answered once, also if its agent is gone when the registry is written', () => {
  const world = createWorld();
  const agent = world.agent();
  for (const call of [drain, deactivate]) {
    world.effects.splice(0);
    world.operator(call(agent));
    assert.deepEqual(repliesOf(world), [[200, undefined]]);
  }
  world.effects.splice(0);
  world.operator(reactivate(agent));
  assert.deepEqual(repliesOf(world), [[200, undefined]]);
  world.holdStore(true);
  for (const call of [drain, deactivate]) world.operator(call(agent));
  leave(agent);
  world.effects.splice(0);
  world.holdStore(false);
  world.answerStore();
  assert.deepEqual(repliesOf(world), [
    [200, undefined],
    [200, undefined],
  ]);
  assert.equal(recordOf(world, agent), undefined);
});

test('a draining agent gets DrainAgentMessage when it is connected, and is drained only after that', () => {
  const world = createWorld();
  const agent = world.agent();
  agent.breakConnection();
  assert.equal(world.operator(drain(agent))?.status, 200);
  assert.equal(agent.has('DrainAgentMessage'), false);
  assert.deepEqual([recordOf(world, agent)?.deactivated, recordOf(world, agent)?.drainInfo?.state], [true, 'DRAINING']);
  assert.deepEqual(world.operator(reactivate(agent)), { status: 400, text: `agent ${agent.id} is still draining` });
  agent.reregister();
  assert.equal(agent.has('DrainAgentMessage'), true);
  world.wait(1);
  assert.equal(recordOf(world, agent)?.drainInfo?.state, 'DRAINED');
  assert.ok(world.notes.some((it) => it.kind === 'log' && it.text === `agent ${agent.id} is drained`));
});

test('a deactivated agent gets no DrainAgentMessage, and is not offered after it has re-registered', () => {
  const world = createWorld();
  const agent = world.agent();
  const scheduler = world.subscribe();
  world.wait(1_000);
  world.operator(deactivate(agent));
  assert.equal(scheduler.has('RESCIND'), true);
  agent.breakConnection();
  agent.reregister();
  scheduler.events.splice(0);
  world.wait(10_000);
  assert.equal(scheduler.has('OFFERS') || agent.has('DrainAgentMessage'), false);
  agent.breakConnection();
  assert.equal(world.operator(reactivate(agent))?.status, 200);
  world.wait(10_000);
  assert.equal(scheduler.has('OFFERS'), false, 'not while it is disconnected');
  agent.reregister();
  world.wait(10_000);
  assert.equal(scheduler.has('OFFERS'), true);
});

test('deactivating a draining agent does not change the start of its drain', () => {
  const world = createWorld();
  const agent = world.agent();
  agent.breakConnection();
  world.operator(drain(agent));
  const startedAtMs = recordOf(world, agent)?.drainStartedAtMs;
  assert.equal(startedAtMs, world.now().wallMs);
  world.wait(1_000);
  world.operator(deactivate(agent));
  assert.equal(recordOf(world, agent)?.drainStartedAtMs, startedAtMs);
});

test('an agent is drained when its last operation is acknowledged; with mark_gone it is gone then', () => {
  for (const markGone of [false, true]) {
    const world = createWorld();
    const agent = world.agent();
    const uuid = { value: bytesOfUuid('22222222-2222-4222-8222-222222222222') };
    const statusUuid = { value: bytesOfUuid('33333333-3333-4333-8333-333333333333') };
    const agent_id = { value: agent.id };
    const operation = {
      info: { type: 'RESERVE' as const },
      latest_status: { state: 'OPERATION_PENDING' as const },
      uuid,
    };
    agent.say({ name: 'UpdateAgentMessage', body: { agent_id, operations: { operations: [operation] } } });
    world.operator(drain(agent, markGone));
    world.wait(1_000);
    assert.equal(recordOf(world, agent)?.drainInfo?.state, 'DRAINING');
    const status = { state: 'OPERATION_FINISHED' as const, uuid: statusUuid };
    agent.say({ name: 'UpdateOperationStatusMessage', body: { agent_id, operation_uuid: uuid, status } });
    assert.equal(agent.has('AcknowledgeOperationStatusMessage'), true);
    assert.equal(recordOf(world, agent)?.drainInfo?.state, markGone ? undefined : 'DRAINED');
    assert.equal(agent.has('ShutdownMessage'), markGone);
  }
});

test('the reactivation of an agent that is not registered is a 409', () => {
  const first = createWorld();
  const agent = first.agent();
  first.operator(deactivate(agent));
  const world = createWorld({ registry: first.master.state.registrar.durable });
  assert.deepEqual(world.operator(reactivate(agent)), {
    status: 409,
    text: `agent ${agent.id} is not registered; it is active once it has re-registered`,
  });
  assert.equal(world.master.state.registrar.durable.agents.get(agent.id)?.deactivated, undefined);
});
