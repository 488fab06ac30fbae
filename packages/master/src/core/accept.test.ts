import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { OfferId, TaskId } from '@meseta/base';
import { quantitiesOf, quantitiesToRecord } from '@meseta/resources';
import type { Offer, OfferOperation, Resource, TaskInfo } from '@meseta/wire';
import { createWorld, resources, type TestScheduler, task } from './testing.js';

const refined = { capabilities: [{ type: 'MULTI_ROLE' }, { type: 'RESERVATION_REFINEMENT' }] } as const;

const accept = (scheduler: TestScheduler, offers: readonly Offer[], operations: readonly OfferOperation[]) =>
  scheduler.call({
    type: 'ACCEPT',
    accept: { offer_ids: offers.map(({ id }) => id), operations, filters: { refuse_seconds: 0 } },
  });

const reserved = (text: string, role: string, offer: Offer): Resource[] =>
  resources(text, offer).map((r) => ({ ...r, reservations: [{ type: 'DYNAMIC', role }] }));

test('an invalid task is TASK_ERROR and the message names the field; the resources of the offer are returned', () => {
  const cases: readonly (readonly [string, (t: TaskInfo, offer: Offer) => TaskInfo, RegExp])[] = [
    ['no resources', (t) => ({ ...t, resources: [] }), /task\.resources/],
    ['too much', (t, o) => ({ ...t, resources: resources('cpus:1000;mem:32', o) }), /offer/],
    ['unknown', (t, o) => ({ ...t, resources: resources('cpus:0.1;unobtainium:1', o) }), /offer/],
    ['unknown port', (t, o) => ({ ...t, resources: resources('cpus:0.1;ports:[80-80]', o) }), /offer/],
    [
      'negative',
      (t) => ({ ...t, resources: [{ name: 'cpus', type: 'SCALAR', scalar: { value: -1 } }] }),
      /task\.resources\[0\]/,
    ],
    [
      'other role',
      (t) => ({ ...t, resources: (t.resources ?? []).map((r) => ({ ...r, allocation_info: { role: 'other' } })) }),
      /offer/,
    ],
    ['no command', ({ command: _, ...t }) => t, /exactly one/],
    ['both', (t) => ({ ...t, executor: { executor_id: { value: 'e' }, command: { value: 'x' } } }), /exactly one/],
    ['agent', (t) => ({ ...t, agent_id: { value: 'x' } }), /task\.agent_id/],
    ['slash', (t) => ({ ...t, task_id: { value: 'a/b' } }), /task\.task_id/],
    ['dot', (t) => ({ ...t, task_id: { value: '.' } }), /task\.task_id/],
    ['empty', (t) => ({ ...t, task_id: { value: '' } }), /task\.task_id/],
    ['long', (t) => ({ ...t, task_id: { value: 'y'.repeat(300) } }), /task\.task_id/],
    ['grace', (t) => ({ ...t, kill_policy: { grace_period: { nanoseconds: -1 } } }), /kill_policy/],
    ['completion', (t) => ({ ...t, max_completion_time: { nanoseconds: -1 } }), /max_completion_time/],
    ['health body', (t) => ({ ...t, health_check: { type: 'HTTP' } }), /health_check\.http/],
    [
      'health delay',
      (t) => ({ ...t, health_check: { type: 'COMMAND', command: { value: 'true' }, delay_seconds: -1 } }),
      /health_check\.delay_seconds/,
    ],
    ['check', (t) => ({ ...t, check: { type: 'TCP' } }), /check\.tcp/],
    [
      'environment',
      (t) => ({ ...t, command: { value: 'x', environment: { variables: [{ name: 'A' }] } } }),
      /environment\.variables\[0\]\.value/,
    ],
    [
      'executor id',
      ({ command: _, ...t }) => ({ ...t, executor: { executor_id: { value: '' }, command: { value: 'x' } } }),
      /executor\.executor_id/,
    ],
    [
      'default executor',
      ({ command: _, ...t }) => ({ ...t, executor: { type: 'DEFAULT', executor_id: { value: 'd' } } }),
      /LAUNCH_GROUP/,
    ],
    ['limit below request', (t) => ({ ...t, limits: { cpus: { value: 0.01 } } }), /task\.limits/],
    ['limit of disk', (t) => ({ ...t, limits: { disk: { value: 1 } } }), /task\.limits/],
    ['gpus', (t, o) => ({ ...t, resources: resources('cpus:0.1;gpus:0.5', o) }), /gpus/],
  ];
  const world = createWorld();
  const agent = world.agent();
  const scheduler = world.subscribe();
  for (const [label, make, message] of cases) {
    world.wait(3_000);
    const offer = scheduler.offer();
    assert.equal(scheduler.launch(offer, make(task('bad', offer), offer))?.status, 202);
    const status = scheduler.status();
    assert.deepEqual([status.state, status.reason], ['TASK_ERROR', 'REASON_TASK_INVALID'], label);
    assert.match(status.message ?? '', message, label);
  }
  assert.equal(agent.has('RunTaskMessage'), false);
  assert.equal(world.master.state.frameworks.get(scheduler.id)?.tasks.size, 0);
});

