// The master's records of operations, from their start to the acknowledgement of their terminal status.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { FrameworkId, OperationId, OperationUuid, Pid } from '@meseta/base';
import type { Offer, OfferOperation, Operation, OperationState, OperationStatus } from '@meseta/wire';
import { bytesOfUuid } from '@meseta/wire/uuid';
import { CAPABILITIES, createWorld, resources, type TestAgent, type TestScheduler, type World } from './testing.js';

const MINUTE_MS = 60_000;
const uuidOf = (n: number) => ({ value: bytesOfUuid(`22222222-2222-4222-8222-22222222222${n}`) });
const statusUuidOf = (n: number) => ({ value: bytesOfUuid(`33333333-3333-4333-8333-33333333333${n}`) });

const operation = (n: number, more: Partial<Operation> = {}, id?: string): Operation => ({
  info: { type: 'RESERVE', ...(id === undefined ? {} : { id: { value: id } }) },
  latest_status: { state: 'OPERATION_PENDING' },
  uuid: uuidOf(n),
  ...more,
});

const report = (agent: TestAgent, ...operations: readonly Operation[]): void =>
  agent.send({ name: 'UpdateAgentMessage', body: { agent_id: { value: agent.id }, operations: { operations } } });

const update = (agent: TestAgent, n: number, status: OperationStatus, more: object = {}): void =>
  agent.send({
    name: 'UpdateOperationStatusMessage',
    body: { agent_id: { value: agent.id }, operation_uuid: uuidOf(n), status, ...more },
  });

const sentStatuses = (scheduler: TestScheduler) =>
  scheduler.events.splice(0).flatMap(({ update_operation_status: it }) => (it === undefined ? [] : [it.status]));
const listed = (world: World) => [...world.master.state.operations.keys()];
const recordOf = (world: World, n: number) => world.master.state.operations.get(uuidOf(n).value as OperationUuid);
const countOf = (world: World, metric: string) => world.master.state.counters.get(`master/${metric}`) ?? 0;
const warnings = (world: World) =>
  world.notes.flatMap((note) => (note.kind === 'log' && note.level === 'warning' ? [note.text] : []));
const acknowledge = (scheduler: TestScheduler, agent: { readonly id: string }, id: string, n: number): void =>
  void scheduler.call({
    type: 'ACKNOWLEDGE_OPERATION_STATUS',
    acknowledge_operation_status: {
      agent_id: { value: agent.id },
      uuid: statusUuidOf(n).value,
      operation_id: { value: id },
    },
  });

const reserve = (offer: Offer, id?: string): OfferOperation => ({
  type: 'RESERVE',
  ...(id === undefined ? {} : { id: { value: id } }),
  reserve: {
    resources: resources('cpus:1', offer).map((it) => ({ ...it, reservations: [{ type: 'DYNAMIC', role: 'web' }] })),
  },
});
const accept = (scheduler: TestScheduler, offer: Offer, ...operations: readonly OfferOperation[]): void =>
  void scheduler.call({ type: 'ACCEPT', accept: { offer_ids: [offer.id], operations } });
const capabilities = [{ type: 'MULTI_ROLE' as const }, { type: 'RESERVATION_REFINEMENT' as const }];

test("an operation is sent with the agent's resource version, and recorded as OPERATION_PENDING", () => {
  for (const id of ['op', undefined]) {
    const world = createWorld();
    const agent = world.agent();
    const scheduler = world.subscribe({ roles: ['web'], capabilities });
    world.wait(1_000);
    const offer = scheduler.offer();
    accept(scheduler, offer, reserve(offer, id));
    const { operation_uuid, ...sent } = agent.take('ApplyOperationMessage');
    assert.deepEqual([sent.framework_id, sent.operation_info.id?.value], [{ value: scheduler.id }, id]);
    assert.equal(sent.resource_version_uuid.uuid.value, bytesOfUuid('11111111-1111-4111-8111-111111111111'));
    const record = world.master.state.operations.get(operation_uuid.value as OperationUuid);
    const { info, ...listedAs } = record?.operation ?? {};
    const operationId = id === undefined ? {} : { operation_id: { value: id } };
    assert.deepEqual(listedAs, {
      framework_id: { value: scheduler.id },
      agent_id: { value: agent.id },
      latest_status: { ...operationId, state: 'OPERATION_PENDING', agent_id: { value: agent.id } },
      statuses: [],
      uuid: operation_uuid,
    });
    const framework = world.master.state.frameworks.get(scheduler.id);
    assert.deepEqual([...(framework?.operationUuids ?? [])], id === undefined ? [] : [[id, operation_uuid.value]]);
  }
});

