import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { FrameworkId } from '@meseta/base';
import type { OperationStatus, Resource } from '@meseta/wire';
import { bytesOfUuid } from '@meseta/wire/uuid';
import { createWorld, type TestAgent, type TestScheduler } from './testing.js';

const uuid = { value: bytesOfUuid('22222222-2222-4222-8222-222222222222') };
const statusUuid = { value: bytesOfUuid('33333333-3333-4333-8333-333333333333') };
const MINUTE_MS = 60_000;

/** The agent reports an operation that a framework began under an earlier master. */
function reportOperation(agent: TestAgent, frameworkId: string): void {
  const latest_status = { state: 'OPERATION_FINISHED' as const, operation_id: { value: 'op' }, uuid: statusUuid };
  const operation = {
    framework_id: { value: frameworkId },
    info: { type: 'RESERVE' as const, id: { value: 'op' } },
    latest_status,
    uuid,
  };
  const agent_id = { value: agent.id };
  agent.send({ name: 'UpdateAgentMessage', body: { agent_id, operations: { operations: [operation] } } });
}

const finished = (agent: TestAgent, frameworkId: string): void =>
  agent.send({
    name: 'UpdateOperationStatusMessage',
    body: {
      framework_id: { value: frameworkId },
      agent_id: { value: agent.id },
      operation_uuid: uuid,
      status: { state: 'OPERATION_FINISHED', operation_id: { value: 'op' }, uuid: statusUuid },
    },
  });

const takeStatus = (scheduler: TestScheduler): OperationStatus | undefined =>
  scheduler.take('UPDATE_OPERATION_STATUS').update_operation_status?.status;

test('a terminal status is not acknowledged while its framework may still subscribe', () => {
  const world = createWorld();
  const agent = world.agent();
  const id = 'earlier-0000' as FrameworkId;
  reportOperation(agent, id);
  finished(agent, id);
  assert.equal(agent.has('AcknowledgeOperationStatusMessage'), false);
  const scheduler = world.subscribe({ id: { value: id } });
  finished(agent, id);
  assert.deepEqual(takeStatus(scheduler)?.uuid, statusUuid);
  scheduler.call({
    type: 'ACKNOWLEDGE_OPERATION_STATUS',
    acknowledge_operation_status: {
      agent_id: { value: agent.id },
      uuid: statusUuid.value,
      operation_id: { value: 'op' },
    },
  });
  assert.deepEqual(agent.take('AcknowledgeOperationStatusMessage').status_uuid, statusUuid);
  assert.equal(world.master.state.operations.size, 0);
});

test('an operation that did not reach its agent is reported once as OPERATION_DROPPED, with its id', () => {
  const world = createWorld();
  const agent = world.agent();
  const id = 'earlier-0000' as FrameworkId;
  reportOperation(agent, id);
  const scheduler = world.subscribe({ id: { value: id } });
  // An agent that is asked by uuid knows no other id.
  const status = { state: 'OPERATION_DROPPED' as const };
  const agent_id = { value: agent.id };
  const body = { framework_id: { value: id }, agent_id, operation_uuid: uuid, status };
  agent.send({ name: 'UpdateOperationStatusMessage', body });
  assert.deepEqual(takeStatus(scheduler), { operation_id: { value: 'op' }, ...status });
  assert.equal(world.master.state.operations.size, 0, 'no operation is recorded any more');
});

test('ten minutes after the agent registered, the master acknowledges a status of an unknown framework', () => {
  const world = createWorld();
  const agent = world.agent();
  reportOperation(agent, 'earlier-0000');
  world.wait(10 * MINUTE_MS + 1_000);
  finished(agent, 'earlier-0000');
  assert.equal(agent.has('AcknowledgeOperationStatusMessage'), true);
  assert.equal(world.master.state.operations.size, 0);
});

test('an operation of an unsubscribed resource provider is reconciled with its agent', () => {
  const world = createWorld();
  const agent = world.agent();
  const scheduler = world.subscribe();
  const asked = {
    operation_id: { value: 'op' },
    agent_id: { value: agent.id },
    resource_provider_id: { value: 'provider' },
  };
  scheduler.call({ type: 'RECONCILE_OPERATIONS', reconcile_operations: { operations: [asked] } });
  assert.equal(scheduler.has('UPDATE_OPERATION_STATUS'), false);
  assert.deepEqual(agent.take('ReconcileOperationsMessage'), {
    framework_id: { value: scheduler.id },
    operations: [{ resource_provider_id: { value: 'provider' }, operation_id: { value: 'op' } }],
  });
  const status: OperationStatus = { operation_id: { value: 'op' }, state: 'OPERATION_UNKNOWN' };
  const framework_id = { value: scheduler.id };
  agent.send({
    name: 'UpdateOperationStatusMessage',
    body: { framework_id, agent_id: { value: agent.id }, status },
  });
  assert.deepEqual(takeStatus(scheduler), status);
});

