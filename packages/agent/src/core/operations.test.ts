// Operations on the agent's resources; testdata/operations*.txt shows what each of them does.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { OfferOperation, Resource } from '@meseta/wire';
import { applyOperation, MASTER, OBSERVER, registeredWorld, rejoin, sentOf } from './testing.js';

const disk: Resource = {
  name: 'disk',
  type: 'SCALAR',
  scalar: { value: 512 },
  reservations: [{ type: 'DYNAMIC', role: 'r', principal: 'p' }],
};
const reserveDisk: OfferOperation = { type: 'RESERVE', id: { value: 'op' }, reserve: { resources: [disk] } };

test('OPERATIONS-1: an operation that comes while the agent registers is not announced before it is on disk', () => {
  const world = registeredWorld();
  rejoin(world);
  world.durable = false;
  const before = sentOf(world, 'UpdateAgentMessage').length;
  world.message({ name: 'AgentReregisteredMessage', body: { agent_id: { value: 'm-S0' } } });
  applyOperation(world, 'f-1', 'u1', reserveDisk);
  const asked = { operation_uuid: { value: 'u1' } };
  world.message({ name: 'ReconcileOperationsMessage', body: { operations: [asked] } });
  assert.equal(sentOf(world, 'UpdateOperationStatusMessage').length, 0);
  for (const update of sentOf(world, 'UpdateAgentMessage').slice(before)) assert.deepEqual(update.operations, {});
  world.flush();
  assert.equal(sentOf(world, 'UpdateOperationStatusMessage').length, 1);
});

test('OPERATIONS-2: a status is sent again after 10 s, 20 s, 40 s ... at most 10 min, until it is acknowledged', () => {
  const world = registeredWorld();
  applyOperation(world, 'f-1', 'u1', reserveDisk);
  const sent = () => sentOf(world, 'UpdateOperationStatusMessage');
  const times: number[] = [world.nowMs];
  while (times.length < 10) {
    const before = sent().length;
    while (sent().length === before) {
      world.pass(1000);
      world.message({ name: 'PingAgentMessage', body: { connected: true } }, OBSERVER);
    }
    times.push(world.nowMs);
  }
  const pauses = times.slice(1).map((time, i) => (time - (times[i] as number)) / 1000);
  assert.deepEqual(pauses, [10, 20, 40, 80, 160, 320, 600, 600, 600]);
  const count = sent().length;
  const body = { operation_uuid: { value: 'u1' }, status_uuid: sent()[0]?.status.uuid ?? { value: '' } };
  world.message({ name: 'AcknowledgeOperationStatusMessage', body });
  world.pass(70_000);
  assert.equal(sent().length, count);
});

test('OPERATIONS-1: an operation that is not on disk is not in the list of a re-registration', () => {
  const world = registeredWorld();
  world.durable = false;
  const before = sentOf(world, 'UpdateAgentMessage').length;
  rejoin(world);
  applyOperation(world, 'f-1', 'u1', reserveDisk);
  // The agent announces itself.
  world.flush(1);
  const updates = sentOf(world, 'UpdateAgentMessage').slice(before);
  assert.ok(updates.length > 0);
  for (const update of updates) assert.deepEqual(update.operations, {});
});

test('the status of an operation that is on disk only after the master changed is sent upon registration', () => {
  const world = registeredWorld();
  world.durable = false;
  applyOperation(world, 'f-1', 'u1', reserveDisk);
  world.input({ kind: 'masterDetected', master: MASTER });
  world.durable = true;
  world.flush();
  const statuses = () => sentOf(world, 'UpdateOperationStatusMessage').length;
  assert.equal(statuses(), 0);
  rejoin(world);
  assert.equal(statuses(), 1);
});
