// Volumes that two frameworks were offered, and who may resize one.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Offer, OfferOperation, Resource } from '@meseta/wire';
import { createWorld, resources, type TestScheduler, task } from '../testing.js';

const owner = {
  roles: ['db'],
  capabilities: [{ type: 'MULTI_ROLE' }, { type: 'RESERVATION_REFINEMENT' }, { type: 'SHARED_RESOURCES' }],
} as const;

const reserved = (text: string, offer: Offer): Resource[] =>
  resources(text, offer).map((resource) => ({ ...resource, reservations: [{ type: 'DYNAMIC', role: 'db' }] }));

const volumeOf = (disk: readonly Resource[], id: string): Resource[] =>
  disk.map((resource) => ({
    ...resource,
    disk: { persistence: { id }, volume: { mode: 'RW', container_path: 'data' } },
  }));

const accept = (scheduler: TestScheduler, offer: Offer, ...operations: readonly OfferOperation[]) =>
  scheduler.call({
    type: 'ACCEPT',
    accept: { offer_ids: [offer.id], operations, filters: { refuse_seconds: 0 } },
  });

const holdsVolume = ({ resources: held = [] }: Offer): boolean =>
  held.some(({ disk }) => disk?.persistence !== undefined);

const offersOf = ({ events }: TestScheduler): Offer[] => events.flatMap(({ offers }) => offers?.offers ?? []);

test('destroying a shared volume rescinds other offers with it', () => {
  const world = createWorld();
  const agent = world.agent('cpus:4;mem:4096;disk:64');
  const one = world.subscribe(owner);
  world.wait(1_000);
  const offer = one.offer();
  const disk = reserved('disk:64', offer);
  const volumes = volumeOf(disk, 'v').map((volume) => ({ ...volume, shared: {} }));
  accept(
    one,
    offer,
    { type: 'RESERVE', reserve: { resources: disk } },
    { type: 'CREATE', create: { volumes } },
    { type: 'LAUNCH', launch: { task_infos: [task('t', offer)] } },
  );
  world.wait(2_000);
  // The resources of the ended task are offered to the other framework, with the shared volume, which the first is offered too.
  const another = world.subscribe(owner);
  agent.update(one, 't', 'TASK_FINISHED');
  world.wait(2_000);
  const mine = offersOf(one).find(holdsVolume);
  const theirs = offersOf(another).find(holdsVolume);
  assert.ok(mine !== undefined && theirs !== undefined, 'both are offered the volume');
  accept(one, mine, { type: 'DESTROY', destroy: { volumes } });
  assert.deepEqual(another.take('RESCIND').rescind?.offer_id, theirs.id);
});

test('GROW_VOLUME and SHRINK_VOLUME need the authorization to resize volumes of the role', () => {
  const asked: (readonly [string, string | undefined])[] = [];
  const world = createWorld({
    authorize: ({ action, value }) => {
      if (action === 'RESIZE_VOLUME') asked.push([action, value]);
      return action !== 'RESIZE_VOLUME';
    },
  });
  const agent = world.agent('cpus:4;mem:4096;disk:128');
  const scheduler = world.subscribe(owner);
  world.wait(1_000);
  const offer = scheduler.offer();
  const disk = reserved('disk:64', offer);
  const [volume] = volumeOf(disk, 'v');
  assert.ok(volume !== undefined);
  const [addition] = reserved('disk:8', offer);
  assert.ok(addition !== undefined);
  accept(
    scheduler,
    offer,
    { type: 'RESERVE', reserve: { resources: reserved('disk:128', offer) } },
    { type: 'CREATE', create: { volumes: [volume] } },
    { type: 'GROW_VOLUME', id: { value: 'grow' }, grow_volume: { volume, addition } },
    { type: 'SHRINK_VOLUME', id: { value: 'shrink' }, shrink_volume: { volume, subtract: { value: 8 } } },
  );
  for (const id of ['grow', 'shrink']) {
    const { status } = scheduler.take('UPDATE_OPERATION_STATUS').update_operation_status ?? {};
    assert.deepEqual([status?.operation_id?.value, status?.state], [id, 'OPERATION_ERROR']);
    assert.match(status?.message ?? '', /not authorized: RESIZE_VOLUME for 'db'/);
  }
  assert.deepEqual(asked, [
    ['RESIZE_VOLUME', 'db'],
    ['RESIZE_VOLUME', 'db'],
  ]);
  const sent = agent.received.flatMap((message) =>
    message.name === 'ApplyOperationMessage' ? [message.body.operation_info.type] : [],
  );
  assert.deepEqual(sent, ['RESERVE', 'CREATE']);
});
