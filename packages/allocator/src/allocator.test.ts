// Fair sharing, filters, minimums, visibility. Sources: Mesos' docs (scheduler-http-api.md, roles.md, weights.md) and the
// behaviour of Mesos' allocator.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { quantity } from '@meseta/resources';
import { createOfferConstraints } from './constraints.js';
import {
  aid,
  fid,
  frameworkInfo,
  quotaOf,
  refinedMem,
  res,
  revocableCpus,
  sharedVolume,
  show,
  type TestCluster,
  testCluster,
} from './testing/cluster.js';
import type { OfferDecision } from './types.js';

const first = (offers: readonly OfferDecision[]): OfferDecision => {
  assert.equal(offers.length, 1, show(offers).join('\n'));
  return offers[0] as OfferDecision;
};

/** Each framework launches one task on each offer that fits it, until no offer fits. Returns the number of tasks. */
function fill(cluster: TestCluster, sizes: Record<string, string>): Record<string, number> {
  const counts = Object.fromEntries(Object.keys(sizes).map((id) => [id, 0]));
  const { allocator } = cluster;
  for (let roundsWithoutTask = 0; roundsWithoutTask < 8; roundsWithoutTask++) {
    cluster.now = Math.max(cluster.now, allocator.nextDeadline() ?? cluster.now);
    for (const offer of cluster.run()) {
      const size = sizes[offer.frameworkId] as string;
      if (cluster.fits(offer, size)) {
        cluster.accept(offer, size, 0);
        counts[offer.frameworkId] = (counts[offer.frameworkId] as number) + 1;
        roundsWithoutTask = 0;
      } else cluster.decline(offer, 0);
    }
  }
  return counts;
}

test('a full cluster is shared by dominant share, weight and level of the role tree', () => {
  const shapes = testCluster();
  shapes.agent('A', 'cpus:9;mem:18432');
  shapes.framework('a', ['a']);
  shapes.framework('b', ['b']);
  // The example of the DRF paper (Ghodsi et al., NSDI 2011, section 4.1).
  assert.deepEqual(fill(shapes, { a: 'cpus:1;mem:4096', b: 'cpus:3;mem:1024' }), { a: 3, b: 2 });

  const weighted = testCluster();
  weighted.agent('A', 'cpus:12;mem:4096');
  weighted.allocator.updateWeights([['heavy', 2]]);
  weighted.framework('h', ['heavy']);
  weighted.framework('l', ['light']);
  assert.deepEqual(fill(weighted, { h: 'cpus:1;mem:32', l: 'cpus:1;mem:32' }), { h: 8, l: 4 });

  const tree = testCluster();
  tree.agent('A', 'cpus:8;mem:4096');
  for (const [id, role] of [
    ['web', 'eng/web'],
    ['db', 'eng/db'],
    ['ops', 'ops'],
  ] as const) {
    tree.framework(id, [role]);
  }
  const size = 'cpus:1;mem:32';
  assert.deepEqual(fill(tree, { web: size, db: size, ops: size }), { web: 2, db: 2, ops: 4 });
});

test('a resource name that is excluded from fair sharing does not count in shares', () => {
  const cluster = testCluster({ fairSharingExcludedResourceNames: ['gpus'] });
  cluster.agent('A', 'cpus:4;mem:400;gpus:4');
  cluster.agent('B', 'cpus:4;mem:400');
  cluster.framework('a', ['a'], ['GPU_RESOURCES']);
  const mine = cluster.run().map((offer) => offer.agentId);
  assert.equal(mine.length, 2);
  assert.equal(cluster.allocator.shareOf(fid('a'), 'a'), 1);
  assert.equal(cluster.allocator.roleUsage('a').share, 1);
});

test('a filter refuses the declined resources for refuse_seconds, at least for an allocation interval', () => {
  const cases: [seconds: number, waitMs: number][] = [
    [5, 5000],
    [0.2, 1000],
    [0, 1000],
    [-1, 5000],
    [Number.NaN, 5000],
    [1e12, 365 * 24 * 3600 * 1000],
  ];
  for (const [seconds, waitMs] of cases) {
    const cluster = testCluster();
    cluster.agent('A', 'cpus:2;mem:100');
    cluster.framework('f', ['a']);
    cluster.decline(first(cluster.run()), seconds);
    assert.deepEqual(cluster.run(waitMs - 1), [], `${seconds} s: not before ${waitMs} ms`);
    const due = cluster.allocator.nextDeadline() as number;
    assert.ok(due >= waitMs && due <= waitMs * (1 + 1 / 256) + 100, `${seconds} s: ${due}`);
    cluster.now = due;
    assert.equal(cluster.run().length, 1);
  }
});

