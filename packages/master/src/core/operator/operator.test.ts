import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { MasterCall, Resource } from '@meseta/wire';
import { createWorld, resources } from '../testing.js';

const values = (amounts: Record<string, number>) =>
  Object.fromEntries(Object.entries(amounts).map(([name, value]) => [name, { value }]));

const quota = (
  role: string,
  guarantees: Record<string, number>,
  limits: Record<string, number>,
  force = false,
): MasterCall => ({
  type: 'UPDATE_QUOTA',
  update_quota: { force, quota_configs: [{ role, guarantees: values(guarantees), limits: values(limits) }] },
});

const reserve = (id: string, text: string, role = 'web'): MasterCall => ({
  type: 'RESERVE_RESOURCES',
  reserve_resources: { agent_id: { value: id }, resources: dynamic(text, role) },
});

const dynamic = (text: string, role = 'web'): Resource[] =>
  resources(text).map((r) => ({ ...r, reservations: [{ type: 'DYNAMIC', role }] }));

test('a quota is checked, stored and applied', () => {
  const world = createWorld();
  world.agent();
  const cases: readonly (readonly [MasterCall, number])[] = [
    [quota('web', { cpus: 1 }, { cpus: 2, mem: 1024 }), 200],
    [quota('web2', { cpus: 1000 }, { cpus: 1000 }), 400],
    [quota('web2', { cpus: 1000 }, { cpus: 1000 }, true), 200],
    [quota('web3', { cpus: 3 }, { cpus: 2 }), 400],
    [quota('*', {}, { cpus: 2 }), 400],
    [quota('a/b', {}, { cpus: 2 }), 400],
    [quota('a b', {}, { cpus: 2 }), 400],
    [quota('web4', {}, { cpus: -2 }), 400],
    [{ type: 'UPDATE_QUOTA', update_quota: {} }, 400],
    [quota('web', {}, {}), 400],
    [quota('web', {}, {}, true), 200],
  ];
  for (const [call, status] of cases) assert.equal(world.operator(call)?.status, status, JSON.stringify(call));
  assert.deepEqual([...world.master.state.registrar.durable.quotas.keys()], ['web2']);
  assert.equal(world.master.state.registrar.durable.minimumCapabilities.has('QUOTA_V2'), true);
});

test('SET_QUOTA and REMOVE_QUOTA: more than the capacity is a 409, a repeated call a 400', () => {
  const world = createWorld();
  world.agent();
  const set = (role: string, text: string, force = false) =>
    world.operator({ type: 'SET_QUOTA', set_quota: { quota_request: { role, guarantee: resources(text), force } } })
      ?.status;
  const remove = (role: string) => world.operator({ type: 'REMOVE_QUOTA', remove_quota: { role } })?.status;
  assert.equal(set('old', 'cpus:1000'), 409);
  assert.equal(set('old', 'ports:[1-2]'), 400);
  assert.equal(set('old', 'cpus:0.5'), 200);
  assert.equal(set('old', 'cpus:0.5'), 400);
  assert.deepEqual(world.master.state.registrar.durable.quotas.get('old')?.limits, { cpus: { value: 0.5 } });
  assert.equal(remove('old'), 200);
  assert.equal(remove('old'), 400);
});

test('an operation cannot create resources: its source and its result have the same resources', () => {
  const world = createWorld();
  const { id } = world.agent();
  const total = (): unknown => world.master.state.agents.registered.get(id)?.totalResources;
  const [volume] = resources('disk:10').map(
    (disk): Resource => ({
      ...disk,
      reservations: [{ type: 'DYNAMIC', role: 'web' }],
      disk: { persistence: { id: 'v' }, volume: { container_path: 'v', mode: 'RW' } },
    }),
  );
  assert.ok(volume);
  const agent_id = { value: id };
  const from = (source: readonly Resource[], text = 'cpus:1'): MasterCall => ({
    type: 'RESERVE_RESOURCES',
    reserve_resources: { agent_id, source, resources: dynamic(text) },
  });
  assert.equal(world.operator(reserve(id, 'disk:20'))?.status, 202);
  assert.equal(
    world.operator({ type: 'CREATE_VOLUMES', create_volumes: { agent_id, volumes: [volume] } })?.status,
    202,
  );
  const before = total();
  const cases: readonly (readonly [MasterCall, RegExp])[] = [
    [from([{ name: 'bogus', type: 'TEXT' }]), /reserve\.source/],
    [from(resources('cpus:0.1')), /reserve\.source: expected the same resources/],
    [from(resources('mem:1')), /reserve\.source: expected the same resources/],
    [from([...resources('cpus:0.5'), ...dynamic('cpus:0.5', 'db')]), /reserve\.source: expected the same reservations/],
    [
      { type: 'GROW_VOLUME', grow_volume: { agent_id, volume, addition: dynamic('cpus:1')[0] as Resource } },
      /grow_volume\.addition/,
    ],
    [
      { type: 'GROW_VOLUME', grow_volume: { agent_id, volume, addition: resources('disk:1')[0] as Resource } },
      /grow_volume\.addition/,
    ],
  ];
  for (const [call, text] of cases) {
    const answer = world.operator(call);
    assert.equal(answer?.status, 400, JSON.stringify(call));
    assert.match(answer?.text ?? '', text);
  }
  assert.deepEqual(total(), before);
});