test('an agent without RESOURCE_PROVIDER gets the resulting checkpointed resources, and no operation is recorded', () => {
  const world = createWorld();
  const agent = world.agent('cpus:4;mem:4096', { unregistered: true });
  const agent_capabilities = CAPABILITIES.filter(({ type }) => type !== 'RESOURCE_PROVIDER');
  agent.send({ name: 'RegisterAgentMessage', body: { agent: agent.info, version: '1.12.0', agent_capabilities } });
  const scheduler = world.subscribe({ roles: ['web'], capabilities });
  world.wait(1_000);
  const offer = scheduler.offer();
  accept(scheduler, offer, reserve(offer));
  assert.deepEqual(
    agent
      .take('CheckpointResourcesMessage')
      .resources?.map(({ name, scalar, reservations }) => [name, scalar, reservations?.length]),
    [['cpus', { value: 1 }, 1]],
  );
  assert.deepEqual([agent.has('ApplyOperationMessage'), listed(world)], [false, []]);
});

test('an id that operations of two agents have refers to the first one, also after the end of the other', () => {
  const world = createWorld();
  const [first, second] = [world.agent(), world.agent()];
  const scheduler = world.subscribe();
  const framework_id = { value: scheduler.id };
  report(first, operation(1, { framework_id }, 'op'));
  report(second, operation(2, { framework_id }, 'op'));
  const uuidNow = () => world.master.state.frameworks.get(scheduler.id)?.operationUuids.get('op' as OperationId);
  assert.equal(uuidNow(), uuidOf(1).value);
  second.send({ name: 'UnregisterAgentMessage', body: { agent_id: { value: second.id } } });
  assert.deepEqual(listed(world), [uuidOf(1).value]);
  assert.equal(uuidNow(), uuidOf(1).value);
});

test('a report of a known operation does not change its record', () => {
  const world = createWorld();
  const agent = world.agent();
  report(agent, operation(1));
  update(agent, 1, { state: 'OPERATION_PENDING', uuid: statusUuidOf(1) });
  const before = recordOf(world, 1);
  report(agent, operation(1));
  assert.equal(recordOf(world, 1), before);
  assert.deepEqual(before?.operation.agent_id, { value: agent.id });
});

for (const [how, state, message] of [
  ['unreachable', 'OPERATION_UNREACHABLE', 'Agent is unreachable'],
  ['gone_by_operator', 'OPERATION_GONE_BY_OPERATOR', 'Agent has been marked gone'],
] as const) {
  test(`the operations of a deleted agent are ${how}: reported if they have an id, counted and removed`, () => {
    const world = createWorld({ agentPingTimeoutMs: 1_000, maxAgentPingTimeouts: 1 });
    const agent = world.agent();
    const scheduler = world.subscribe();
    const framework_id = { value: scheduler.id };
    report(
      agent,
      operation(1, { framework_id }, 'op'),
      operation(2, { framework_id }),
      operation(3, {}, 'of an operator'),
      operation(4, { framework_id: { value: 'not here yet' } }, 'op'),
    );
    agent.answersPings = false;
    scheduler.events.splice(0);
    if (how === 'unreachable') world.wait(5_000);
    else world.operator({ type: 'MARK_AGENT_GONE', mark_agent_gone: { agent_id: { value: agent.id } } });
    assert.deepEqual(sentStatuses(scheduler), [
      { operation_id: { value: 'op' }, state, message, agent_id: { value: agent.id } },
    ]);
    assert.deepEqual([countOf(world, `operations/${how}`), countOf(world, `operations/reserve/${how}`)], [4, 4]);
    assert.deepEqual(listed(world), []);
    const framework = world.master.state.frameworks.get(scheduler.id);
    assert.deepEqual([framework?.operations.size, framework?.operationUuids.size], [0, 0]);
  });
}

