import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { AgentId } from '@meseta/base';
import { createWorld, type TestAgent, type World } from '../testing.js';

/** One process sends a first registration and a re-registration, or two of one kind, while the registry is being written. */
function crossedRegistrations(send: (agent: TestAgent, own: AgentId) => void) {
  const world = createWorld();
  const agent = world.agent();
  const own = agent.id;
  const scheduler = world.subscribe();
  agent.send({ name: 'UnregisterAgentMessage', body: { agent_id: { value: own } } });
  agent.received.splice(0);
  scheduler.events.splice(0);
  world.holdStore(true);
  send(agent, own);
  world.holdStore(false);
  world.completeWrites();
  world.wait(10_000);
  return { world, agent, own, scheduler };
}

const registrations: Readonly<Record<string, (agent: TestAgent, own: AgentId) => void>> = {
  'a first registration, then a re-registration': (agent, own) => {
    agent.register();
    agent.reregister({ agent: { ...agent.info, id: { value: own } } });
  },
  'a re-registration, then a first registration': (agent, own) => {
    agent.reregister({ agent: { ...agent.info, id: { value: own } } });
    agent.register();
  },
  'a re-registration, then one with another id': (agent, own) => {
    agent.reregister({ agent: { ...agent.info, id: { value: own } } });
    agent.reregister({ agent: { ...agent.info, id: { value: 'another' } } });
  },
  'each of them twice': (agent, own) => {
    for (const _ of [1, 2]) {
      agent.register();
      agent.reregister({ agent: { ...agent.info, id: { value: own } } });
    }
  },
};

for (const [name, send] of Object.entries(registrations)) {
  test(`AGENTS-1: a pid registers as one agent while the registry is written: ${name}`, () => {
    const { world, agent, own, scheduler } = crossedRegistrations(send);
    const { agents, registrar } = world.master.state;
    assert.deepEqual([...agents.registered.keys()], [own]);
    assert.deepEqual([...agents.byPid], [[agent.pid, own]]);
    assert.deepEqual([...registrar.durable.agents.keys()], [own], 'no other agent is in the registry');
    assert.equal(agent.has('AgentRegisteredMessage'), false, 'an agent that has an id gets no second one');
    assert.equal(agent.take('AgentReregisteredMessage').agent_id.value, own);
    assert.equal(scheduler.has('FAILURE'), false);
    assert.equal(agents.reregisteringByPid.size + agents.registering.size + agents.transitions.size, 0);
  });
}

test('a re-registration replaces the version, the capabilities and the time of the last re-registration in the record', () => {
  const world = createWorld();
  const agent = world.agent();
  world.wait(1_000);
  agent.reregister({ version: '1.13.0', agent_capabilities: [] });
  const record = world.master.state.agents.registered.get(agent.id);
  assert.deepEqual(
    [record?.version, record?.capabilities.size, record?.reregisteredAtMs],
    ['1.13.0', 0, world.now().wallMs],
  );
});

test('a re-registration cancels a removal that waits for the rate limit, and that is counted', () => {
  const canceled = (world: World) => world.master.state.counters.get('master/slave_unreachable_canceled') ?? 0;
  const world = createWorld({
    agentReregisterTimeoutMs: 1_000,
    agentRemovalRateLimit: { permits: 1, perMs: 60_000 },
  });
  const [first, second] = [world.agent(), world.agent()];
  for (const agent of [first, second]) agent.breakConnection();
  world.wait(1_500);
  assert.equal(world.master.state.removals.waiting.size, 1);
  second.reregister();
  assert.deepEqual([world.master.state.removals.waiting.size, canceled(world)], [0, 1]);
  second.reregister();
  assert.equal(canceled(world), 1, 'once');
});
