import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { OfferOperation, Resource } from '@meseta/wire';
import {
  createWorld,
  frameworkOf,
  registeredWorld,
  rejoin,
  run,
  runToRunning,
  sentOf,
  states,
  taskOf,
  updates,
  type World,
} from './testing.js';

const reserved = (name: string, value: number, extra: Partial<Resource> = {}): Resource => ({
  name,
  type: 'SCALAR',
  scalar: { value },
  reservations: [{ type: 'DYNAMIC', role: 'r', principal: 'p' }],
  ...extra,
});

const volume = reserved('disk', 512, {
  disk: { persistence: { id: 'v', principal: 'p' }, volume: { mode: 'RW', container_path: 'data' } },
});

function apply(world: World, operation: OfferOperation, uuid: string, version = world.core.state.resourceVersion) {
  return world.message({
    name: 'ApplyOperationMessage',
    body: {
      framework_id: { value: 'f-1' },
      operation_info: operation,
      operation_uuid: { value: uuid },
      resource_version_uuid: { uuid: { value: version } },
    },
  });
}

const reserveDisk: OfferOperation = {
  type: 'RESERVE',
  id: { value: 'op' },
  reserve: { resources: [reserved('disk', 512)] },
};
const createVolume: OfferOperation = { type: 'CREATE', create: { volumes: [volume] } };

const acknowledge = (world: World, uuid: string, status: string) =>
  world.message({
    name: 'AcknowledgeOperationStatusMessage',
    body: { operation_uuid: { value: uuid }, status_uuid: { value: status } },
  });

test('OPERATIONS-1: an operation that comes while the agent registers is not announced before it is on disk', () => {
  const world = registeredWorld();
  rejoin(world);
  world.durable = false;
  const before = sentOf(world, 'UpdateAgentMessage').length;
  world.message({ name: 'AgentReregisteredMessage', body: { agent_id: { value: 'm-S0' } } });
  apply(world, reserveDisk, 'u1');
  const asked = { operation_uuid: { value: 'u1' } };
  world.message({ name: 'ReconcileOperationsMessage', body: { operations: [asked] } });
  assert.equal(sentOf(world, 'UpdateOperationStatusMessage').length, 0);
  for (const update of sentOf(world, 'UpdateAgentMessage').slice(before)) assert.deepEqual(update.operations, {});
  world.flush();
  assert.equal(sentOf(world, 'UpdateOperationStatusMessage').length, 1);
});

test('a reservation is on disk before it is told, and told until acknowledged', () => {
  const world = registeredWorld();
  world.durable = false;
  apply(world, reserveDisk, 'u1');
  assert.equal(sentOf(world, 'UpdateOperationStatusMessage').length, 0);
  world.flush();
  world.durable = true;
  const [update] = sentOf(world, 'UpdateOperationStatusMessage');
  assert.deepEqual([update?.status.state, update?.status.operation_id], ['OPERATION_FINISHED', { value: 'op' }]);
  world.pass(10_000);
  assert.equal(sentOf(world, 'UpdateOperationStatusMessage').length, 2);
  acknowledge(world, 'u1', update?.status.uuid?.value ?? '');
  world.pass(60_000);
  assert.equal(sentOf(world, 'UpdateOperationStatusMessage').length, 2);
  world.restart();
  rejoin(world);
  const message = sentOf(world, 'ReregisterAgentMessage').at(-1);
  assert.deepEqual(
    message?.checkpointed_resources?.map(({ name, scalar, role }) => [name, scalar?.value, role]),
    [['disk', 512, 'r']],
  );
});

test('a volume has a directory from its creation to its destruction, and tasks see it', () => {
  const world = registeredWorld();
  apply(world, reserveDisk, 'u1');
  const place = { root: '/var/meseta', names: ['volumes', 'roles', 'r', 'v'] };
  const volumes = (effects: ReturnType<typeof apply>) => effects.filter(({ kind }) => kind === 'volume');
  assert.deepEqual(volumes(apply(world, createVolume, 'u2')), [
    { kind: 'volume', place, isShared: false, remove: false },
  ]);
  const cpus = { name: 'cpus', type: 'SCALAR' as const, scalar: { value: 0.1 } };
  const resources = [cpus, volume].map((it) => ({ ...it, allocation_info: { role: 'r' } }));
  const launch = world
    .message({ name: 'RunTaskMessage', body: { framework: frameworkOf(), task: taskOf('t', { resources }) } })
    .find(({ kind }) => kind === 'launch');
  assert(launch?.kind === 'launch');
  assert.deepEqual(launch.volumes, [{ containerPath: 'data', place, isPersistent: true }]);
  const destroy: OfferOperation = { type: 'DESTROY', destroy: { volumes: [volume] } };
  assert.deepEqual(volumes(apply(world, destroy, 'u3')), [{ kind: 'volume', place, isShared: false, remove: true }]);
});

test('an operation that the resources do not allow ends the agent, as the master took it for done', () => {
  const world = registeredWorld();
  assert(apply(world, createVolume, 'u1').some((it) => it.kind === 'exit' && it.status === 1));
});

test('an operation meant for earlier resources is dropped', () => {
  const world = registeredWorld();
  apply(world, reserveDisk, 'u1', 'AAAAAAAAQACAAAAAAAAAAA==');
  assert.equal(sentOf(world, 'UpdateOperationStatusMessage')[0]?.status.state, 'OPERATION_DROPPED');
  assert.deepEqual(world.core.state.total, createWorld().core.state.total);
});

