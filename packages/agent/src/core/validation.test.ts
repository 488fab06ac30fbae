// VALIDATION-1 at each way in: messages of masters, calls about containers, the checkpoint.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ContainerId, FrameworkId } from '@meseta/base';
import type { AgentCall, ContainerID, ExecutorInfo, OfferOperation, TaskInfo } from '@meseta/wire';
import type { CheckpointRecord, ConnectionId } from './io.js';
import {
  alive,
  createWorld,
  frameworkIn,
  frameworkOf,
  MASTER,
  registeredWorld,
  run,
  runToRunning,
  sentOf,
  taskOf,
  updates,
  type World,
} from './testing.js';

const INVALID_NAMES = ['', '.', '..', '../../victim', 'a/b', 'x\n', 'é'.repeat(128)];

/** Whether nothing was created on disk, removed or launched. */
const isUntouched = (world: World): boolean =>
  world.effects.every(({ kind }) => kind !== 'launch' && kind !== 'volume' && kind !== 'removeSandbox');

const executorOf = (id: string): ExecutorInfo => ({
  type: 'CUSTOM',
  executor_id: { value: id },
  command: { value: 'true' },
});

test('VALIDATION-1: a task of a framework whose id is no valid name of a directory is ignored', () => {
  for (const id of INVALID_NAMES) {
    const world = registeredWorld();
    const framework = frameworkOf({ id: { value: id } });
    world.message({ name: 'RunTaskMessage', body: { framework, task: taskOf('t') } });
    const pod = { executor: { ...executorOf('e'), type: 'DEFAULT' as const }, task_group: { tasks: [taskOf('t')] } };
    world.message({ name: 'RunTaskGroupMessage', body: { framework, ...pod } });
    assert.ok(isUntouched(world), JSON.stringify(id));
    assert.equal(world.core.state.frameworks.size, 0);
    assert.equal(world.core.state.counters.invalidFrameworkMessages, 2);
  }
});

test('VALIDATION-1: a task whose id, executor or volume is no valid name of a directory gets TASK_ERROR, and nothing is made for it', () => {
  const disk = (id: string, container_path = 'v') => ({
    ...({ name: 'disk', type: 'SCALAR', scalar: { value: 1 }, allocation_info: { role: 'r' } } as const),
    reservations: [{ type: 'DYNAMIC', role: 'r', principal: 'p' }] as const,
    disk: { persistence: { id }, volume: { container_path, mode: 'RW' } } as const,
  });
  const tasks: readonly TaskInfo[] = [
    ...INVALID_NAMES.filter((id) => id !== '').map((id) => taskOf(id)),
    ...INVALID_NAMES.map((id) => taskOf('t', { command: undefined, executor: executorOf(id) })),
    ...INVALID_NAMES.map((id) => taskOf('t', { resources: [disk(id)] })),
    ...['..', '../x', ''].map((path) => taskOf('t', { resources: [disk('v', path)] })),
  ];
  for (const task of tasks) {
    const world = registeredWorld();
    world.message({ name: 'RunTaskMessage', body: { framework: frameworkOf(), task } });
    const [update] = updates(world);
    assert.deepEqual([update?.status.state, update?.status.reason], ['TASK_ERROR', 'REASON_TASK_INVALID']);
    assert.ok(isUntouched(world));
  }
});

test("a disk of a resource provider, of which this agent has none, is unknown: its path would be the master's choice", () => {
  const disk = {
    ...({ name: 'disk', type: 'SCALAR', scalar: { value: 1 }, provider_id: { value: 'p' } } as const),
    reservations: [{ type: 'DYNAMIC', role: 'r' }] as const,
    disk: {
      persistence: { id: 'v' },
      volume: { container_path: 'v', mode: 'RW' },
      source: { type: 'MOUNT', mount: { root: '/etc' } },
    } as const,
  };
  const { resources: own = [] } = taskOf('t');
  const withDisk = taskOf('t', { resources: [...own, disk] });
  const onExecutor = taskOf('t', { command: undefined, executor: { ...executorOf('e'), resources: [disk] } });
  for (const task of [withDisk, onExecutor]) {
    const world = registeredWorld();
    world.message({ name: 'RunTaskMessage', body: { framework: frameworkOf(), task } });
    assert.equal(updates(world)[0]?.status.reason, 'REASON_RESOURCES_UNKNOWN');
    assert.ok(isUntouched(world));
  }
});