test('weights are stored; all offers are rescinded if a named role is in use', () => {
  const world = createWorld();
  world.agent();
  const scheduler = world.subscribe({ roles: ['a'] });
  world.wait(1_000);
  const set = (role: string, weight: number) =>
    world.operator({ type: 'UPDATE_WEIGHTS', update_weights: { weight_infos: [{ role, weight }] } })?.status;
  assert.equal(set('b', 3), 200);
  assert.equal(scheduler.has('RESCIND'), false);
  assert.equal(set('a', 2.5), 200);
  assert.equal(scheduler.has('RESCIND'), true);
  for (const weight of [0, -1, Number.NaN]) assert.equal(set('a', weight), 400);
  assert.equal(set('a b', 1), 400);
  assert.deepEqual(
    [...world.master.state.registrar.durable.weights],
    [
      ['b', 3],
      ['a', 2.5],
    ],
  );
});

test('--weights are stored only if the registry has none', () => {
  const first = createWorld({ weights: new Map([['a', 2]]) });
  const { durable } = first.master.state.registrar;
  assert.deepEqual([...durable.weights], [['a', 2]]);
  const second = createWorld({ registry: durable, weights: new Map([['a', 7]]) });
  assert.deepEqual([...second.master.state.registrar.durable.weights], [['a', 2]]);
});

test('a call without a required field, or about an unknown object, is refused with 400 or 404', () => {
  const world = createWorld();
  const unknown = { value: 'unknown' };
  const cases: readonly (readonly [MasterCall, number])[] = [
    [{ type: 'RESERVE_RESOURCES' }, 400],
    [{ type: 'TEARDOWN' }, 400],
    [{ type: 'TEARDOWN', teardown: { framework_id: unknown } }, 400],
    [{ type: 'MARK_AGENT_GONE' }, 400],
    [{ type: 'MARK_AGENT_GONE', mark_agent_gone: { agent_id: unknown } }, 404],
    [{ type: 'DRAIN_AGENT', drain_agent: { agent_id: unknown } }, 400],
    [{ type: 'DEACTIVATE_AGENT', deactivate_agent: { agent_id: unknown } }, 400],
    [{ type: 'REACTIVATE_AGENT', reactivate_agent: { agent_id: unknown } }, 400],
    [{ type: 'UPDATE_WEIGHTS', update_weights: { weight_infos: [] } }, 200],
    [{ type: 'STOP_MAINTENANCE' }, 400],
    [{ type: 'GET_HEALTH' }, 400],
  ];
  for (const [call, status] of cases) assert.equal(world.operator(call)?.status, status, JSON.stringify(call));
});

test('an unauthorized call is a 403 and changes nothing', () => {
  const world = createWorld({
    authorize: ({ action }) => action === 'REGISTER_AGENT' || action === 'REGISTER_FRAMEWORK',
  });
  const agent = world.agent();
  const agent_id = { value: agent.id };
  const scheduler = world.subscribe();
  const before = world.persisted.length;
  const calls: readonly MasterCall[] = [
    { type: 'DRAIN_AGENT', drain_agent: { agent_id } },
    { type: 'DEACTIVATE_AGENT', deactivate_agent: { agent_id } },
    { type: 'REACTIVATE_AGENT', reactivate_agent: { agent_id } },
    { type: 'MARK_AGENT_GONE', mark_agent_gone: { agent_id } },
    { type: 'TEARDOWN', teardown: { framework_id: { value: scheduler.id } } },
    { type: 'UPDATE_WEIGHTS', update_weights: { weight_infos: [{ role: 'a', weight: 1 }] } },
    quota('a', {}, { cpus: 1 }),
    reserve(agent.id, 'cpus:1'),
    {
      type: 'UPDATE_MAINTENANCE_SCHEDULE',
      update_maintenance_schedule: {
        schedule: { windows: [{ machine_ids: [{ hostname: 'h' }], unavailability: { start: { nanoseconds: 1n } } }] },
      },
    },
  ];
  for (const call of calls) assert.equal(world.operator(call)?.status, 403, String(call.type));
  assert.equal(world.persisted.length, before);
});

test('the answer to an inverse offer is kept with the agent', () => {
  const world = createWorld();
  const agent = world.agent();
  const scheduler = world.subscribe();
  const machine_ids = [{ hostname: 'agent0', ip: '10.0.1.0' }];
  const windows = [{ machine_ids, unavailability: { start: { nanoseconds: 1_800_000_000_000_000_000n } } }];
  world.operator({ type: 'UPDATE_MAINTENANCE_SCHEDULE', update_maintenance_schedule: { schedule: { windows } } });
  const { inverse_offers = [] } = scheduler.take('INVERSE_OFFERS').inverse_offers ?? {};
  scheduler.call({
    type: 'ACCEPT_INVERSE_OFFERS',
    accept_inverse_offers: { inverse_offer_ids: inverse_offers.map(({ id }) => id) },
  });
  const statuses = world.master.state.allocator.inverseOfferStatuses().get(agent.id);
  assert.equal(statuses?.get(scheduler.id)?.status, 'ACCEPT');
});
