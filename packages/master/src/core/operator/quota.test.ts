// Which quotas are refused and with which text, and which offers are rescinded for a quota.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { MasterCall, QuotaConfig, Resource } from '@meseta/wire';
import { createWorld, resources, task, type World } from '../testing.js';

const values = (amounts: Record<string, number>) =>
  Object.fromEntries(Object.entries(amounts).map(([name, value]) => [name, { value }]));
const config = (role: string, guarantees: Record<string, number>, limits: Record<string, number>): QuotaConfig => ({
  role,
  guarantees: values(guarantees),
  limits: values(limits),
});
const update = (configs: readonly QuotaConfig[], force?: boolean): MasterCall => ({
  type: 'UPDATE_QUOTA',
  update_quota: { quota_configs: [...configs], ...(force !== undefined && { force }) },
});
const set = (role: string | undefined, guarantee: readonly Resource[] | undefined, force?: boolean): MasterCall => ({
  type: 'SET_QUOTA',
  set_quota: {
    quota_request: {
      ...(role !== undefined && { role }),
      ...(guarantee !== undefined && { guarantee: [...guarantee] }),
      ...(force !== undefined && { force }),
    },
  },
});
const remove = (role: string): MasterCall => ({ type: 'REMOVE_QUOTA', remove_quota: { role } });

const cpu = resources('cpus:1')[0] as Resource;
const [EXABYTE, MANY] = [1_099_511_627_776, 1e12];
const LISTED = new Set(['a', 'b', 'c', 'a/b', '*']);

const refusals: readonly (readonly [call: MasterCall, status: number, text: string])[] = [
  [update([config('', {}, {})]), 400, 'quota_configs.role: role "": expected a name, got an empty string'],
  [update([config('d', {}, {})]), 400, "quota_configs.role: 'd' is not among the master's --roles"],
  [update([config('*', {}, {})]), 400, "quota_configs.role: the role '*' can't have quota"],
  [update([config('a/b', {}, {})]), 400, "quota_configs.role: only top-level roles can have quota, got 'a/b'"],
  [
    update([config('a', { cpus: -1 }, {})]),
    400,
    `quota_configs.guarantees["cpus"]: expected a number from 0 to ${MANY}, got -1`,
  ],
  [
    update([config('a', {}, { gpus: MANY + 1 })]),
    400,
    `quota_configs.limits["gpus"]: expected a number from 0 to ${MANY}, got ${MANY + 1}`,
  ],
  ...['mem', 'disk'].map(
    (name) =>
      [
        update([config('a', {}, { [name]: EXABYTE + 1 })]),
        400,
        `quota_configs.limits["${name}"]: expected a number from 0 to ${EXABYTE}, got ${EXABYTE + 1}`,
      ] as const,
  ),
  [
    update([config('b', {}, {}), config('a', { mem: 2 }, { mem: 1.5 })]),
    400,
    'quota_configs.guarantees["mem"]: 2 is more than the limit of 1.5',
  ],
  [
    update([config('a', {}, { cpus: 1 })]),
    400,
    "quota_configs.limits: role 'a' uses more than that; force: true sets it nevertheless",
  ],
  [
    update([config('b', { cpus: 2 }, {}), config('c', { cpus: 2.5 }, {})]),
    400,
    'quota_configs.guarantees: all guarantees together are more than the cluster has; force: true sets it nevertheless',
  ],
  [update([config('b', {}, {}), config('c', {}, {})], true), 403, "not authorized to update the quota of 'c'"],
  [set(undefined, [cpu]), 400, 'quota_request.role: is missing'],
  [set('b', undefined), 400, 'quota_request.guarantee: expected at least one resource'],
  [set('b', []), 400, 'quota_request.guarantee: expected at least one resource'],
  [set('b', resources('ports:[1-2]')), 400, 'quota_request.guarantee[0]: expected a scalar'],
  [set('b', [cpu, { name: 'mem', type: 'SCALAR' }]), 400, 'quota_request.guarantee[1]: expected a scalar'],
  [set('b', [cpu, cpu]), 400, "quota_request.guarantee[1].name: 'cpus' is listed twice"],
  ...[
    { ...cpu, revocable: {} },
    { ...cpu, reservations: [{ type: 'STATIC' as const, role: 'a' }] },
    { ...cpu, reservation: {} },
    { ...cpu, disk: {} },
  ].map((it) => [set('b', [it]), 400, 'quota_request.guarantee[0]: expected a plain resource'] as const),
  [set('a/b', [cpu]), 400, "quota_configs.role: only top-level roles can have quota, got 'a/b'"],
  [set('c', [cpu]), 403, "not authorized to set the quota of 'c'"],
  [
    set('b', resources('cpus:5')),
    409,
    'quota_configs.guarantees: all guarantees together are more than the cluster has; force: true sets it nevertheless',
  ],
  [remove('b'), 400, "role: 'b' has no quota"],
];