test('a group with one id twice gets TASK_ERROR', () => {
  const world = registeredWorld();
  const executor: ExecutorInfo = { type: 'DEFAULT', executor_id: { value: 'pod' } };
  const task_group = { tasks: [taskOf('t'), taskOf('t')] };
  world.message({ name: 'RunTaskGroupMessage', body: { framework: frameworkOf(), executor, task_group } });
  assert.equal(updates(world)[0]?.status.state, 'TASK_ERROR');
  assert.ok(isUntouched(world));
});

test('a framework keeps its id whatever id an UpdateFrameworkMessage has, also in the checkpoint', () => {
  for (const id of [undefined, { value: 'other' }, { value: '..' }]) {
    const world = registeredWorld();
    const containerId = runToRunning(world, taskOf('t'));
    const framework_info = frameworkOf({ id, name: 'renamed' });
    world.message({
      name: 'UpdateFrameworkMessage',
      body: { framework_id: { value: 'f-1' }, pid: '', framework_info },
    });
    world.restart([alive(containerId)]);
    const { info } = frameworkIn(world) ?? assert.fail('the framework is not there');
    assert.deepEqual([info.id?.value, info.name], ['f-1', 'renamed']);
  }
});

test('VALIDATION-1: an operation on a volume whose id is no valid name of a directory is an error, and makes and deletes nothing', () => {
  for (const id of INVALID_NAMES) {
    const world = registeredWorld();
    const reservation = { type: 'DYNAMIC', role: 'r', principal: 'p' } as const;
    const volume = {
      ...({ name: 'disk', type: 'SCALAR', scalar: { value: 1 }, reservations: [reservation] } as const),
      disk: { persistence: { id }, volume: { container_path: 'v', mode: 'RW' } } as const,
    };
    const operations: readonly OfferOperation[] = [
      { type: 'CREATE', create: { volumes: [volume] } },
      { type: 'DESTROY', destroy: { volumes: [volume] } },
      { type: 'GROW_VOLUME', grow_volume: { volume, addition: { ...volume, disk: undefined } } },
      { type: 'SHRINK_VOLUME', shrink_volume: { volume, subtract: { value: 0.5 } } },
    ];
    for (const [at, operation_info] of operations.entries()) {
      const resource_version_uuid = { uuid: { value: world.core.state.resourceVersion } };
      const body = { operation_info, operation_uuid: { value: `AAAAAAAAQAC${at}AAAAAAAAAA==` }, resource_version_uuid };
      world.message({ name: 'ApplyOperationMessage', body });
    }
    const states = sentOf(world, 'UpdateOperationStatusMessage').map(({ status }) => status.state);
    assert.deepEqual(states, ['OPERATION_ERROR', 'OPERATION_ERROR', 'OPERATION_ERROR', 'OPERATION_ERROR']);
    assert.ok(isUntouched(world) && world.effects.every(({ kind }) => kind !== 'exit'));
  }
});

test('VALIDATION-1: an agent id that is no valid name of a directory does not register the agent', () => {
  for (const id of [...INVALID_NAMES, 'latest']) {
    const world = createWorld();
    world.input({ kind: 'start', checkpoint: [], containers: [] });
    world.input({ kind: 'masterDetected', master: MASTER });
    world.pass(1000);
    world.message({ name: 'AgentRegisteredMessage', body: { agent_id: { value: id } } });
    assert.equal(world.core.state.registration.registered, false, JSON.stringify(id));
    assert.equal(world.core.state.info.id, undefined);
  }
});

const calls = (container_id: ContainerID): readonly AgentCall[] => [
  { type: 'LAUNCH_NESTED_CONTAINER', launch_nested_container: { container_id, command: { value: 'true' } } },
  { type: 'LAUNCH_NESTED_CONTAINER_SESSION', launch_nested_container_session: { container_id, command: {} } },
  { type: 'WAIT_NESTED_CONTAINER', wait_nested_container: { container_id } },
  { type: 'KILL_NESTED_CONTAINER', kill_nested_container: { container_id } },
  { type: 'REMOVE_NESTED_CONTAINER', remove_nested_container: { container_id } },
  { type: 'ATTACH_CONTAINER_OUTPUT', attach_container_output: { container_id } },
  { type: 'LAUNCH_CONTAINER', launch_container: { container_id, command: { value: 'true' } } },
  { type: 'WAIT_CONTAINER', wait_container: { container_id } },
  { type: 'KILL_CONTAINER', kill_container: { container_id } },
  { type: 'REMOVE_CONTAINER', remove_container: { container_id } },
];