test('a task is valid with zero cpus and some mem, a health check without a type, or the id of a completed task', () => {
  const world = createWorld();
  const agent = world.agent();
  const scheduler = world.subscribe();
  world.wait(1_000);
  const offer = scheduler.offer();
  const zero: Resource = { name: 'cpus', type: 'SCALAR', scalar: { value: 0 } };
  scheduler.launch(
    offer,
    task('zero', offer, { resources: [zero, ...resources('mem:32')] }),
    task('health', offer, { health_check: { command: { value: 'true' } } }),
  );
  assert.equal(agent.take('RunTaskMessage').task.task_id.value, 'zero');
  assert.equal(agent.take('RunTaskMessage').task.health_check?.type, 'COMMAND');
  agent.update(scheduler, 'zero', 'TASK_FINISHED');
  world.wait(2_000);
  const second = scheduler.offer();
  scheduler.launch(second, task('zero', second));
  assert.deepEqual(scheduler.status().state, 'TASK_FINISHED');
  assert.equal(scheduler.status().state, 'TASK_ERROR', 'terminal, but not acknowledged');
});

test('one invalid offer fails the call: each task is LOST or DROPPED, only operations with an id get an error', () => {
  const world = createWorld();
  world.agent();
  const scheduler = world.subscribe();
  world.wait(1_000);
  const offer = scheduler.offer();
  scheduler.launch(offer, task('first', offer));
  const again: readonly OfferOperation[] = [
    { type: 'LAUNCH', launch: { task_infos: [task('second', offer)] } },
    { type: 'RESERVE', id: { value: 'op' }, reserve: { resources: [] } },
    { type: 'RESERVE', reserve: { resources: [] } },
  ];
  assert.equal(accept(scheduler, [offer], again)?.status, 202);
  const status = scheduler.status();
  assert.deepEqual([status.state, status.reason], ['TASK_LOST', 'REASON_INVALID_OFFERS']);
  const { status: operation } = scheduler.take('UPDATE_OPERATION_STATUS').update_operation_status ?? {};
  assert.deepEqual(
    [operation?.state, operation?.operation_id?.value, operation?.uuid],
    ['OPERATION_ERROR', 'op', undefined],
  );
  assert.equal(scheduler.has('UPDATE_OPERATION_STATUS'), false);
  assert.equal(accept(scheduler, [], [])?.status, 202);
});

test("another framework's offer is neither used nor removed", () => {
  const world = createWorld();
  world.agent();
  const owner = world.subscribe();
  world.wait(1_000);
  const offer = owner.offer();
  const thief = world.subscribe();
  thief.call({ type: 'DECLINE', decline: { offer_ids: [offer.id] } });
  thief.launch(offer, task('t', offer));
  assert.equal(thief.status().reason, 'REASON_INVALID_OFFERS');
  assert.equal(world.master.state.offers.has(offer.id.value as OfferId), true);
  assert.equal(owner.has('RESCIND'), false);
});

