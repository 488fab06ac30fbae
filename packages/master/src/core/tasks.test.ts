import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type AgentId, LIMITS, present, type TaskId } from '@meseta/base';
import type { ExecutorInfo, Resource, Task, TaskInfo, TaskStatus } from '@meseta/wire';
import { bytesOfUuid } from '@meseta/wire/uuid';
import { byRole, taskOf, usedOnAgent } from './tasks.js';
import { createWorld, MASTER_ID, task } from './testing.js';

test('a task that goes back and forth between states keeps its last 256 statuses', () => {
  const world = createWorld();
  const agent = world.agent();
  const scheduler = world.subscribe();
  world.wait(1_000);
  const offer = scheduler.offer();
  scheduler.launch(offer, task('t', offer));
  for (let i = 0; i < 200; i++) {
    for (const state of ['TASK_RUNNING', 'TASK_STARTING'] as const) {
      agent.update(scheduler, 't', state);
      scheduler.acknowledge(scheduler.status());
    }
  }
  const known = world.master.state.frameworks.get(scheduler.id)?.tasks.get('t' as TaskId);
  assert.equal(known?.statuses?.length, LIMITS.statuses.most);
  assert.equal(known?.statuses?.at(-1)?.state, 'TASK_STARTING');
});

const cpus = (value: number, role = 'a'): Resource => ({
  name: 'cpus',
  type: 'SCALAR',
  scalar: { value },
  allocation_info: { role },
});

test('resources are grouped by allocation role in their order; those without one belong to *', () => {
  const { allocation_info: _, ...plain } = cpus(4);
  const list = [cpus(1), cpus(2, 'b'), cpus(3), plain];
  assert.deepEqual(
    [...byRole(list)],
    [
      ['a', [cpus(1), cpus(3)]],
      ['b', [cpus(2, 'b')]],
      ['*', [plain]],
    ],
  );
});

test('a task is recorded with what operators look at, without its command, data and secrets', () => {
  const world = createWorld();
  const agent = world.agent();
  const scheduler = world.subscribe();
  const context = { state: world.master.state, now: world.now(), effects: [] };
  const placed = {
    framework: present(world.master.state.frameworks.get(scheduler.id), 'framework'),
    agent: present(world.master.state.agents.registered.get(agent.id), 'agent'),
  };
  const executor: ExecutorInfo = { executor_id: { value: 'e' }, command: { value: 'x', user: 'of-executor' } };
  const kept = {
    labels: { labels: [{ key: 'k' }] },
    discovery: { visibility: 'CLUSTER' as const },
    container: { type: 'MESOS' as const },
    health_check: { type: 'COMMAND' as const, command: { value: 'true' } },
    kill_policy: { grace_period: { nanoseconds: 5 } },
    limits: { cpus: { value: 1 } },
  };
  const info: TaskInfo = { name: 'n', task_id: { value: 't' }, agent_id: { value: agent.id }, data: 'AAAA', ...kept };
  const known = {
    name: 'n',
    task_id: { value: 't' },
    framework_id: { value: scheduler.id },
    agent_id: { value: agent.id },
    state: 'TASK_STAGING' as const,
    resources: [],
  };
  assert.deepEqual(taskOf(context, info, { ...placed, executor: undefined }), { ...known, ...kept });
  const bare: TaskInfo = { name: 'n', task_id: { value: 't' }, agent_id: { value: agent.id } };
  assert.deepEqual(taskOf(context, bare, { ...placed, executor: undefined }), known);
  const users: readonly (readonly [more: Partial<TaskInfo>, user: string | undefined])[] = [
    [{ command: { value: 'x', user: 'own' } }, 'own'],
    [{ command: { value: 'x', user: 'own' }, executor }, 'own'],
    [{ command: { value: 'x' }, executor }, 'of-executor'],
    [{ executor }, 'of-executor'],
    [{ executor: { executor_id: { value: 'e' } } }, undefined],
    [{ command: { value: 'x' } }, undefined],
  ];
  for (const [more, user] of users) {
    const task = taskOf(context, { ...bare, ...more }, { ...placed, executor: more.executor });
    assert.equal(task.user, user, JSON.stringify(more));
    assert.deepEqual(task.executor_id, more.executor?.executor_id);
  }
});