test('a filter does not refuse more of one resource, or a resource that was not declined', () => {
  for (const [total, passes] of [
    ['cpus:3;mem:100', true],
    ['cpus:2;mem:50', false],
    ['cpus:2;mem:100;ports:[1-2]', true],
  ] as const) {
    const cluster = testCluster();
    cluster.agent('A', 'cpus:2;mem:100');
    cluster.framework('f', ['a']);
    cluster.decline(first(cluster.run()), 60);
    assert.ok(cluster.allocator.updateAgent(aid('A'), { total: res(total) }));
    assert.equal(cluster.run().length, passes ? 1 : 0, total);
  }
});

test('a filter applies only to the framework that declined', () => {
  const cluster = testCluster();
  cluster.agent('A', 'cpus:2;mem:100');
  cluster.framework('f', ['a']);
  cluster.framework('g', ['a']);
  const offer = first(cluster.run());
  cluster.decline(offer, 0);
  const next = first(cluster.run());
  assert.notEqual(next.frameworkId, offer.frameworkId);
  cluster.decline(next, 0);
  assert.deepEqual(cluster.run(999), []);
  assert.equal(first(cluster.run(101)).frameworkId, offer.frameworkId);
});

test('ALLOCATOR-4: an ACCEPT with refuse_seconds 0 starts a cooldown of the agent, which ends when a framework is added', () => {
  const cluster = testCluster();
  cluster.agent('A', 'cpus:4;mem:400');
  cluster.framework('f', ['a']);
  cluster.framework('g', ['b']);
  cluster.accept(first(cluster.run()), 'cpus:1;mem:10', 0);
  assert.deepEqual(cluster.run(500), []);
  assert.equal(cluster.allocator.nextDeadline(), 1000);
  assert.equal(first(cluster.run(500)).resources.quantities.amounts[0], 3000);
  const again = testCluster();
  again.agent('A', 'cpus:4;mem:400');
  again.framework('f', ['a']);
  again.accept(first(again.run()), 'cpus:1;mem:10', 0);
  again.framework('g', ['b']);
  assert.equal(first(again.run(1)).frameworkId, 'g');
});

test('which changes remove a filter', () => {
  const cases: [what: string, act: (cluster: TestCluster) => void, isOffered: boolean][] = [
    ['revive of its role', ({ allocator }) => allocator.revive(fid('f'), ['a']), true],
    ['revive of all roles', ({ allocator }) => allocator.revive(fid('f')), true],
    ['revive of another role', ({ allocator }) => allocator.revive(fid('f'), ['b']), false],
    ['suppress', ({ allocator }) => allocator.suppress(fid('f'), ['a']), false],
    [
      'suppress and revive',
      ({ allocator }) => {
        allocator.suppress(fid('f'), ['a']);
        allocator.revive(fid('f'), ['a']);
      },
      true,
    ],
    [
      'deactivated and activated',
      ({ allocator }) => {
        allocator.deactivateFramework(fid('f'));
        allocator.activateFramework(fid('f'));
      },
      true,
    ],
    [
      'the same framework info again',
      ({ allocator }) => allocator.updateFramework(fid('f'), frameworkInfo(['a', 'b']), { suppressedRoles: ['b'] }),
      false,
    ],
    [
      'new attributes of the agent',
      ({ allocator }) => {
        const attributes = [{ name: 'rack', type: 'TEXT' as const, text: { value: 'r' } }];
        allocator.updateAgent(aid('A'), { info: { hostname: 'A', attributes } });
      },
      true,
    ],
    [
      'another port of the agent',
      ({ allocator }) => allocator.updateAgent(aid('A'), { info: { hostname: 'A', port: 7 } }),
      false,
    ],
    [
      'the agent deactivated and activated',
      ({ allocator }) => {
        allocator.deactivateAgent(aid('A'));
        allocator.activateAgent(aid('A'));
      },
      false,
    ],
  ];
  for (const [what, act, isOffered] of cases) {
    const cluster = testCluster();
    cluster.agent('A', 'cpus:2;mem:100');
    cluster.framework('f', ['a', 'b'], [], { suppressedRoles: ['b'] });
    cluster.decline(first(cluster.run()), 600);
    act(cluster);
    const roles = cluster.run().map((offer) => offer.role);
    assert.ok(isOffered ? roles.length === 1 : !roles.includes('a'), what);
    assert.equal(cluster.allocator.totals().filters, isOffered ? 0 : 1, what);
    assert.equal(cluster.allocator.roleUsage('a').filters, isOffered ? 0 : 1, what);
  }
});