test('an operation that never came is told as dropped when the master asks', () => {
  const world = registeredWorld();
  world.message({
    name: 'ReconcileOperationsMessage',
    body: { operations: [{ operation_uuid: { value: 'lost' } }], framework_id: { value: 'f-1' } },
  });
  assert.equal(sentOf(world, 'UpdateOperationStatusMessage')[0]?.status.state, 'OPERATION_DROPPED');
});

test("a scheduler's question about an operation of a provider that was never here is answered", () => {
  const world = registeredWorld();
  const asked = { operation_id: { value: 'op' }, resource_provider_id: { value: 'provider' } };
  world.message({
    name: 'ReconcileOperationsMessage',
    body: { operations: [asked], framework_id: { value: 'f-1' } },
  });
  const [answer] = sentOf(world, 'UpdateOperationStatusMessage');
  assert.equal(answer?.operation_uuid, undefined);
  assert.deepEqual(answer?.framework_id, { value: 'f-1' });
  assert.deepEqual([answer?.status.state, answer?.status.operation_id], ['OPERATION_UNKNOWN', asked.operation_id]);
});

test('launches that are refused, and why', () => {
  const run = (world: World, task = taskOf('t'), framework = frameworkOf(), version?: string) => {
    const versions = version === undefined ? {} : { resource_version_uuids: [{ uuid: { value: version } }] };
    world.message({ name: 'RunTaskMessage', body: { framework, task, ...versions } });
    const { state, reason, source } = updates(world)[0]?.status ?? {};
    return [state, reason, source];
  };
  const secret = { environment: { variables: [{ name: 'S', secret: { reference: { name: 'x' } } }] } };
  const strange = [{ ...volume, allocation_info: { role: 'r' } }];
  const source = 'SOURCE_AGENT';
  assert.deepEqual(run(registeredWorld(), taskOf('t'), frameworkOf(), 'AAAAAAAAQACAAAAAAAAAAA=='), [
    'TASK_DROPPED',
    'REASON_INVALID_OFFERS',
    source,
  ]);
  assert.deepEqual(run(registeredWorld(), taskOf('t', { resources: strange }), frameworkOf({ capabilities: [] })), [
    'TASK_LOST',
    'REASON_RESOURCES_UNKNOWN',
    source,
  ]);
  const { command: _command, ...nothing } = taskOf('t');
  assert.deepEqual(run(registeredWorld(), nothing), ['TASK_ERROR', 'REASON_TASK_INVALID', source]);
  assert.deepEqual(run(registeredWorld(), taskOf('t', { command: { value: 'x', ...secret } })), [
    'TASK_FAILED',
    'REASON_CONTAINER_LAUNCH_FAILED',
    source,
  ]);
});

test('a refused launch is told until acknowledged; then nothing of its framework is left', () => {
  const world = registeredWorld();
  const { command: _command, ...nothing } = taskOf('t');
  world.message({ name: 'RunTaskMessage', body: { framework: frameworkOf(), task: nothing } });
  world.pass(10_000);
  assert.deepEqual(states(world), ['TASK_ERROR', 'TASK_ERROR']);
  const [update] = updates(world);
  assert(update !== undefined);
  world.message({
    name: 'StatusUpdateAcknowledgementMessage',
    body: {
      agent_id: { value: 'm-S0' },
      framework_id: { value: 'f-1' },
      task_id: { value: 't' },
      uuid: update.uuid ?? '',
    },
  });
  world.pass(1000);
  assert.equal(world.core.state.frameworks.size, 0);
});

test('draining: every task is ended within the given time, launches are dropped, KILLED says why', () => {
  const drain = (world: World, mark_gone: boolean) =>
    world.message({
      name: 'DrainAgentMessage',
      body: { config: { max_grace_period: { nanoseconds: 4e9 }, mark_gone } },
    });
  for (const markGone of [false, true]) {
    const world = registeredWorld();
    const containerId = runToRunning(world, taskOf('t', { kill_policy: { grace_period: { nanoseconds: 60e9 } } }));
    drain(world, markGone);
    world.message({ name: 'RunTaskMessage', body: { framework: frameworkOf(), task: taskOf('late') } });
    assert.deepEqual(
      [states(world).at(-1), updates(world).at(-1)?.status.reason],
      ['TASK_DROPPED', 'REASON_AGENT_DRAINING'],
    );
    const before = world.effects.length;
    world.restart([{ containerId, state: 'running', pid: 1 }]);
    rejoin(world);
    world.pass(4000);
    assert(world.effects.slice(before).some(({ kind }) => kind === 'destroy'));
    world.input({
      kind: 'containerEvent',
      event: { kind: 'exited', containerId, status: { kind: 'signaled', signal: 9 } },
    });
    const status = updates(world).findLast((it) => it.status.task_id.value === 't')?.status;
    assert.deepEqual(
      [status?.state, status?.reason],
      [markGone ? 'TASK_GONE_BY_OPERATOR' : 'TASK_KILLED', 'REASON_AGENT_DRAINING'],
    );
  }
});

test('an agent with nothing on it ignores the drain', () => {
  const world = registeredWorld();
  world.message({ name: 'DrainAgentMessage', body: { config: {} } });
  run(world, taskOf('t'));
});