/** A cluster of four cpus in which a task of role `a` uses two, and no principal is authorized to change the quota of `c`. */
function used(): World {
  const world = createWorld({
    roles: LISTED,
    authorize: ({ action, value }) => action !== 'UPDATE_QUOTA' || value !== 'c',
  });
  world.agent('cpus:4;mem:4096;disk:1024');
  const scheduler = world.subscribe({ roles: ['a'] });
  world.wait(1_000);
  const offer = scheduler.offer();
  scheduler.launch(offer, task('t', offer, { resources: resources('cpus:2;mem:64', offer) }));
  return world;
}

test('an invalid quota is refused with a text that names the field, and nothing is stored', () => {
  const world = used();
  for (const [call, status, text] of refusals) {
    const before = world.persisted.length;
    const answer = world.operator(call);
    assert.deepEqual([answer?.status, answer?.text], [status, text], JSON.stringify(call));
    assert.equal(world.persisted.length, before, text);
  }
});

test('valid quotas: at their bounds, equal to the consumption and to the capacity, and beyond with force', () => {
  const cases: readonly (readonly [call: MasterCall, stored: Record<string, QuotaConfig>])[] = [
    [update([config('a', { cpus: 2 }, { cpus: 2 })]), { a: config('a', { cpus: 2 }, { cpus: 2 }) }],
    [update([config('a', { cpus: 1 }, { mem: 64 })]), { a: config('a', { cpus: 1 }, { mem: 64 }) }],
    [update([config('a', {}, { cpus: 0 })], true), { a: config('a', {}, { cpus: 0 }) }],
    [update([config('b', { cpus: 4 }, {})]), { b: config('b', { cpus: 4 }, {}) }],
    [update([config('b', { cpus: 5 }, {})], true), { b: config('b', { cpus: 5 }, {}) }],
    [
      update([config('b', {}, { mem: EXABYTE, disk: EXABYTE, cpus: MANY })]),
      { b: config('b', {}, { mem: EXABYTE, disk: EXABYTE, cpus: MANY }) },
    ],
    [set('b', resources('cpus:4')), { b: config('b', { cpus: 4 }, { cpus: 4 }) }],
    [set('b', resources('cpus:5'), true), { b: config('b', { cpus: 5 }, { cpus: 5 }) }],
  ];
  for (const [call, stored] of cases) {
    const world = used();
    const quotas = () => world.master.state.registrar.durable.quotas;
    assert.equal(world.operator(call)?.status, 200, JSON.stringify(call));
    assert.deepEqual(Object.fromEntries(quotas()), stored);
    const [role = ''] = Object.keys(stored);
    const again = world.operator(set(role, [cpu], true));
    assert.deepEqual([again?.status, again?.text], [400, `quota_request.role: '${role}' has quota already`]);
    assert.equal(world.operator(remove(role))?.status, 200);
    assert.equal(quotas().size, 0);
  }
});

test('a quota is removed by an authorized principal', () => {
  const durable = (() => {
    const world = createWorld();
    world.operator(update([config('c', {}, { cpus: 1 })]));
    return world.master.state.registrar.durable;
  })();
  const world = createWorld({ registry: durable, authorize: ({ action }) => action !== 'UPDATE_QUOTA' });
  const answer = world.operator(remove('c'));
  assert.deepEqual([answer?.status, answer?.text], [403, "not authorized to remove the quota of 'c'"]);
  assert.equal(world.master.state.registrar.durable.quotas.has('c'), true);
});