test('an offer is rescinded after --offer_timeout', () => {
  const world = createWorld({ offerTimeoutMs: 500 });
  world.agent();
  const scheduler = world.subscribe();
  world.wait(400);
  const offer = scheduler.offer();
  world.wait(200);
  assert.equal(scheduler.take('RESCIND').rescind?.offer_id.value, offer.id.value);
  scheduler.launch(offer, task('late', offer));
  assert.equal(scheduler.status().state, 'TASK_LOST');
});

test('a custom executor is charged once, and its info may not change while it runs', () => {
  const world = createWorld();
  const agent = world.agent();
  const scheduler = world.subscribe();
  const executor = (offer: Offer, command = 'run') => ({
    executor_id: { value: 'e' },
    command: { value: command },
    resources: resources('cpus:1;mem:64', offer),
  });
  const launch = (id: string, command?: string): void => {
    world.wait(2_000);
    const offer = scheduler.offer();
    const { command: _, ...bare } = task(id, offer);
    scheduler.launch(offer, { ...bare, executor: executor(offer, command) });
  };
  launch('a');
  assert.equal(agent.take('RunTaskMessage').launch_executor, true);
  launch('b');
  assert.equal(agent.take('RunTaskMessage').launch_executor, false);
  launch('c', 'other');
  assert.match(scheduler.status().message ?? '', /ExecutorInfo/);
  const consumed = quantitiesToRecord(world.master.state.allocator.roleUsage('*').consumed);
  assert.deepEqual([consumed['cpus'], consumed['mem']], [1.2, 128]);
  const exited = {
    agent_id: { value: agent.id },
    framework_id: { value: scheduler.id },
    executor_id: { value: 'e' },
    status: 9,
  };
  agent.send({ name: 'ExitedExecutorMessage', body: exited });
  assert.deepEqual(scheduler.take('FAILURE').failure?.status, 9);
  assert.equal(quantitiesToRecord(world.master.state.allocator.roleUsage('*').consumed)['cpus'], 0.2);
});

test('LAUNCH_GROUP: all or none, and every task gets the first error', () => {
  const world = createWorld();
  const agent = world.agent();
  const scheduler = world.subscribe();
  const group = (offer: Offer, ...tasks: TaskInfo[]): OfferOperation => ({
    type: 'LAUNCH_GROUP',
    launch_group: {
      executor: {
        type: 'DEFAULT',
        executor_id: { value: 'pod' },
        framework_id: { value: scheduler.id },
        resources: resources('cpus:0.1;mem:32;disk:10', offer),
      },
      task_group: { tasks },
    },
  });
  world.wait(1_000);
  const offer = scheduler.offer();
  accept(scheduler, [offer], [group(offer, task('a', offer), task('b', offer, { resources: [] }))]);
  const [a, b] = [scheduler.status(), scheduler.status()];
  assert.deepEqual([a.reason, b.reason], ['REASON_TASK_GROUP_INVALID', 'REASON_TASK_GROUP_INVALID']);
  assert.equal(a.message, b.message);
  world.wait(2_000);
  const second = scheduler.offer();
  accept(scheduler, [second], [group(second, task('a', second), task('b', second))]);
  const run = agent.take('RunTaskGroupMessage');
  assert.deepEqual(
    run.task_group.tasks?.map((t) => t.task_id.value),
    ['a', 'b'],
  );
  const framework = world.master.state.frameworks.get(scheduler.id);
  assert.deepEqual(
    [...(framework?.tasks.values() ?? [])].map((t) => t.executor_id?.value),
    ['pod', 'pod'],
  );
});