test('an offer contains a minimum of the master, or of the framework for the role', () => {
  const cases: [total: string, own: Record<string, number>[] | undefined, isOffered: boolean][] = [
    ['cpus:0.01', undefined, true],
    ['mem:32', undefined, true],
    ['cpus:0.009;mem:31;disk:1000', undefined, false],
    ['disk:5', [], true],
    ['cpus:2;mem:100', [{ cpus: 3 }], false],
    ['cpus:3', [{ cpus: 3, mem: 1 }, { cpus: 3 }], true],
    ['cpus:3', [{ cpus: 3, mem: 1 }], false],
  ];
  for (const [total, own, isOffered] of cases) {
    const cluster = testCluster();
    cluster.agent('A', total);
    const quantities = own?.map((set) => ({
      quantities: Object.fromEntries(Object.entries(set).map(([name, value]) => [name, { value }])),
    }));
    const filters = quantities ? { offer_filters: { a: { min_allocatable_resources: { quantities } } } } : {};
    cluster.allocator.addFramework(fid('f'), { ...frameworkInfo(['a']), ...filters }, new Map(), true);
    assert.equal(cluster.run().length, isOffered ? 1 : 0, `${total} ${JSON.stringify(own)}`);
  }
});

test('names in the minimums of a framework take no dimensions, so that any number of them is cheap', () => {
  const cluster = testCluster();
  cluster.agent('A', 'cpus:1');
  const quantities = Array.from({ length: 20_000 }, (_, i) => ({ quantities: { [`n${i}`]: { value: 1 } } }));
  const filters = { offer_filters: { a: { min_allocatable_resources: { quantities } } } };
  const before = process.memoryUsage().heapUsed;
  cluster.allocator.addFramework(fid('f'), { ...frameworkInfo(['a']), ...filters }, new Map(), true);
  assert.ok(process.memoryUsage().heapUsed - before < 500 * 2 ** 20, 'one amount of each name for each set is 1.6 GB');
  assert.equal(cluster.run().length, 0);
});

test('an agent with less free than the master’s minimum is evaluated only if a framework has minimums', () => {
  const cluster = testCluster();
  cluster.agent('A', 'cpus:1;mem:64;disk:100;ports:[31000-32000]');
  for (const name of ['f', 'g', 'h']) cluster.framework(name, [name]);
  cluster.accept(first(cluster.run()), 'cpus:1;mem:64', 0);
  const { pairsExamined } = cluster.allocator.totals();
  assert.deepEqual(cluster.run(1000), []);
  assert.equal(cluster.allocator.totals().pairsExamined, pairsExamined);
  const quantities = [{ quantities: { disk: { value: 10 } } }];
  const wants = { offer_filters: { i: { min_allocatable_resources: { quantities } } } };
  cluster.allocator.addFramework(fid('i'), { ...frameworkInfo(['i']), ...wants }, new Map(), true);
  assert.equal(cluster.run(2000).length, 1);
});

test('reservations are offered to their role and its subtree only', () => {
  const expected: Record<string, string> = {
    '*': 'cpus:1',
    b: 'cpus:1',
    a: 'cpus:1; cpus(reservations: [(STATIC,a)]):2',
    'a/b': 'cpus:1; cpus(reservations: [(STATIC,a)]):2; cpus(reservations: [(STATIC,a/b)]):4',
  };
  for (const [role, offered] of Object.entries(expected)) {
    const cluster = testCluster();
    cluster.agent('A', 'cpus:1;cpus(a):2;cpus(a/b):4');
    cluster.framework('f', [role]);
    assert.deepEqual(show(cluster.run()), [`f/${role}@A ${offered}`]);
  }
});

test('resources that need a capability are offered only to frameworks with it', () => {
  const all = ['MULTI_ROLE', 'SHARED_RESOURCES', 'REVOCABLE_RESOURCES', 'RESERVATION_REFINEMENT'] as const;
  for (const missing of [undefined, ...all.slice(1)]) {
    const cluster = testCluster();
    cluster.agent('A', [...res('cpus:1'), revocableCpus, sharedVolume('a'), refinedMem]);
    const capabilities = all.filter((type) => type !== missing).map((type) => ({ type }));
    cluster.allocator.addFramework(fid('f'), { ...frameworkInfo(['a/b']), capabilities }, new Map(), true);
    const seen = first(cluster.run()).resources.resources;
    assert.equal(
      seen.some((r) => r.revocable),
      missing !== 'REVOCABLE_RESOURCES',
    );
    assert.equal(
      seen.some((r) => r.shared),
      missing !== 'SHARED_RESOURCES',
    );
    assert.equal(
      seen.some((r) => r.reservations?.length === 2),
      missing !== 'RESERVATION_REFINEMENT',
    );
    assert.ok(seen.some((r) => r.name === 'cpus' && !r.revocable));
  }
});