test('VALIDATION-1: a call about a container is refused if its id is no valid name of a directory, or is nested too deep', () => {
  const world = registeredWorld();
  const value = runToRunning(world, taskOf('t'));
  world.effects.length = 0;
  let deep: ContainerID = { value };
  for (let level = 0; level < 50; level++) deep = { value: 'c', parent: deep };
  const ids: readonly ContainerID[] = [
    ...[...INVALID_NAMES, 'latest', 'a.b', 'a b'].flatMap((id) => [{ value: id }, { value: id, parent: { value } }]),
    { value: 'c', parent: { value: '..' } },
    deep,
  ];
  for (const id of ids) {
    for (const call of calls(id)) {
      const effects = world.input({ kind: 'containerCall', connection: 'c' as ConnectionId, call });
      const statuses = effects.flatMap((it) => (it.kind === 'callReply' ? [it.status] : []));
      assert.deepEqual(statuses, [400], `${call.type} ${JSON.stringify(id).slice(0, 100)}`);
    }
  }
  assert.ok(isUntouched(world));
  assert.equal(world.core.state.nestedContainers.size, 0);
});

const invalidRecords = (good: CheckpointRecord): readonly CheckpointRecord[] => {
  switch (good.kind) {
    case 'agent':
    case 'framework':
      return INVALID_NAMES.map((value) => ({ ...good, info: { ...good.info, id: { value } } }) as CheckpointRecord);
    case 'executor': {
      const { executor } = good;
      return [
        ...INVALID_NAMES.map((value) => ({
          ...good,
          executor: { ...executor, info: { ...executor.info, executor_id: { value } } },
        })),
        ...INVALID_NAMES.map((frameworkId) => ({
          ...good,
          executor: { ...executor, frameworkId: frameworkId as FrameworkId },
        })),
        ...INVALID_NAMES.map((containerId) => ({
          ...good,
          executor: { ...executor, containerId: containerId as ContainerId },
        })),
        { ...good, executor: { ...executor, sandbox: `${executor.sandbox}/../../../victim` } },
        { ...good, executor: { ...executor, sandbox: 'relative' } },
      ];
    }
    case 'task':
      return INVALID_NAMES.map((frameworkId) => ({ ...good, frameworkId: frameworkId as FrameworkId }));
    case 'sandbox':
      return [{ ...good, path: `${good.path}/../../..` }];
    default:
      return [];
  }
};

test('VALIDATION-1: a checkpoint with an id or path outside of work_dir ends the process with a message that names the field', () => {
  const world = registeredWorld();
  runToRunning(world, taskOf('t'));
  const disk = [...world.disk].map(([key, record]) => ({ key, record }));
  let tried = 0;
  for (const { key, record } of disk) {
    for (const invalid of invalidRecords(record)) {
      const other = createWorld();
      const checkpoint = disk.map((entry) => (entry.key === key ? { key, record: invalid } : entry));
      const effects = other.input({ kind: 'start', checkpoint, containers: [] });
      assert.deepEqual(
        effects.map(({ kind }) => kind),
        ['exit'],
        JSON.stringify(invalid),
      );
      const [exit] = effects;
      assert.match(exit?.kind === 'exit' ? exit.message : '', /^the checkpoint in work_dir is damaged \(.*: expected /);
      tried++;
    }
  }
  assert.ok(tried > 30);
});

test('VALIDATION-1: a sandbox outside of work_dir is never deleted', () => {
  const world = registeredWorld();
  const containerId = run(world, taskOf('t'));
  world.core.state.sandboxes.set(containerId, {
    containerId,
    path: '/var/meseta2/x',
    endedWallMs: 0,
    isBeingRemoved: false,
  });
  world.input({ kind: 'diskUsage', usedShare: 1 });
  assert.equal(
    world.effects.some(({ kind }) => kind === 'removeSandbox'),
    false,
  );
  assert.equal(world.core.state.sandboxes.has(containerId), false);
});