test('RESERVE and LAUNCH in one call; the rest of the reservation is offered, and unreserved', () => {
  const world = createWorld();
  const agent = world.agent();
  const scheduler = world.subscribe({ ...refined, roles: ['web'] });
  world.wait(1_000);
  const offer = scheduler.offer();
  const mine = reserved('cpus:1;mem:64', 'web', offer);
  accept(
    scheduler,
    [offer],
    [
      { type: 'RESERVE', reserve: { resources: mine } },
      { type: 'LAUNCH', launch: { task_infos: [task('t', offer, { resources: mine })] } },
    ],
  );
  assert.equal(agent.take('ApplyOperationMessage').operation_info.reserve?.resources?.[0]?.allocation_info, undefined);
  assert.equal(agent.has('RunTaskMessage'), true);
  const record = world.master.state.agents.registered.get(agent.id);
  assert.equal(record?.checkpointedResources.length, 2);
  agent.update(scheduler, 't', 'TASK_FINISHED');
  world.wait(2_000);
  const offers = scheduler.events.flatMap((event) => event.offers?.offers ?? []);
  const free = offers.find((o) => o.resources?.some((r) => r.reservations !== undefined));
  assert.notEqual(free, undefined, 'offered to its role again');
});

test('an invalid RESERVE changes nothing; with an id it is an OPERATION_ERROR', () => {
  const world = createWorld();
  const agent = world.agent();
  const scheduler = world.subscribe({ ...refined, roles: ['web'] });
  const cases: readonly (readonly [string, (offer: Offer) => readonly Resource[], RegExp])[] = [
    ['other role', (o) => reserved('cpus:1', 'db', o), /role/],
    ['too much', (o) => reserved('cpus:100', 'web', o), /./],
    ['not reserved', (o) => resources('cpus:1', o), /dynamic/],
    ['star', (o) => reserved('cpus:1', '*', o), /./],
    ['nothing', () => [], /at least one/],
  ];
  for (const [label, make, text] of cases) {
    world.wait(3_000);
    const offer = scheduler.offer();
    accept(scheduler, [offer], [{ type: 'RESERVE', id: { value: 'op' }, reserve: { resources: make(offer) } }]);
    const { status } = scheduler.take('UPDATE_OPERATION_STATUS').update_operation_status ?? {};
    assert.equal(status?.state, 'OPERATION_ERROR', label);
    assert.match(status?.message ?? '', text, label);
  }
  assert.equal(agent.has('ApplyOperationMessage'), false);
  assert.equal(world.master.state.operations.size, 0);
});

test('the status of an operation with an id has a uuid; the operation is recorded until the acknowledgement; a reconciliation has no uuid', () => {
  const world = createWorld();
  const agent = world.agent();
  const scheduler = world.subscribe({ ...refined, roles: ['web'] });
  world.wait(1_000);
  const offer = scheduler.offer();
  const operation_id = { value: 'op1' };
  const resourcesOf = reserved('cpus:1', 'web', offer);
  accept(scheduler, [offer], [{ type: 'RESERVE', id: operation_id, reserve: { resources: resourcesOf } }]);
  const { operation_uuid } = agent.take('ApplyOperationMessage');
  const uuid = { value: 'DN1KXCiXRXGIg9pO8WEyig==' };
  const status = { operation_id, state: 'OPERATION_FINISHED' as const, uuid, agent_id: { value: agent.id } };
  agent.send({
    name: 'UpdateOperationStatusMessage',
    body: {
      framework_id: { value: scheduler.id },
      agent_id: { value: agent.id },
      status,
      latest_status: status,
      operation_uuid,
    },
  });
  assert.deepEqual(scheduler.take('UPDATE_OPERATION_STATUS').update_operation_status?.status, status);
  const operations = [{ operation_id }, { operation_id: { value: 'ghost' } }];
  scheduler.call({ type: 'RECONCILE_OPERATIONS', reconcile_operations: { operations } });
  const answers = [1, 2].map(() => scheduler.take('UPDATE_OPERATION_STATUS').update_operation_status?.status);
  assert.deepEqual(
    answers.map((answer) => [answer?.state, answer?.uuid]),
    [
      ['OPERATION_FINISHED', undefined],
      ['OPERATION_UNKNOWN', undefined],
    ],
  );
  scheduler.call({
    type: 'ACKNOWLEDGE_OPERATION_STATUS',
    acknowledge_operation_status: { agent_id: { value: agent.id }, uuid: uuid.value, operation_id },
  });
  assert.deepEqual(agent.take('AcknowledgeOperationStatusMessage').status_uuid, uuid);
  assert.equal(world.master.state.operations.size, 0);
});