test('a framework ends: its terminal operations are acknowledged, the others when their terminal status arrives', () => {
  const world = createWorld();
  const agent = world.agent();
  const scheduler = world.subscribe();
  const framework_id = { value: scheduler.id };
  report(agent, operation(1, { framework_id }, 'done'), operation(2, { framework_id }, 'pending'), operation(3));
  update(agent, 1, { state: 'OPERATION_FINISHED', uuid: statusUuidOf(1) });
  assert.equal(agent.has('AcknowledgeOperationStatusMessage'), false);
  scheduler.call({ type: 'TEARDOWN' });
  assert.deepEqual(agent.take('AcknowledgeOperationStatusMessage'), {
    status_uuid: statusUuidOf(1),
    operation_uuid: uuidOf(1),
  });
  assert.deepEqual(listed(world), [uuidOf(2).value, uuidOf(3).value]);
  update(agent, 2, { state: 'OPERATION_FINISHED', uuid: statusUuidOf(2) });
  assert.deepEqual(agent.take('AcknowledgeOperationStatusMessage').operation_uuid, uuidOf(2));
  assert.deepEqual(listed(world), [uuidOf(3).value]);
});

test('a framework that subscribes adopts its operations and no others; an id of two operations refers to the first one', () => {
  const world = createWorld();
  const [agent, second] = [world.agent(), world.agent()];
  const id = 'earlier-0000' as FrameworkId;
  report(agent, operation(1, { framework_id: { value: id } }, 'op'), operation(2, { framework_id: { value: id } }));
  report(agent, operation(3, {}, 'other'));
  report(second, operation(4, { framework_id: { value: id } }, 'op'));
  const scheduler = world.subscribe({ id: { value: id } });
  const framework = world.master.state.frameworks.get(scheduler.id);
  assert.deepEqual(
    [...(framework?.operations ?? [])],
    [1, 2, 4].map((n) => uuidOf(n).value),
  );
  assert.deepEqual([...(framework?.operationUuids ?? [])], [['op', uuidOf(1).value]]);
});

test('the frameworks that one agent reports adopt their operations in one pass', () => {
  const world = createWorld();
  const agent = world.agent();
  const ids = ['earlier-0000', 'earlier-0001', 'earlier-0002'] as const;
  report(agent, ...ids.map((value, n) => operation(n, { framework_id: { value } }, 'op')));
  const { operations, frameworks } = world.master.state;
  let passes = 0;
  const values = operations.values.bind(operations);
  operations.values = () => {
    passes++;
    return values();
  };
  const other = world.agent('cpus:1', { unregistered: true });
  other.send({
    name: 'ReregisterAgentMessage',
    body: {
      agent: { ...other.info, id: { value: 'other' } },
      version: '1.12.0',
      frameworks: ids.map((value) => ({ user: 'root', name: 'test', id: { value } })),
    },
  });
  assert.equal(passes, 1);
  for (const [n, id] of ids.entries()) {
    const uuid = uuidOf(n).value;
    const framework = frameworks.get(id as FrameworkId);
    assert.deepEqual(
      [[...(framework?.operations ?? [])], framework?.operationUuids.get('op' as OperationId)],
      [[uuid], uuid],
    );
  }
});

test('each status of an operation is kept once; a terminal status is counted once and does not change', () => {
  const world = createWorld();
  const agent = world.agent();
  const scheduler = world.subscribe();
  report(agent, operation(1, { framework_id: { value: scheduler.id } }, 'op'));
  const sendStatus = (state: OperationState, n: number, latest?: OperationStatus): void =>
    update(agent, 1, { state, uuid: statusUuidOf(n) }, latest === undefined ? {} : { latest_status: latest });
  const kept = () => {
    const { latest_status, statuses = [] } = recordOf(world, 1)?.operation ?? {};
    return [latest_status?.state, ...statuses.map(({ state }) => state)];
  };
  sendStatus('OPERATION_PENDING', 1);
  assert.deepEqual(kept(), ['OPERATION_PENDING', 'OPERATION_PENDING']);
  assert.equal(countOf(world, 'operations/pending'), 0);
  sendStatus('OPERATION_PENDING', 1, { state: 'OPERATION_FINISHED', uuid: statusUuidOf(2) });
  assert.deepEqual(kept(), ['OPERATION_FINISHED', 'OPERATION_PENDING']);
  sendStatus('OPERATION_FAILED', 3);
  assert.deepEqual(kept(), ['OPERATION_FINISHED', 'OPERATION_PENDING', 'OPERATION_FAILED']);
  for (const metric of ['operations/finished', 'operations/reserve/finished']) assert.equal(countOf(world, metric), 1);
  assert.equal(countOf(world, 'operations/failed'), 0);
  assert.equal(countOf(world, 'messages_operation_status_update'), 3);
  assert.equal(countOf(world, 'valid_operation_status_updates'), 3);
  assert.deepEqual(
    sentStatuses(scheduler).map(({ operation_id, state }) => [operation_id?.value, state]),
    [
      ['op', 'OPERATION_PENDING'],
      ['op', 'OPERATION_PENDING'],
      ['op', 'OPERATION_FAILED'],
    ],
  );
  assert.equal(agent.has('AcknowledgeOperationStatusMessage'), false, 'the scheduler acknowledges');
  acknowledge(scheduler, agent, 'op', 1);
  assert.deepEqual(listed(world), [uuidOf(1).value], 'a status that is not terminal ends nothing');
  acknowledge(scheduler, agent, 'op', 3);
  assert.deepEqual(listed(world), []);
  assert.equal(countOf(world, 'valid_operation_status_update_acknowledgements'), 2);
});

