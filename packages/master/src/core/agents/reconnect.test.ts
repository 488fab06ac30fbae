import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { AgentId, Pid } from '@meseta/base';
import type { ExecutorInfo } from '@meseta/wire';
import { bytesOfUuid } from '@meseta/wire/uuid';
import { createWorld, MASTER_ID, resources, type TestAgent, task, type World } from '../testing.js';

test('a task that was lost with the connection and runs on is killed when the agent re-registers', () => {
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

test('REGISTRAR-1: an agent that unregisters while its re-registration is written gets no AgentReregisteredMessage', () => {
  const world = createWorld();
  const [agent, other] = [world.agent(), world.agent('cpus:1', { silent: true })];
  agent.breakConnection();
  const before = world.persisted.length;
  world.holdStore(true);
  other.register();
  agent.reregister();
  agent.say({ name: 'UnregisterAgentMessage', body: { agent_id: { value: agent.id } } });
  assert.deepEqual(
    world.persisted.slice(before).map(({ kind }) => kind),
    ['admitAgent'],
    'the removal waits until the store is free',
  );
  world.holdStore(false);
  world.answerStore();
  assert.equal(world.master.state.registrar.durable.agents.has(agent.id), false);
  assert.equal(agent.has('AgentReregisteredMessage'), false);
  assert.deepEqual([...world.master.state.agents.registered.keys()], [other.id]);
});

test('an agent re-registers at a pid that has got another id meanwhile: that agent is removed', () => {
  const world = createWorld();
  const agent = world.agent();
  const own = agent.id;
  agent.breakConnection();
  // An earlier try of the same process arrives late: the master registers it as a new agent.
  agent.register();
  assert.deepEqual([...world.master.state.agents.registered.keys()], [`${MASTER_ID}-S1`]);
  agent.reregister({ agent: { ...agent.info, id: { value: own } } });
  assert.deepEqual([...world.master.state.agents.registered.keys()], [own]);
  assert.equal(world.master.state.agents.byPid.get(agent.pid), own);
  assert.equal(world.master.state.registrar.durable.agents.has(`${MASTER_ID}-S1` as AgentId), false);
});

test('an executor that was released with the connection and runs on is shut down when the agent re-registers', () => {
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
  test(`AGENTS-1: a pid registers as one agent while the registry is written: ${name}`, () => {
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

/** A launched task of a framework, on an agent that keeps both over a broken connection. */
function running(world: World) {
  const agent = world.agent('cpus:4;mem:4096');
  const scheduler = world.subscribe({ checkpoint: true });
  const offer = scheduler.offer();
  scheduler.launch(offer, task('t', offer));
  const framework_id = { value: scheduler.id };
  const known = { name: 't', task_id: { value: 't' }, framework_id, agent_id: { value: agent.id } };
  return { agent, scheduler, framework_id, known };
}

const recordOf = (world: World, { id }: TestAgent) => world.master.state.agents.registered.get(id);

test('an agent that re-registers in time keeps its record except for the reported fields, and does not become unreachable', () => {
  const world = createWorld();
  const { agent, known } = running(world);
  agent.breakConnection();
  world.wait(1_000);
  agent.reregister({ tasks: [{ ...known, state: 'TASK_RUNNING' }] });
  const record = recordOf(world, agent);
  assert.deepEqual(
    [record?.connected, record?.version, record?.reregisteredAtMs],
    [true, '1.12.0', world.now().wallMs],
  );
  agent.reregister({ version: '1.13.0', agent_capabilities: [] });
  assert.deepEqual([recordOf(world, agent)?.version, recordOf(world, agent)?.capabilities.size], ['1.13.0', 0]);
  assert.ok(
    world.notes.some(
      (it) => it.kind === 'log' && it.text === `agent ${agent.id} registered again at ${agent.pid} (agent0)`,
    ),
  );
  world.wait(1_200_000);
  assert.equal(recordOf(world, agent)?.connected, true);
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

test('an agent that re-registers at another port is linked and accepted there, and no longer at its old pid', () => {
  const world = createWorld();
  const { agent, known } = running(world);
  const moved = agent.pid.replace('5051', '5052') as Pid;
  const body = {
    agent: { ...agent.info, id: { value: agent.id } },
    version: '1.12.0',
    tasks: [{ ...known, state: 'TASK_RUNNING' as const }],
  };
  world.effects.splice(0);
  world.feed({ kind: 'message', from: moved, principal: undefined, message: { name: 'ReregisterAgentMessage', body } });
  const links = world.effects.flatMap((it) => (it.kind === 'link' || it.kind === 'unlink' ? [[it.kind, it.to]] : []));
  assert.deepEqual(links, [
    ['unlink', agent.pid],
    ['link', moved],
  ]);
  const { byPid } = world.master.state.agents;
  assert.deepEqual([byPid.get(agent.pid), byPid.get(moved)], [undefined, agent.id]);
  world.effects.splice(0);
  world.feed({ kind: 'message', from: moved, principal: undefined, message: { name: 'ReregisterAgentMessage', body } });
  assert.equal(
    world.effects.some(({ kind }) => kind === 'unlink'),
    false,
  );
});

test('offers of an agent stay if it re-registers with the same resources, and are rescinded otherwise', () => {
  const world = createWorld();
  const agent = world.agent('cpus:4;mem:4096');
  const scheduler = world.subscribe();
  world.wait(1_000);
  const offer = scheduler.offer();
  agent.reregister({ resource_version_uuid: { value: bytesOfUuid('99999999-9999-4999-8999-999999999999') } });
  assert.equal(scheduler.has('RESCIND'), false);
  agent.reregister({
    agent: { ...agent.info, id: { value: agent.id }, resources: resources('cpus:8;mem:4096') },
    resource_version_uuid: { value: bytesOfUuid('99999999-9999-4999-8999-99999999999a') },
  });
  assert.deepEqual(scheduler.take('RESCIND').rescind?.offer_id, offer.id);
  world.wait(2_000);
  assert.deepEqual(scheduler.offer().resources?.find(({ name }) => name === 'cpus')?.scalar, { value: 8 });
});

test('a retry of an accepted re-registration changes no resources and removes no executor', () => {
  const world = createWorld();
  const agent = world.agent('cpus:4;mem:4096');
  const scheduler = world.subscribe({ checkpoint: true });
  const offer = scheduler.offer();
  const { command: _, ...own } = task('t', offer);
  const framework_id = { value: scheduler.id };
  const executors = ['e', 'f'].map(
    (id): ExecutorInfo => ({
      type: 'CUSTOM',
      executor_id: { value: id },
      framework_id,
      resources: own.resources,
      command: { value: './executor' },
    }),
  );
  const tasks = executors.map((executor, n) => ({ ...own, task_id: { value: `t${n}` }, executor }));
  scheduler.launch(offer, ...tasks);
  const executorsNow = () => [...(recordOf(world, agent)?.executors.get(scheduler.id)?.keys() ?? [])];
  const version = (n: number) => ({ value: bytesOfUuid(`99999999-9999-4999-8999-99999999999${n}`) });
  const more = { frameworks: [{ ...scheduler.info, id: framework_id }] };
  const other = { ...agent.info, id: { value: agent.id }, resources: resources('cpus:8;mem:4096') };
  agent.reregister({ ...more, executor_infos: executors, resource_version_uuid: version(1) });
  assert.deepEqual(executorsNow(), ['e', 'f']);
  const before = recordOf(world, agent)?.totalResources;
  agent.reregister({ ...more, agent: other, resource_version_uuid: version(1) });
  assert.deepEqual([executorsNow(), recordOf(world, agent)?.totalResources], [['e', 'f'], before], 'a second try');
  agent.reregister({ ...more, executor_infos: executors.slice(1), resource_version_uuid: version(2) });
  assert.deepEqual(executorsNow(), ['f'], 'another registration');
  agent.breakConnection();
  agent.reregister({ ...more, resource_version_uuid: version(2) });
  assert.deepEqual(executorsNow(), [], 'the same version over another connection');
});

test('tasks that a re-registration lacks are reconciled with the agent, one message per framework', () => {
  for (const capabilities of [[{ type: 'PARTITION_AWARE' as const }], []]) {
    const world = createWorld();
    const agent = world.agent('cpus:4;mem:4096');
    const scheduler = world.subscribe({ checkpoint: true, capabilities: [{ type: 'MULTI_ROLE' }, ...capabilities] });
    const offer = scheduler.offer();
    scheduler.launch(offer, task('kept', offer), task('missing', offer));
    const framework_id = { value: scheduler.id };
    const known = { name: 't', task_id: { value: 'kept' }, framework_id, agent_id: { value: agent.id } };
    agent.reregister({ tasks: [{ ...known, state: 'TASK_RUNNING' }] });
    const { reconciliations } = agent.take('AgentReregisteredMessage');
    assert.deepEqual(
      reconciliations?.map(({ framework, ...rest }) => ({ ...rest, name: framework?.name })),
      [
        {
          framework_id,
          name: 'test',
          statuses: [
            {
              task_id: { value: 'missing' },
              state: capabilities.length === 0 ? 'TASK_LOST' : 'TASK_DROPPED',
              message: 'Reconciliation: Task is unknown to the agent',
              agent_id: { value: agent.id },
              timestamp: world.now().wallMs / 1000,
              source: 'SOURCE_MASTER',
              reason: 'REASON_RECONCILIATION',
            },
          ],
        },
      ],
    );
    const both = ['kept', 'missing'].map((id) => ({
      ...known,
      task_id: { value: id },
      state: 'TASK_RUNNING' as const,
    }));
    agent.reregister({ tasks: both });
    assert.equal(agent.take('AgentReregisteredMessage').reconciliations, undefined);
  }
});

test('a re-registered agent gets ShutdownFramework for frameworks that have ended and UpdateFramework for the others', () => {
  const world = createWorld();
  const { agent, scheduler, framework_id, known } = running(world);
  const nameless = { user: 'root', name: 'nameless' };
  const frameworks = [{ ...scheduler.info, id: framework_id }, { ...scheduler.info, id: { value: 'ended' } }, nameless];
  const ofEnded = { framework_id: { value: 'ended' } };
  agent.received.splice(1);
  agent.reregister({
    frameworks,
    tasks: [
      { ...known, state: 'TASK_RUNNING' },
      { ...known, ...ofEnded, state: 'TASK_RUNNING' },
    ],
    executor_infos: [{ executor_id: { value: 'e' }, ...ofEnded }, { executor_id: { value: 'e' } }],
  });
  const sent = agent.received.flatMap(({ name, body }) => ('framework_id' in body ? [[name, body.framework_id]] : []));
  assert.deepEqual(sent, [
    ['UpdateFrameworkMessage', framework_id],
    ['ShutdownFrameworkMessage', { value: 'ended' }],
  ]);
});

test('MASTER-STATE-4: resources of a task that the agent lacks are offered after the agent has reconciled the task', () => {
  const world = createWorld();
  const agent = world.agent('cpus:4;mem:4096');
  const scheduler = world.subscribe({ checkpoint: true, roles: ['web'] });
  const offer = scheduler.offer();
  const all = (offer.resources ?? []).filter(({ name }) => name === 'mem' || name === 'cpus');
  scheduler.launch(offer, { ...task('missing', offer), resources: all });
  // An UNRESERVE freed the reservation for this task; neither has reached the agent.
  const checkpointed = resources('mem:1024').map(({ role: _, ...rest }) => ({
    ...rest,
    reservations: [{ role: 'web', type: 'DYNAMIC' as const }],
  }));
  agent.breakConnection();
  agent.reregister({ checkpointed_resources: checkpointed });
  world.wait(1_000);
  const offered = () =>
    (scheduler.offer().resources ?? []).map(({ name, scalar, role }) => [name, scalar?.value, role]);
  assert.deepEqual(offered(), [['mem', 1024, 'web']], 'the reservation alone is free');
  agent.update(scheduler, 'missing', 'TASK_LOST');
  world.wait(1_000);
  assert.deepEqual(offered().sort(), [
    ['cpus', 4, '*'],
    ['mem', 3072, '*'],
  ]);
});