test('used resources are those of live tasks and of executors', () => {
  const world = createWorld();
  const agents = [world.agent('cpus:4;mem:4096'), world.agent('cpus:4;mem:4096')];
  const scheduler = world.subscribe();
  const { offers = [] } = scheduler.take('OFFERS').offers ?? {};
  for (const [n, offer] of offers.entries()) {
    const { command: _, ...own } = task(`custom${n}`, offer);
    const executor: ExecutorInfo = {
      type: 'CUSTOM',
      executor_id: { value: `e${n}` },
      framework_id: { value: scheduler.id },
      resources: own.resources,
      command: { value: './executor' },
    };
    scheduler.launch(offer, task(`lives${n}`, offer), task(`ends${n}`, offer), { ...own, executor });
  }
  const state = world.master.state;
  const framework = present(state.frameworks.get(scheduler.id), 'framework');
  const amounts = (used: ReadonlyMap<string, readonly Resource[]>) =>
    [...used].map(([id, list]) => [id, Object.fromEntries(list.map(({ name, scalar }) => [name, scalar?.value]))]);
  const context = { state, now: world.now(), effects: [] };
  const usedOnAgentById = (id: AgentId) => amounts(usedOnAgent(context, present(state.agents.registered.get(id), id)));
  const ids = offers.map(({ agent_id }) => agent_id.value);
  assert.deepEqual([...ids].sort(), agents.map(({ id }) => id).sort());
  const four = { cpus: 0.4, mem: 128 };
  for (const { id } of agents) assert.deepEqual(usedOnAgentById(id), [[scheduler.id, four]]);
  const [first = ''] = ids;
  const [agent] = agents.filter(({ id }) => id === first);
  agent?.update(scheduler, 'ends0', 'TASK_FINISHED');
  assert.deepEqual(usedOnAgentById(first as AgentId), [[scheduler.id, { cpus: 0.3, mem: 96 }]]);
  const gone = {
    agent_id: { value: first },
    framework_id: { value: scheduler.id },
    executor_id: { value: 'e0' },
    status: 0,
  };
  agent?.send({ name: 'ExitedExecutorMessage', body: gone });
  assert.deepEqual(usedOnAgentById(first as AgentId), [[scheduler.id, { cpus: 0.2, mem: 64 }]]);
  assert.deepEqual([framework.executors.has(first as AgentId), framework.executors.size], [false, 1]);
  assert.equal(state.agents.registered.get(first as AgentId)?.executors.size, 0);
});

test('a recorded status has no data, and consecutive equal states are one entry', () => {
  const world = createWorld();
  const agent = world.agent();
  const scheduler = world.subscribe();
  const offer = scheduler.offer();
  scheduler.launch(offer, task('t', offer));
  const sendStatus = (state: TaskStatus['state'], n: number, more: Partial<TaskStatus> = {}): void => {
    const uuid = bytesOfUuid(`00000000-0000-4000-8000-00000000000${n}`);
    const status = { task_id: { value: 't' }, agent_id: { value: agent.id }, state, uuid, data: 'AAAA', ...more };
    const update = { framework_id: { value: scheduler.id }, agent_id: { value: agent.id }, status, timestamp: 1, uuid };
    agent.send({ name: 'StatusUpdateMessage', body: { update } });
    assert.equal(scheduler.status().data, 'AAAA');
  };
  const kept = () => {
    const { statuses = [] } = world.master.state.frameworks.get(scheduler.id)?.tasks.get('t' as TaskId) ?? {};
    return statuses.map(({ state, message, data }) => [state, message, data]);
  };
  sendStatus('TASK_STARTING', 1);
  sendStatus('TASK_RUNNING', 2, { message: 'first' });
  sendStatus('TASK_RUNNING', 3, { message: 'second' });
  assert.deepEqual(kept(), [
    ['TASK_STARTING', undefined, undefined],
    ['TASK_RUNNING', 'second', undefined],
  ]);
  const taskUpdates = () => world.notes.filter(({ kind }) => kind === 'taskUpdated').length;
  assert.equal(taskUpdates(), 2, 'one note for consecutive equal states');
  for (const reason of ['REASON_TASK_CHECK_STATUS_UPDATED', 'REASON_TASK_HEALTH_CHECK_STATUS_UPDATED'] as const) {
    const before = taskUpdates();
    sendStatus('TASK_RUNNING', before + 2, { reason });
    assert.equal(taskUpdates(), before + 1, reason);
  }
});

test('SECRETS-1: a task that an agent reports at its re-registration is recorded without secrets, with its statuses and labels', () => {
  const world = createWorld();
  const agent = world.agent('cpus:4;mem:4096', { unregistered: true });
  const scheduler = world.subscribe();
  const framework_id = { value: scheduler.id };
  const agent_id = { value: `${MASTER_ID}-S7` };
  const variable = (secret: object) => ({
    environment: { variables: [{ name: 'PASSWORD', type: 'SECRET', ...secret }] },
  });
  const parts = (secret: object) => ({
    container: { type: 'MESOS', mesos: { image: { type: 'DOCKER', docker: { name: 'i', config: secret } } } },
    health_check: { type: 'COMMAND', command: { value: 'true', ...variable({ secret }) } },
  });
  const labels = { labels: [{ key: 'k' }] };
  const statuses: readonly TaskStatus[] = [
    { task_id: { value: 't' }, state: 'TASK_STARTING' },
    { task_id: { value: 't' }, state: 'TASK_RUNNING', executor_id: { value: 'e' } },
  ];
  const known = { name: 't', task_id: { value: 't' }, framework_id, agent_id, state: 'TASK_RUNNING' as const };
  const full = { ...known, labels, statuses, ...parts({ type: 'VALUE', value: { data: 'c2VjcmV0' } }) } as Task;
  agent.send({
    name: 'ReregisterAgentMessage',
    body: {
      agent: { ...agent.info, id: agent_id },
      version: '1.12.0',
      frameworks: [{ ...scheduler.info, id: framework_id }],
      tasks: [full, { ...known, task_id: { value: 'bare' } }],
    },
  });
  const tasks = world.master.state.frameworks.get(scheduler.id)?.tasks;
  const { resources: _, ...kept } = tasks?.get('t' as TaskId) ?? {};
  assert.deepEqual(kept, { ...known, labels, statuses, ...parts({ type: 'VALUE' }) });
  const { resources: none, ...bare } = tasks?.get('bare' as TaskId) ?? {};
  assert.deepEqual([none, bare], [[], { ...known, task_id: { value: 'bare' } }]);
});
