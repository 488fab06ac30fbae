import assert from 'node:assert/strict';
import { test } from 'node:test';
import { summarize } from '@meseta/resources';
import type { MasterCall, Resource } from '@meseta/wire';
import { createWorld, resources, task } from '../testing.js';

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

test('a quota limit rescinds offers beyond it', () => {
  const world = createWorld();
  world.agent();
  const scheduler = world.subscribe({ roles: ['web'] });
  world.wait(1_000);
  scheduler.take('OFFERS');
  assert.equal(world.operator(quota('web', {}, { cpus: 1 }))?.status, 200);
  assert.equal(scheduler.has('RESCIND'), true);
  world.wait(3_000);
  assert.equal(summarize(scheduler.offer().resources ?? [])['cpus'], 1);
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

test('operators reserve unallocated resources; offers with needed resources are rescinded', () => {
  const world = createWorld();
  const agent = world.agent();
  const scheduler = world.subscribe();
  world.wait(1_000);
  assert.equal(world.operator(reserve(agent.id, 'cpus:1'))?.status, 202);
  assert.equal(scheduler.has('RESCIND'), true);
  assert.equal(agent.take('ApplyOperationMessage').framework_id, undefined);
  assert.equal(world.operator(reserve(agent.id, 'cpus:100'))?.status, 409);
  assert.equal(world.operator(reserve('nobody', 'cpus:1'))?.status, 400);
  const unreserve: MasterCall = {
    type: 'UNRESERVE_RESOURCES',
    unreserve_resources: { agent_id: { value: agent.id }, resources: dynamic('cpus:1') },
  };
  assert.equal(world.operator(unreserve)?.status, 202);
  assert.equal(world.operator(unreserve)?.status, 409);
  assert.deepEqual(world.master.state.agents.registered.get(agent.id)?.checkpointedResources, []);
});

test('operators cannot reserve resources of tasks', () => {
  const world = createWorld();
  const agent = world.agent('cpus:1;mem:64');
  const scheduler = world.subscribe();
  world.wait(1_000);
  const offer = scheduler.offer();
  scheduler.launch(offer, task('t', offer, { resources: resources('cpus:1;mem:32', offer) }));
  assert.equal(world.operator(reserve(agent.id, 'cpus:1'))?.status, 409);
  assert.equal(world.operator(reserve(agent.id, 'mem:32'))?.status, 202);
});

test('maintenance: draining with inverse offers, down, up', () => {
  const world = createWorld();
  const agent = world.agent();
  const scheduler = world.subscribe();
  world.wait(1_000);
  const machine = { hostname: 'agent0', ip: '10.0.1.0' };
  const unavailability = { start: { nanoseconds: 1_800_000_000_000_000_000n }, duration: { nanoseconds: 1e12 } };
  const window = { machine_ids: [machine], unavailability };
  const schedule = (windows: readonly (typeof window)[]) =>
    world.operator({ type: 'UPDATE_MAINTENANCE_SCHEDULE', update_maintenance_schedule: { schedule: { windows } } })
      ?.status;
  const start = () => world.operator({ type: 'START_MAINTENANCE', start_maintenance: { machines: [machine] } })?.status;
  const stop = () => world.operator({ type: 'STOP_MAINTENANCE', stop_maintenance: { machines: [machine] } })?.status;
  assert.equal(start(), 400, 'not scheduled');
  assert.equal(schedule([window]), 200);
  assert.equal(scheduler.has('RESCIND'), true);
  world.wait(2_000);
  const inverse = scheduler.take('INVERSE_OFFERS').inverse_offers?.inverse_offers?.[0];
  assert.deepEqual([inverse?.agent_id?.value, inverse?.unavailability], [agent.id, unavailability]);
  const offers = scheduler.events.flatMap((event) => event.offers?.offers ?? []);
  assert.deepEqual(offers.at(-1)?.unavailability, unavailability);
  scheduler.call({
    type: 'ACCEPT_INVERSE_OFFERS',
    accept_inverse_offers: { inverse_offer_ids: inverse === undefined ? [] : [inverse.id] },
  });
  const statuses = world.master.state.allocator.inverseOfferStatuses().get(agent.id);
  assert.equal(statuses?.get(scheduler.id)?.status, 'ACCEPT');
  assert.equal(stop(), 400, 'not down');
  assert.equal(start(), 200);
  assert.equal(start(), 400, 'down already');
  assert.equal(world.master.state.agents.registered.size, 0);
  assert.equal(schedule([]), 400, 'a machine that is down may not be left out');
  agent.take('ShutdownMessage');
  agent.register();
  assert.equal(agent.has('ShutdownMessage'), true);
  assert.equal(stop(), 200);
  agent.register();
  assert.equal(world.master.state.agents.registered.size, 1);
  assert.equal(schedule([window, window]), 400, 'listed twice');
  assert.equal(schedule([{ ...window, machine_ids: [] }]), 400);
});

test('calls without a required field, and calls about unknown objects', () => {
  const world = createWorld();
  const nobody = { value: 'nobody' };
  const cases: readonly (readonly [MasterCall, number])[] = [
    [{ type: 'RESERVE_RESOURCES' }, 400],
    [{ type: 'TEARDOWN' }, 400],
    [{ type: 'TEARDOWN', teardown: { framework_id: nobody } }, 400],
    [{ type: 'MARK_AGENT_GONE' }, 400],
    [{ type: 'MARK_AGENT_GONE', mark_agent_gone: { agent_id: nobody } }, 404],
    [{ type: 'DRAIN_AGENT', drain_agent: { agent_id: nobody } }, 400],
    [{ type: 'DEACTIVATE_AGENT', deactivate_agent: { agent_id: nobody } }, 400],
    [{ type: 'REACTIVATE_AGENT', reactivate_agent: { agent_id: nobody } }, 400],
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

test('an agent that registers while its machine goes down is removed', () => {
  const world = createWorld();
  const agent = world.agent('cpus:1', { silent: true });
  const machines = [{ hostname: agent.info.hostname, ip: agent.pid.split('@')[1]?.split(':')[0] ?? '' }];
  const unavailability = { start: { nanoseconds: 1n } };
  const schedule = { windows: [{ machine_ids: machines, unavailability }] };
  world.operator({ type: 'UPDATE_MAINTENANCE_SCHEDULE', update_maintenance_schedule: { schedule } });
  world.holdStore(true);
  agent.register();
  world.operator({ type: 'START_MAINTENANCE', start_maintenance: { machines } });
  world.holdStore(false);
  world.answerStore();
  assert.equal(agent.has('ShutdownMessage'), true);
  assert.equal(world.master.state.agents.registered.size, 0);
  assert.equal(world.master.state.registrar.durable.agents.size, 0);
});
