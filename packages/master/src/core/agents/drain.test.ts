import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { AgentId } from '@meseta/base';
import type { MasterCall } from '@meseta/wire';
import { CAPABILITIES, createWorld, MASTER_ID, type TestAgent, type World } from '../testing.js';

const drain = ({ id }: { readonly id: AgentId }): MasterCall => ({
  type: 'DRAIN_AGENT',
  drain_agent: { agent_id: { value: id } },
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