/** Four agents of a cpu each, all offered to a framework of the role. */
function offered(role: string, more: readonly string[] = []) {
  const world = createWorld();
  for (let at = 1; at <= 4; at++) world.agent('cpus:1;mem:64', { pid: `slave(1)@10.0.1.${at}:5051` });
  const scheduler = world.subscribe({ roles: [role] });
  world.wait(1_000);
  assert.equal(world.master.state.offers.size, 4);
  for (const other of more) world.subscribe({ roles: [other] });
  return { world, rescinded: () => scheduler.events.filter(({ type }) => type === 'RESCIND').length };
}

test('UPDATE_QUOTA rescinds offers of the role down to its limit, and other offers up to its guarantee', () => {
  const cases: readonly (readonly [offeredTo: string, quota: QuotaConfig, rescinded: number])[] = [
    ['a', config('a', {}, { cpus: 4 }), 0],
    ['a', config('a', {}, { cpus: 3 }), 1],
    ['a', config('a', {}, { cpus: 2.5 }), 2],
    ['a', config('a', {}, { cpus: 0 }), 4],
    ['a', config('a', {}, { mem: 128 }), 2],
    ['a', config('a', { cpus: 3 }, {}), 0],
    ['a/b', config('a', {}, { cpus: 3 }), 1],
    ['a/b', config('a', { cpus: 3 }, {}), 0],
    ['ab', config('a', {}, { cpus: 0 }), 0],
    ['b', config('a', {}, { cpus: 0 }), 0],
    ['b', config('a', {}, {}), 0],
    ['b', config('a', { cpus: 1 }, {}), 1],
    ['b', config('a', { cpus: 1.5 }, {}), 2],
    ['b', config('a', { cpus: 4 }, {}), 4],
    ['b', config('a', { cpus: 1, mem: 192 }, {}), 3],
    ['ab', config('a', { cpus: 2 }, {}), 2],
  ];
  for (const [role, quota, count] of cases) {
    const { world, rescinded } = offered(role);
    assert.equal(world.operator(update([quota]))?.status, 200);
    assert.equal(rescinded(), count, `offered to ${role}: ${JSON.stringify(quota)}`);
  }
});

test('UPDATE_QUOTA looks up each offer a bounded number of times, however many roles the call has', () => {
  const { world, rescinded } = offered('b');
  const { offers } = world.master.state;
  let lookups = 0;
  const get = offers.get.bind(offers);
  offers.get = (id) => {
    lookups++;
    return get(id);
  };
  const configs = Array.from({ length: 50 }, (_, i) => config(`r${i}`, {}, { cpus: 1 }));
  assert.equal(
    world.operator(update([...configs, config('a', { cpus: 2 }, {}), config('b', {}, { cpus: 1 })]))?.status,
    200,
  );
  assert.equal(rescinded(), 3, 'two for the guarantee of a, one for the limit of b');
  assert.ok(lookups <= 5 * 4, `${lookups} lookups for 4 offers`);
});

test('SET_QUOTA rescinds enough for the guarantee, and one agent per framework of the role', () => {
  const cases: readonly (readonly [guarantee: string, frameworks: readonly string[], rescinded: number])[] = [
    ['cpus:1', [], 1],
    ['cpus:1.5', [], 2],
    ['cpus:4', [], 4],
    ['mem:129', [], 3],
    ['cpus:0.5', ['a'], 1],
    ['cpus:0.5', ['a', 'a'], 2],
    ['cpus:0.5', ['a', 'b', 'a', 'a'], 3],
    ['cpus:4', ['a', 'a'], 4],
  ];
  for (const [guarantee, frameworks, count] of cases) {
    const { world, rescinded } = offered('b', frameworks);
    assert.equal(world.operator(set('a', resources(guarantee)))?.status, 200);
    assert.equal(rescinded(), count, `${guarantee} with ${frameworks}`);
  }
});
