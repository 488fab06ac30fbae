import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { AgentId } from '@meseta/base';
import type { ExecutorInfo } from '@meseta/wire';
import { createWorld, MASTER_ID, type TestAgent, task } from '../testing.js';

test('a task that was told lost with the connection, and runs on, is ended when the agent is back', () => {
  const world = createWorld();
  const agent = world.agent('cpus:2;mem:512');
  const scheduler = world.subscribe({ checkpoint: false });
  const offer = scheduler.offer();
  scheduler.launch(offer, task('lives', offer), task('ended', offer));
  const running = (id: string, state: 'TASK_RUNNING' | 'TASK_FINISHED') => ({
    name: id,
    task_id: { value: id },
    framework_id: { value: scheduler.id },
    agent_id: { value: agent.id },
    state,
  });
  agent.breakConnection();
  assert.equal(scheduler.status().state, 'TASK_LOST');
  const listed = [running('lives', 'TASK_RUNNING'), running('ended', 'TASK_FINISHED')];
  agent.reregister({ frameworks: [{ ...scheduler.info, id: { value: scheduler.id } }], tasks: listed });
  assert.deepEqual(agent.take('KillTaskMessage').task_id, { value: 'lives' });
  assert.equal(agent.has('KillTaskMessage'), false);
});

test('an agent that leaves while its return is being written is not told that it is back', () => {
  const world = createWorld();
  const [agent, other] = [world.agent(), world.agent('cpus:1', { silent: true })];
  agent.breakConnection();
  world.holdStore(true);
  other.register();
  agent.reregister();
  agent.say({ name: 'UnregisterAgentMessage', body: { agent_id: { value: agent.id } } });
  world.holdStore(false);
  world.answerStore();
  assert.equal(world.master.state.registrar.durable.agents.has(agent.id), false);
  assert.equal(agent.has('AgentReregisteredMessage'), false);
  assert.deepEqual([...world.master.state.agents.registered.keys()], [other.id]);
});

test('an agent comes back where another id was given meanwhile: that one is removed', () => {
  const world = createWorld();
  const agent = world.agent();
  const own = agent.id;
  agent.breakConnection();
  // An earlier try of the same process arrives late: it is taken for a new agent.
  agent.register();
  assert.deepEqual([...world.master.state.agents.registered.keys()], [`${MASTER_ID}-S1`]);
  agent.reregister({ agent: { ...agent.info, id: { value: own } } });
  assert.deepEqual([...world.master.state.agents.registered.keys()], [own]);
  assert.equal(world.master.state.agents.byPid.get(agent.pid), own);
  assert.equal(world.master.state.registrar.durable.agents.has(`${MASTER_ID}-S1` as AgentId), false);
});

test('an executor that was freed with the connection, and lives on, is shut down when the agent is back', () => {
  const world = createWorld();
  const agent = world.agent('cpus:2;mem:512');
  const scheduler = world.subscribe({ checkpoint: false });
  const offer = scheduler.offer();
  const { command: _, ...own } = task('lives', offer);
  const framework_id = { value: scheduler.id };
  const executor: ExecutorInfo = {
    type: 'CUSTOM',
    executor_id: { value: 'e' },
    framework_id,
    resources: own.resources,
    command: { value: './executor' },
  };
  scheduler.launch(offer, { ...own, executor });
  agent.breakConnection();
  const frameworks = [{ ...scheduler.info, id: framework_id }];
  agent.reregister({ frameworks, executor_infos: [executor] });
  assert.deepEqual(agent.take('ShutdownExecutorMessage'), { executor_id: { value: 'e' }, framework_id });
  agent.breakConnection();
  agent.reregister({ frameworks });
  assert.equal(agent.has('ShutdownExecutorMessage'), false);
});

/** Both agent ids of one process that sends two registrations while the registry is being written. */
function crossedRegistrations(send: (agent: TestAgent, own: AgentId) => void) {
  const world = createWorld();
  const agent = world.agent();
  const own = agent.id;
  const scheduler = world.subscribe();
  agent.say({ name: 'UnregisterAgentMessage', body: { agent_id: { value: own } } });
  agent.received.splice(0);
  scheduler.events.splice(0);
  world.holdStore(true);
  send(agent, own);
  world.holdStore(false);
  world.answerStore();
  world.wait(10_000);
  return { world, agent, own, scheduler };
}

const registrations: Readonly<Record<string, (agent: TestAgent, own: AgentId) => void>> = {
  'a first registration, then a return': (agent, own) => {
    agent.register();
    agent.reregister({ agent: { ...agent.info, id: { value: own } } });
  },
  'a return, then a first registration': (agent, own) => {
    agent.reregister({ agent: { ...agent.info, id: { value: own } } });
    agent.register();
  },
  'a return, then a return under another id': (agent, own) => {
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
  test(`one pid registers as one agent while the registry is being written (AGENTS-1): ${name}`, () => {
    const { world, agent, own, scheduler } = crossedRegistrations(send);
    const { agents, registrar } = world.master.state;
    assert.deepEqual([...agents.registered.keys()], [own]);
    assert.deepEqual([...agents.byPid], [[agent.pid, own]]);
    assert.deepEqual([...registrar.durable.agents.keys()], [own], 'nothing else is left in the registry');
    assert.equal(agent.has('AgentRegisteredMessage'), false, 'an agent that has an id gets no other one');
    assert.equal(agent.take('AgentReregisteredMessage').agent_id.value, own);
    assert.equal(scheduler.has('FAILURE'), false);
    assert.equal(agents.reregisteringByPid.size + agents.registering.size + agents.transitions.size, 0);
  });
}