test('a reconciliation is answered with the last status that was sent', () => {
  const world = createWorld();
  const agent = world.agent();
  const scheduler = world.subscribe();
  reportOperation(agent, scheduler.id);
  const pending: OperationStatus = { operation_id: { value: 'op' }, state: 'OPERATION_PENDING', uuid: statusUuid };
  agent.send({
    name: 'UpdateOperationStatusMessage',
    body: {
      framework_id: { value: scheduler.id },
      agent_id: { value: agent.id },
      operation_uuid: uuid,
      status: pending,
      latest_status: { ...pending, state: 'OPERATION_FINISHED' },
    },
  });
  assert.equal(takeStatus(scheduler)?.state, 'OPERATION_PENDING');
  scheduler.call({ type: 'RECONCILE_OPERATIONS', reconcile_operations: {} });
  const { uuid: _, ...plain } = pending;
  assert.deepEqual(takeStatus(scheduler), plain);
});

function reserved() {
  const world = createWorld();
  const agent = world.agent();
  const capabilities = [{ type: 'MULTI_ROLE' as const }, { type: 'RESERVATION_REFINEMENT' as const }];
  const scheduler = world.subscribe({ capabilities, roles: ['web'] });
  world.wait(1_000);
  const offer = scheduler.offer();
  const cpus: Resource = {
    name: 'cpus',
    type: 'SCALAR',
    scalar: { value: 1 },
    allocation_info: { role: 'web' },
    reservations: [{ type: 'DYNAMIC', role: 'web' }],
  };
  const operations = [{ type: 'RESERVE' as const, id: { value: 'op' }, reserve: { resources: [cpus] } }];
  scheduler.call({ type: 'ACCEPT', accept: { offer_ids: [offer.id], operations } });
  const { operation_uuid } = agent.take('ApplyOperationMessage');
  const reservedHere = (): boolean => {
    const total = world.master.state.agents.registered.get(agent.id)?.totalResources ?? [];
    return total.some(({ reservations }) => reservations?.length === 1);
  };
  assert.equal(reservedHere(), true);
  const finish = (): void => {
    const status = { operation_id: { value: 'op' }, state: 'OPERATION_FINISHED' as const, uuid: statusUuid };
    const body = { framework_id: { value: scheduler.id }, agent_id: { value: agent.id }, status, operation_uuid };
    agent.send({ name: 'UpdateOperationStatusMessage', body });
  };
  /** Whether a ping since the last call asked the agent to register again, by `connected: false`. */
  const isAskedAnew = (): boolean => {
    const pings: boolean[] = [];
    while (agent.has('PingAgentMessage')) pings.push(agent.take('PingAgentMessage').connected === false);
    return pings.includes(true);
  };
  const { allocation_info: _, ...checkpointed } = cpus;
  return { agent, reservedHere, finish, isAskedAnew, checkpointed };
}

test('an agent that re-registers with the same resource version and operations in flight re-registers again after their end', () => {
  const { agent, reservedHere, finish, isAskedAnew, checkpointed } = reserved();
  // Written before the operation reached it.
  agent.breakConnection();
  agent.reregister();
  assert.equal(reservedHere(), false);
  isAskedAnew();
  finish();
  assert.equal(isAskedAnew(), true);
  agent.reregister({ checkpointed_resources: [checkpointed] });
  assert.equal(reservedHere(), true);
  finish();
  assert.equal(isAskedAnew(), false);
});

test('an agent that re-registers with a new resource version drops operations in flight, and need not re-register again', () => {
  const { agent, reservedHere, finish, isAskedAnew } = reserved();
  agent.breakConnection();
  agent.reregister({ resource_version_uuid: statusUuid });
  assert.equal(reservedHere(), false);
  isAskedAnew();
  finish();
  assert.equal(isAskedAnew(), false);
});

test('a retried re-registration does not change resources that operations have changed meanwhile', () => {
  const { agent, reservedHere, finish, isAskedAnew } = reserved();
  agent.reregister();
  assert.equal(reservedHere(), true);
  isAskedAnew();
  finish();
  assert.equal(isAskedAnew(), false);
});

test('an update with another resource version than the registration makes the agent re-register', () => {
  const { agent, isAskedAnew } = reserved();
  isAskedAnew();
  const update = { agent_id: { value: agent.id }, operations: {} };
  agent.send({ name: 'UpdateAgentMessage', body: update });
  assert.equal(isAskedAnew(), false);
  agent.send({ name: 'UpdateAgentMessage', body: { ...update, resource_version_uuid: statusUuid } });
  assert.equal(isAskedAnew(), true);
});
