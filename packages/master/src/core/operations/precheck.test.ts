// Malformed resources, missing bodies and ids without feedback: found before any operation of an ACCEPT is performed.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Offer, OfferOperation, Resource, TaskInfo } from '@meseta/wire';
import { createWorld, resources, task } from '../testing.js';

const bad: Resource = { name: 'cpus', type: 'SCALAR', scalar: { value: -1 } };
const capabilities = [{ type: 'MULTI_ROLE' as const }, { type: 'RESERVATION_REFINEMENT' as const }];

/** The messages of the answers to one operation: of task statuses and of operation statuses. */
function answersTo(make: (offer: Offer) => OfferOperation): readonly string[] {
  const world = createWorld();
  world.agent();
  const scheduler = world.subscribe({ roles: ['web'], capabilities });
  world.wait(1_000);
  const offer = scheduler.offer();
  scheduler.call({ type: 'ACCEPT', accept: { offer_ids: [offer.id], operations: [make(offer)] } });
  assert.deepEqual([...world.master.state.operations], []);
  return scheduler.events.flatMap(({ update, update_operation_status }) => {
    const status = update?.status ?? update_operation_status?.status;
    return status?.message === undefined ? [] : [`${status.state} ${status.message}`];
  });
}

const id = { value: 'op' };
const good = resources('cpus:1');
const [volume = bad] = resources('disk:1');

test('a malformed resource in any list of an operation is an OPERATION_ERROR that names the list', () => {
  const table: readonly (readonly [OfferOperation, string])[] = [
    [{ id, type: 'RESERVE', reserve: { resources: good, source: [bad] } }, 'reserve.source[0]'],
    [{ id, type: 'RESERVE', reserve: { resources: [...good, bad] } }, 'reserve.resources[1]'],
    [{ id, type: 'UNRESERVE', unreserve: { resources: [bad] } }, 'unreserve.resources[0]'],
    [{ id, type: 'CREATE', create: { volumes: [bad] } }, 'create.volumes[0]'],
    [{ id, type: 'DESTROY', destroy: { volumes: [bad] } }, 'destroy.volumes[0]'],
    [{ id, type: 'GROW_VOLUME', grow_volume: { volume: bad, addition: volume } }, 'grow_volume.volume[0]'],
    [{ id, type: 'GROW_VOLUME', grow_volume: { volume, addition: bad } }, 'grow_volume.addition[0]'],
    [{ id, type: 'SHRINK_VOLUME', shrink_volume: { volume: bad, subtract: { value: 1 } } }, 'shrink_volume.volume[0]'],
  ];
  for (const [operation, field] of table) {
    const expected = `OPERATION_ERROR ${field}.scalar.value: expected a number >= 0, got -1`;
    assert.deepEqual(
      answersTo(() => operation),
      [expected],
      operation.type,
    );
  }
});

test('CREATE_DISK and DESTROY_DISK are an OPERATION_ERROR: no agent has a storage resource provider', () => {
  const provided = { ...volume, provider_id: { value: 'rp' } };
  const table: readonly (readonly [OfferOperation, string])[] = [
    [{ id, type: 'CREATE_DISK' }, 'operation.create_disk: is missing'],
    [{ id, type: 'DESTROY_DISK' }, 'operation.destroy_disk: is missing'],
    [
      { id, type: 'CREATE_DISK', create_disk: { source: volume, target_type: 'MOUNT' } },
      "create_disk.source.provider_id: is missing; only a provider's disks can be used",
    ],
    [
      { id, type: 'DESTROY_DISK', destroy_disk: { source: provided } },
      "destroy_disk.source.provider_id: resource provider 'rp' is unknown",
    ],
  ];
  for (const [operation, text] of table) {
    assert.deepEqual(
      answersTo(() => operation),
      [`OPERATION_ERROR ${text}`],
      operation.type,
    );
  }
});

const executor = { executor_id: { value: 'e' }, command: { value: 'run' }, resources: [bad] };

test('a malformed resource of one task or executor refuses all tasks of the operation', () => {
  const launch =
    (more: Partial<TaskInfo>) =>
    (offer: Offer): OfferOperation => ({
      type: 'LAUNCH',
      launch: { task_infos: [task('a', offer), task('b', offer, more)] },
    });
  const group =
    (more: Partial<TaskInfo>, resourcesOfExecutor: readonly Resource[]) =>
    (offer: Offer): OfferOperation => ({
      type: 'LAUNCH_GROUP',
      launch_group: {
        executor: { ...executor, type: 'DEFAULT', resources: resourcesOfExecutor },
        task_group: { tasks: [task('a', offer), task('b', offer, more)] },
      },
    });
  const table: readonly (readonly [make: (offer: Offer) => OfferOperation, field: string])[] = [
    [launch({ resources: [bad] }), 'task.resources[0]'],
    [launch({ command: undefined, executor }), 'executor.resources[0]'],
    [group({ resources: [bad] }, good), 'task.resources[0]'],
    [group({ executor }, good), 'executor.resources[0]'],
    [group({}, [bad]), 'executor.resources[0]'],
  ];
  for (const [make, field] of table) {
    const expected = `TASK_ERROR ${field}.scalar.value: expected a number >= 0, got -1`;
    assert.deepEqual(answersTo(make), [expected, expected]);
  }
});

test('a LAUNCH or LAUNCH_GROUP with an operation id refuses its tasks', () => {
  const launch = (offer: Offer): OfferOperation => ({ id, type: 'LAUNCH', launch: { task_infos: [task('a', offer)] } });
  assert.deepEqual(answersTo(launch), ['TASK_ERROR operation.id: must not be set for LAUNCH']);
  const group = (offer: Offer): OfferOperation => ({
    id,
    type: 'LAUNCH_GROUP',
    launch_group: { executor: { ...executor, resources: [] }, task_group: { tasks: [task('a', offer)] } },
  });
  assert.deepEqual(answersTo(group), ['TASK_ERROR operation.id: must not be set for LAUNCH_GROUP']);
  assert.deepEqual(
    answersTo(() => ({ id, type: 'LAUNCH' })),
    [],
  );
  assert.deepEqual(
    answersTo(() => ({ id, type: 'LAUNCH_GROUP' })),
    [],
  );
});