test('agents with GPUs, in other regions, without a needed capability or excluded by constraints are not offered', () => {
  const here = { fault_domain: { region: { name: 'here' }, zone: { name: 'z' } } };
  const away = { fault_domain: { region: { name: 'away' }, zone: { name: 'z' } } };
  const rack = { selector: { attribute_name: 'rack' }, predicate: { exists: {} } };
  const constraints = createOfferConstraints({
    role_constraints: { a: { groups: [{ attribute_constraints: [rack] }] } },
  });
  assert.ok(constraints.ok);
  const offerConstraints = constraints.value;
  const cluster = testCluster({ domain: here });
  cluster.agent('gpus', 'cpus:1;mem:50;gpus:1');
  cluster.agent('away', 'cpus:1;mem:50', { domain: away });
  cluster.agent('rack', 'cpus:1;mem:50', { attributes: [{ name: 'rack', type: 'TEXT', text: { value: '' } }] });
  const old = { info: { hostname: 'old' }, capabilities: [], total: res('cpus:1;mem:50'), used: new Map() };
  cluster.allocator.addAgent(aid('old'), old);
  const cases: [role: string, Parameters<TestCluster['framework']>[2], picky: boolean, agents: string[]][] = [
    ['a', [], false, ['rack']],
    ['a', ['GPU_RESOURCES'], false, ['gpus', 'rack']],
    ['a', ['REGION_AWARE'], false, ['away', 'rack']],
    ['a', ['GPU_RESOURCES', 'REGION_AWARE'], true, ['rack']],
    ['b', ['GPU_RESOURCES', 'REGION_AWARE'], true, ['away', 'gpus', 'rack']],
  ];
  for (const [role, capabilities, picky, agents] of cases) {
    cluster.framework('f', [role], capabilities, picky ? { offerConstraints } : {});
    assert.deepEqual(
      cluster
        .run()
        .map((offer) => offer.agentId)
        .sort(),
      agents,
      `${role} ${capabilities}`,
    );
    cluster.allocator.removeFramework(fid('f'));
  }
  const single = (role: string) => ({ user: 'u', name: 'n', role, capabilities: [] });
  cluster.allocator.addFramework(fid('g'), single('a'), new Map(), true);
  assert.deepEqual(
    cluster
      .run()
      .map((offer) => offer.agentId)
      .sort(),
    ['old', 'rack'],
  );
  cluster.allocator.removeFramework(fid('g'));
  cluster.allocator.addFramework(fid('h'), single('a/b'), new Map(), true);
  assert.deepEqual(
    cluster.run().map((offer) => offer.agentId),
    ['rack'],
    'old knows no hierarchical roles',
  );
});

test('a shared volume in use is offered again, but not twice to a client at the same time', () => {
  const cluster = testCluster({ minAllocatableResources: [] });
  cluster.agent('A', [...res('cpus:2'), sharedVolume('a')]);
  cluster.framework('f', ['a'], ['SHARED_RESOURCES']);
  const offer = first(cluster.run());
  assert.deepEqual(cluster.run(), []);
  cluster.allocator.transitionOfferedToAllocated(offer.frameworkId, offer.agentId, offer.resources.resources);
  const again = first(cluster.run());
  assert.deepEqual(again.resources.quantities.names, ['disk']);
  assert.deepEqual(cluster.allocator.roleUsage('a').offeredOrAllocated.amounts, [2000, 10_000], 'counted once');
});

test('FILTERS-2, FILTERS-3: all filters that end in one tick end, after filters in the same tick were removed', () => {
  for (const count of [7, 8, 9, 16, 17, 300]) {
    const cluster = testCluster();
    for (let i = 0; i < count; i++) cluster.agent(`a${i}`, 'cpus:1;mem:64');
    cluster.framework('f', ['r']);
    // The removed filters leave entries in the same ticks.
    for (const offer of cluster.run()) cluster.decline(offer, 10);
    cluster.allocator.revive(fid('f'));
    const offers = cluster.run();
    assert.equal(offers.length, count);
    for (const offer of offers) cluster.decline(offer, 10);
    assert.equal(cluster.run(9_000).length, 0);
    assert.equal(cluster.run(2_000).length, count, `${count} filters`);
  }
});