test('volumes: created on a reservation made in the same call, kept while in use, destroyed', () => {
  const world = createWorld();
  const agent = world.agent();
  const scheduler = world.subscribe({ ...refined, roles: ['db'] });
  world.wait(1_000);
  const offer = scheduler.offer();
  const volume: Resource[] = reserved('disk:64', 'db', offer).map((r) => ({
    ...r,
    disk: { persistence: { id: 'v1' }, volume: { mode: 'RW', container_path: 'data' } },
  }));
  accept(
    scheduler,
    [offer],
    [
      { type: 'RESERVE', reserve: { resources: reserved('disk:64', 'db', offer) } },
      { type: 'CREATE', create: { volumes: volume } },
      {
        type: 'LAUNCH',
        launch: { task_infos: [task('t', offer, { resources: [...resources('cpus:1', offer), ...volume] })] },
      },
      { type: 'DESTROY', id: { value: 'busy' }, destroy: { volumes: volume } },
    ],
  );
  assert.equal(agent.has('RunTaskMessage'), true);
  const { status } = scheduler.take('UPDATE_OPERATION_STATUS').update_operation_status ?? {};
  assert.match(status?.message ?? '', /in use/);
  agent.update(scheduler, 't', 'TASK_FINISHED');
  world.wait(2_000);
  const second = scheduler.events
    .flatMap((event) => event.offers?.offers ?? [])
    .find((o) => o.resources?.some((r) => r.disk));
  assert.notEqual(second, undefined);
  accept(scheduler, [second as Offer], [{ type: 'DESTROY', destroy: { volumes: volume } }]);
  const record = world.master.state.agents.registered.get(agent.id);
  assert.deepEqual(
    record?.checkpointedResources.map((r) => [r.name, r.disk]),
    [['disk', undefined]],
  );
});

test('CREATE_DISK and DESTROY_DISK need a resource provider', () => {
  const world = createWorld();
  world.agent();
  const scheduler = world.subscribe();
  world.wait(1_000);
  const offer = scheduler.offer();
  const source = resources('disk:10', offer)[0] as Resource;
  accept(
    scheduler,
    [offer],
    [
      { type: 'CREATE_DISK', id: { value: 'c' }, create_disk: { source, target_type: 'MOUNT' } },
      { type: 'DESTROY_DISK', id: { value: 'd' }, destroy_disk: { source } },
    ],
  );
  for (const id of ['c', 'd']) {
    const { status } = scheduler.take('UPDATE_OPERATION_STATUS').update_operation_status ?? {};
    assert.deepEqual([status?.operation_id?.value, status?.state], [id, 'OPERATION_ERROR']);
    assert.match(status?.message ?? '', /provider/);
  }
});

test('offers are in the format that the framework understands', () => {
  const world = createWorld();
  world.agent('cpus(web):1;mem(web):64');
  const old = world.subscribe({ capabilities: [], role: 'web', roles: [] });
  world.wait(1_000);
  const offer = old.offer();
  assert.equal(offer.allocation_info, undefined);
  assert.deepEqual(
    offer.resources?.map((r) => [r.name, r.role, r.allocation_info, r.reservations]),
    [
      ['cpus', 'web', undefined, undefined],
      ['mem', 'web', undefined, undefined],
    ],
  );
  old.launch(offer, task('t', offer, { resources: offer.resources ?? [] }));
  const framework = world.master.state.frameworks.get(old.id);
  const used = framework?.tasks.get('t' as TaskId)?.resources ?? [];
  assert.deepEqual(
    used.map((r) => [r.allocation_info?.role, r.reservations?.length]),
    [
      ['web', 1],
      ['web', 1],
    ],
  );
  assert.deepEqual(quantitiesToRecord(quantitiesOf(used)), { cpus: 1, mem: 64 });
});
