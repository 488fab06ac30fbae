import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { OfferId } from '@meseta/base';
import type { AgentInfo, FrameworkInfoCapabilityType, InverseOffer } from '@meseta/wire';
import { createWorld, MASTER_ID, resources, type TestScheduler, task, type World } from './testing.js';

const SECOND_MS = 1_000;
const capabilities = (...types: readonly FrameworkInfoCapabilityType[]) => ({
  capabilities: types.map((type) => ({ type })),
});
const unavailability = { start: { nanoseconds: 1_800_000_000_000_000_000n } };

function schedule(world: World, hostname: string, ip: string): void {
  const windows = [{ machine_ids: [{ hostname, ip }], unavailability }];
  world.operator({ type: 'UPDATE_MAINTENANCE_SCHEDULE', update_maintenance_schedule: { schedule: { windows } } });
}

const inverseOffers = (scheduler: TestScheduler): readonly InverseOffer[] =>
  scheduler.take('INVERSE_OFFERS').inverse_offers?.inverse_offers ?? [];

test('an offer has all fields of the agent that are set, and no others', () => {
  const more = {
    attributes: [{ name: 'rack', type: 'TEXT', text: { value: 'a' } }],
  } as const satisfies Partial<AgentInfo>;
  for (const info of [more, {}]) {
    const world = createWorld();
    const agent = world.agent('cpus:4;mem:4096', { info, pid: 'slave(1)@[::1]:5051' });
    const scheduler = world.subscribe(capabilities('MULTI_ROLE'));
    const { resources: offered, ...offer } = scheduler.offer();
    assert.deepEqual(offer, {
      id: { value: `${MASTER_ID}-O0` },
      framework_id: { value: scheduler.id },
      agent_id: { value: agent.id },
      hostname: 'agent0',
      ...info,
      url: { scheme: 'http', address: { hostname: 'agent0', ip: '[::1]', port: 5051 }, path: '/slave(1)' },
      allocation_info: { role: '*' },
    });
    assert.deepEqual(
      offered?.map(({ allocation_info }) => allocation_info),
      [{ role: '*' }, { role: '*' }],
    );
  }
});

test('resources that serve a quota guarantee come first in an offer, then all but unreserved scalars', () => {
  const world = createWorld();
  const quotaConfigs = [{ role: 'web', guarantees: { mem: { value: 1 } } }];
  world.operator({ type: 'UPDATE_QUOTA', update_quota: { force: true, quota_configs: quotaConfigs } });
  world.agent('cpus:4;mem:4096;ports:[1-9];disk:7');
  const scheduler = world.subscribe({ roles: ['web'], ...capabilities('MULTI_ROLE') });
  assert.deepEqual(
    scheduler.offer().resources?.map(({ name }) => name),
    ['mem', 'ports', 'cpus', 'disk'],
  );
});

test("an offer has its role only with MULTI_ROLE, and the ids of the framework's executors on the agent", () => {
  const world = createWorld();
  const agent = world.agent('cpus:4;mem:4096');
  const scheduler = world.subscribe({ role: 'web', roles: undefined, ...capabilities() });
  const offer = scheduler.offer();
  assert.deepEqual([offer.allocation_info, offer.executor_ids], [undefined, undefined]);
  assert.ok(offer.resources?.every(({ allocation_info }) => allocation_info === undefined));
  const { command: _, ...own } = task('t', offer);
  const executor = {
    type: 'CUSTOM' as const,
    executor_id: { value: 'e' },
    framework_id: { value: scheduler.id },
    resources: resources('cpus:0.1;mem:32', offer),
    command: { value: './executor' },
  };
  scheduler.launch(offer, { ...own, executor });
  assert.equal(agent.has('RunTaskMessage'), true);
  world.wait(5 * SECOND_MS);
  assert.deepEqual(scheduler.offer().executor_ids, [{ value: 'e' }]);
});

test('OFFERS-2: an unanswered offer or inverse offer is rescinded once, after --offer_timeout', () => {
  const world = createWorld({ offerTimeoutMs: 500 });
  world.agent();
  const scheduler = world.subscribe();
  const offer = scheduler.offer();
  world.wait(499);
  assert.equal(scheduler.has('RESCIND'), false);
  world.wait(1);
  assert.deepEqual(scheduler.take('RESCIND').rescind?.offer_id, offer.id);
  assert.equal(scheduler.has('RESCIND'), false);
  schedule(world, 'agent0', '10.0.1.0');
  while (!scheduler.has('INVERSE_OFFERS')) world.wait(100);
  const [inverse] = inverseOffers(scheduler);
  world.wait(600);
  assert.deepEqual(scheduler.take('RESCIND_INVERSE_OFFER').rescind_inverse_offer?.inverse_offer_id, inverse?.id);
  assert.equal(world.master.state.inverseOffers.has(inverse?.id.value as OfferId), false);
});