test('statuses without a uuid are kept as one', () => {
  const world = createWorld();
  const agent = world.agent();
  report(agent, operation(1));
  const uuid = statusUuidOf(1);
  for (const status of [{}, { uuid }, {}, { uuid }]) update(agent, 1, { state: 'OPERATION_PENDING', ...status });
  assert.deepEqual(
    recordOf(world, 1)?.operation.statuses?.map((status) => status.uuid),
    [undefined, uuid],
  );
});

test('the master acknowledges a status that no framework waits for, if it has a uuid', () => {
  const world = createWorld();
  const agent = world.agent();
  report(agent, operation(1), operation(2));
  update(agent, 1, { state: 'OPERATION_PENDING', uuid: statusUuidOf(1) });
  assert.deepEqual(agent.take('AcknowledgeOperationStatusMessage').status_uuid, statusUuidOf(1));
  update(agent, 2, { state: 'OPERATION_DROPPED' });
  assert.equal(agent.has('AcknowledgeOperationStatusMessage'), false);
  assert.deepEqual(listed(world), [uuidOf(1).value]);
});

test('a status from another process than the agent is dropped, counted and logged', () => {
  const world = createWorld();
  const agent = world.agent();
  report(agent, operation(1));
  const elsewhere = 'slave(1)@10.0.9.9:5051' as Pid;
  const status = { state: 'OPERATION_FINISHED' as const, uuid: statusUuidOf(1) };
  const body = { operation_uuid: uuidOf(1), status };
  world.feed({
    kind: 'message',
    from: elsewhere,
    principal: undefined,
    message: { name: 'UpdateOperationStatusMessage', body },
  });
  update(agent, 9, status, { agent_id: { value: 'nobody' } });
  assert.deepEqual(warnings(world), [
    `ignoring OPERATION_FINISHED of an operation from ${elsewhere}: agent ${agent.id} is not at that pid`,
    `ignoring OPERATION_FINISHED of an operation from ${agent.pid}: agent nobody is not at that pid`,
  ]);
  assert.equal(countOf(world, 'invalid_operation_status_updates'), 2);
  assert.equal(recordOf(world, 1)?.operation.latest_status.state, 'OPERATION_PENDING');
});