test('FILTERS-3: a filter ends although its tick has removed filters of the same framework and agent', () => {
  const cluster = testCluster();
  // Two filters for each agent fill the bucket, so that the first of the new ones compacts it.
  const agents = Array.from({ length: 16 }, (_, i) => `a${i}`);
  for (const id of agents) cluster.agent(id, 'cpus:1;mem:64');
  cluster.framework('f', ['r']);
  for (const offer of cluster.run()) cluster.decline(offer, 10);
  // Neither offer contains the other: each has its filter.
  for (const id of agents) cluster.allocator.updateAgent(aid(id), { total: res('cpus:2;mem:32') });
  for (const offer of cluster.run()) cluster.decline(offer, 10);
  assert.equal(cluster.allocator.totals().filters, 32);
  cluster.allocator.revive(fid('f'));
  for (const offer of cluster.run()) cluster.decline(offer, 10);
  assert.equal(cluster.run(9_000).length, 0);
  assert.equal(cluster.run(2_000).length, agents.length);
});

test('the next run is due after this batch of inputs, or when the first filter, cooldown or inverse filter ends', () => {
  const cluster = testCluster();
  const { allocator } = cluster;
  assert.equal(allocator.nextDeadline(), undefined);
  for (const id of ['A', 'B', 'C']) cluster.agent(id, 'cpus:4');
  assert.equal(allocator.nextDeadline(), 0);
  cluster.framework('f', ['a']);
  const [a, b, c] = cluster.run() as [OfferDecision, OfferDecision, OfferDecision];
  cluster.accept(a, 'cpus:1', 9);
  cluster.run();
  assert.equal(allocator.nextDeadline(), 9000);
  cluster.accept(b, 'cpus:1', 0);
  cluster.run();
  assert.equal(allocator.nextDeadline(), 1000);
  allocator.updateUnavailability(c.agentId, { start: { nanoseconds: 0n } });
  assert.equal(allocator.nextDeadline(), 0);
  cluster.decide();
  allocator.updateInverseOffer(c.agentId, fid('f'), -500, undefined, undefined);
  assert.equal(allocator.nextDeadline(), 500);
  allocator.pause();
  assert.equal(allocator.nextDeadline(), undefined);
});

test('a weight counts from the next run on, also for a role that has no frameworks yet', () => {
  for (const isKnown of [false, true]) {
    const cluster = testCluster();
    if (isKnown) cluster.framework('h', ['heavy']);
    cluster.allocator.updateWeights([['heavy', 3]]);
    if (!isKnown) cluster.framework('h', ['heavy']);
    cluster.framework('l', ['light']);
    for (let i = 0; i < 8; i++) {
      cluster.agent(`A${i}`, 'cpus:1');
      cluster.run();
    }
    assert.equal(cluster.allocator.shareOf(fid('h'), 'heavy'), 0.75, `${isKnown}`);
  }
});

test('after a failover the factor of expected agents is rounded down; zero agents or no quota pause nothing', () => {
  const quotas = new Map([['r', quotaOf({ cpus: 1 })]]);
  const cases: [expected: number, factor: number | undefined, agents: number][] = [
    [9, undefined, 7],
    [10, 0.25, 2],
    [3, 0.3, 0],
    [0, undefined, 0],
  ];
  for (const [expected, factor, agents] of cases) {
    const cluster = testCluster();
    cluster.allocator.recover(expected, quotas, 100, factor === undefined ? {} : { factor });
    for (let i = 1; i < agents; i++) cluster.agent(`A${i}`, 'cpus:1');
    assert.equal(cluster.allocator.nextDeadline(), agents === 0 ? 0 : 600_100);
    cluster.agent('last', 'cpus:1');
    assert.equal(cluster.allocator.nextDeadline(), 0);
    assert.equal(quantity(cluster.allocator.quotaOf('r').guarantees, 'cpus'), 1000);
  }
  const { allocator, agent } = testCluster();
  agent('A', 'cpus:1');
  assert.throws(() => allocator.recover(1, quotas, 0), /recovery starts before the first agent/);
});

test('filters end on ticks of a tenth of the allocation interval, 20 ms at least', () => {
  for (const [allocationIntervalMs, untilMs] of [
    [1000, 1100],
    [100, 1020],
    [3000, 3300],
  ] as const) {
    const cluster = testCluster({ allocationIntervalMs });
    cluster.agent('A', 'cpus:1');
    cluster.framework('f', ['a']);
    const offer = first(cluster.run(1));
    cluster.decline(offer, 1.01);
    cluster.run();
    assert.equal(cluster.allocator.nextDeadline(), untilMs, `${allocationIntervalMs} ms`);
  }
});