test('without --offer_timeout, offers and inverse offers do not time out', () => {
  const world = createWorld();
  world.agent();
  const scheduler = world.subscribe();
  world.wait(SECOND_MS);
  schedule(world, 'agent0', '10.0.1.0');
  world.wait(2 * SECOND_MS);
  scheduler.take('RESCIND');
  inverseOffers(scheduler);
  world.wait(3_600 * SECOND_MS);
  assert.equal(scheduler.has('RESCIND') || scheduler.has('RESCIND_INVERSE_OFFER'), false);
});

test('an inverse offer has the agent and its unavailability, and is rescinded when the agent is deleted', () => {
  const world = createWorld();
  const [agent, other] = [world.agent(), world.agent()];
  const scheduler = world.subscribe();
  world.wait(SECOND_MS);
  schedule(world, 'AGENT0', '10.0.1.0');
  world.wait(2 * SECOND_MS);
  const [inverse, ...rest] = inverseOffers(scheduler);
  const { id, ...fields } = inverse ?? {};
  assert.deepEqual(rest, []);
  assert.deepEqual(fields, {
    url: { scheme: 'http', address: { hostname: 'agent0', ip: '10.0.1.0', port: 5051 }, path: '/slave(1)' },
    framework_id: { value: scheduler.id },
    agent_id: { value: agent.id },
    unavailability,
  });
  const offered = scheduler.events.flatMap((event) => event.offers?.offers ?? []);
  assert.deepEqual([offered.at(-1)?.agent_id.value, offered.at(-1)?.unavailability], [agent.id, unavailability]);
  const ofOther = offered.filter(({ agent_id }) => agent_id.value === other.id);
  assert.deepEqual(
    ofOther.map((offer) => offer.unavailability),
    [undefined],
  );
  scheduler.events.splice(0);
  agent.breakConnection();
  assert.deepEqual(scheduler.take('RESCIND_INVERSE_OFFER').rescind_inverse_offer?.inverse_offer_id, id);
  assert.deepEqual(scheduler.take('RESCIND').rescind?.offer_id, offered.at(-1)?.id);
  assert.equal(scheduler.has('RESCIND') || scheduler.has('RESCIND_INVERSE_OFFER'), false);
  assert.equal(world.master.state.inverseOffers.size, 0);
  assert.equal(recordOf(world, scheduler)?.inverseOffers.size, 0);
});

const recordOf = (world: World, scheduler: TestScheduler) => world.master.state.frameworks.get(scheduler.id);

test('offers and inverse offers of a framework that disconnects are removed without events', () => {
  const world = createWorld();
  const agent = world.agent();
  const scheduler = world.subscribe({ failover_timeout: 3_600 });
  world.wait(SECOND_MS);
  schedule(world, 'agent0', '10.0.1.0');
  world.wait(2 * SECOND_MS);
  inverseOffers(scheduler);
  scheduler.events.splice(0);
  scheduler.disconnect();
  const { offers, inverseOffers: inverse, agents } = world.master.state;
  assert.deepEqual([offers.size, inverse.size], [0, 0]);
  const record = agents.registered.get(agent.id);
  assert.deepEqual([record?.offers.size, record?.inverseOffers.size], [0, 0]);
  assert.deepEqual(scheduler.events, []);
  world.wait(10 * SECOND_MS);
  assert.deepEqual([offers.size, inverse.size], [0, 0]);
});

test('offers of several agents are one event, and each is counted', () => {
  const world = createWorld();
  for (let n = 0; n < 3; n++) world.agent();
  const scheduler = world.subscribe();
  const { offers } = scheduler.take('OFFERS').offers ?? {};
  assert.deepEqual(offers?.map(({ hostname }) => hostname).sort(), ['agent0', 'agent1', 'agent2']);
  assert.equal(recordOf(world, scheduler)?.counters.get('offers/sent'), 3);
  world.feed({ kind: 'peerLost', address: '10.0.1.0:5051' });
  assert.equal(recordOf(world, scheduler)?.counters.get('offers/rescinded'), 1);
  assert.deepEqual(
    scheduler.events.flatMap(({ rescind }) => (rescind === undefined ? [] : [rescind.offer_id])),
    offers?.filter(({ hostname }) => hostname === 'agent0').map(({ id }) => id),
  );
});