test('a status of an unknown operation is acknowledged, or sent to the framework that reconciles it', () => {
  const world = createWorld();
  const [agent, other] = [world.agent(), world.agent()];
  const scheduler = world.subscribe();
  const ended = world.subscribe();
  ended.call({ type: 'TEARDOWN' });
  const finished = (id: string | undefined, uuid = true): OperationStatus => ({
    state: 'OPERATION_FINISHED',
    ...(id === undefined ? {} : { operation_id: { value: id } }),
    ...(uuid ? { uuid: statusUuidOf(1) } : {}),
  });
  const of = (id: string) => ({ framework_id: { value: id } });
  const withoutOperation = { operation_uuid: undefined };
  const table: readonly (readonly [status: OperationStatus, more: object, acknowledged: boolean, isSent: boolean])[] = [
    [finished('x'), of(scheduler.id), false, true],
    [finished('x'), { ...of(scheduler.id), ...withoutOperation }, false, true],
    [finished(undefined), of(scheduler.id), true, false],
    [finished('x'), of(ended.id), true, false],
    [finished('x'), {}, true, false],
    [finished(undefined), {}, true, false],
    [finished('x'), of('not-here-yet'), false, false],
    [finished(undefined), of('not-here-yet'), true, false],
    [finished(undefined, false), {}, false, false],
    [finished(undefined), withoutOperation, false, false],
  ];
  scheduler.events.splice(0);
  for (const [status, more, acknowledged, isSent] of table) {
    const what = JSON.stringify([status, more]);
    const invalidBefore = countOf(world, 'invalid_operation_status_updates');
    update(agent, 9, status, more);
    const [sent] = agent.received.splice(0).filter(({ name }) => name === 'AcknowledgeOperationStatusMessage');
    const expected = { status_uuid: statusUuidOf(1), operation_uuid: uuidOf(9) };
    assert.deepEqual(sent?.body, acknowledged ? expected : undefined, what);
    assert.deepEqual(sentStatuses(scheduler), isSent ? [status] : [], what);
    const isInvalid = !('operation_uuid' in more);
    assert.equal(countOf(world, 'invalid_operation_status_updates') - invalidBefore, isInvalid ? 1 : 0, what);
  }
  report(other, operation(1, of(scheduler.id), 'x'));
  update(agent, 9, finished('x'), of(scheduler.id));
  assert.deepEqual(sentStatuses(scheduler), []);
  assert.equal(
    warnings(world).at(-1),
    `ignoring OPERATION_FINISHED of operation x from agent ${agent.id}: the operation is on agent ${other.id}`,
  );
  update(other, 9, finished('x'), of(scheduler.id));
  assert.deepEqual(sentStatuses(scheduler), [finished('x')]);
});

test('a framework may subscribe until ten minutes after the last registration of its agent', () => {
  for (const again of [false, true]) {
    const world = createWorld();
    const agent = world.agent();
    const status = { state: 'OPERATION_FINISHED' as const, operation_id: { value: 'op' }, uuid: statusUuidOf(1) };
    const isAcknowledged = (): boolean => {
      update(agent, 9, status, { framework_id: { value: 'not-here-yet' } });
      return agent.received.splice(0).some(({ name }) => name === 'AcknowledgeOperationStatusMessage');
    };
    world.wait(1_000);
    if (again) agent.reregister();
    world.wait(10 * MINUTE_MS - 1_001);
    assert.equal(isAcknowledged(), false);
    world.wait(1);
    assert.equal(isAcknowledged(), !again);
    world.wait(1_000);
    assert.equal(isAcknowledged(), true);
  }
});

test('an acknowledgement is dropped, counted and logged unless its operation, agent and status are known', () => {
  const world = createWorld();
  const agent = world.agent();
  const scheduler = world.subscribe();
  report(agent, operation(1, { framework_id: { value: scheduler.id } }, 'op'));
  acknowledge(scheduler, agent, 'op', 1);
  assert.equal(countOf(world, 'invalid_status_update_acknowledgements'), 1);
  const dropped = `dropping an acknowledgement of operation op of framework ${scheduler.id}`;
  assert.equal(warnings(world).at(-1), 'dropping an acknowledgement of operation op: it has no such status');
  update(agent, 1, { state: 'OPERATION_FINISHED', uuid: statusUuidOf(1) });
  acknowledge(scheduler, agent, 'unknown', 1);
  acknowledge(scheduler, { id: 'nobody' }, 'op', 1);
  acknowledge(scheduler, agent, 'op', 2);
  agent.breakConnection();
  acknowledge(scheduler, agent, 'op', 1);
  assert.deepEqual(warnings(world).slice(1), [
    dropped.replace('operation op', 'operation unknown'),
    dropped,
    'dropping an acknowledgement of operation op: it has no such status',
    dropped,
  ]);
  assert.equal(agent.has('AcknowledgeOperationStatusMessage'), false);
  assert.equal(countOf(world, 'invalid_operation_status_update_acknowledgements'), 3);
  assert.equal(countOf(world, 'messages_operation_status_update_acknowledgement'), 5);
  assert.deepEqual(listed(world), [uuidOf(1).value]);
});
