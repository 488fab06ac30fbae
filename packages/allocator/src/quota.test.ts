// Quota (Mesos docs/quota.md), inverse offers (docs/maintenance.md), operations and explanations.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { allocate, quantitiesToRecord, type Resources } from '@meseta/resources';
import type { Resource } from '@meseta/wire';
import { createOfferConstraints } from './constraints.js';
import { aid, fid, frameworkInfo, quotaOf, res, show, type TestCluster, testCluster } from './testing/cluster.js';
import type { OfferDecision } from './types.js';

const NOW = { nanoseconds: 0n };
const sum = (offers: readonly OfferDecision[], name: string, role?: string): number =>
  offers
    .filter((offer) => role === undefined || offer.role === role)
    .reduce((total, { resources }) => total + (quantitiesToRecord(resources.quantities)[name] ?? 0), 0);

function clusterOf(agents: number, total = 'cpus:4;mem:100;ports:[1-9]'): TestCluster {
  const cluster = testCluster();
  for (let i = 0; i < agents; i++) cluster.agent(`A${i}`, total);
  return cluster;
}

test('a limit cuts the offers to its subtree to the thousandth; freed resources can be offered again', () => {
  for (const roles of [['r'], ['r/x'], ['r/x', 'r/y', 'r']]) {
    const cluster = clusterOf(3);
    cluster.allocator.updateQuota('r', quotaOf({}, { cpus: 5.125 }));
    roles.forEach((role, i) => {
      cluster.framework(`f${i}`, [role]);
    });
    const offers = cluster.run();
    assert.equal(sum(offers, 'cpus'), 5.125, roles.join());
    assert.equal(sum(offers, 'mem'), 300, 'resources without a limit are not cut');
    assert.deepEqual(quantitiesToRecord(cluster.allocator.roleUsage('r').consumedOrOffered)['cpus'], 5.125);
    const one = offers.find((offer) => sum([offer], 'cpus') === 4) as OfferDecision;
    cluster.decline(one, 3600);
    assert.equal(sum(cluster.run(), 'cpus'), 4, 'of other agents, or to other clients');
  }
});

test('a limit of zero withholds the resource', () => {
  const cluster = clusterOf(1);
  cluster.allocator.updateQuota('r', quotaOf({}, { cpus: 0 }));
  cluster.framework('f', ['r']);
  assert.deepEqual(show(cluster.run()), ['f/r@A0 mem:100; ports:[1-9]']);
  cluster.allocator.updateQuota('r', quotaOf({}, {}));
  assert.deepEqual(show(cluster.run()), ['f/r@A0 cpus:4']);
});

test('indivisible resources are offered whole or not at all', () => {
  const mount: Resource = {
    name: 'disk',
    type: 'SCALAR',
    scalar: { value: 40 },
    disk: { source: { type: 'MOUNT', mount: { root: '/m' } } },
  };
  for (const [most, offered] of [
    [39, 10],
    [50, 50],
  ] as const) {
    const cluster = testCluster();
    cluster.agent('A', [...res('cpus:1;disk:10'), mount]);
    cluster.allocator.updateQuota('r', quotaOf({}, { disk: most }));
    cluster.framework('f', ['r']);
    assert.equal(sum(cluster.run(), 'disk'), offered, `limit ${most}`);
  }
});

test('ALLOCATOR-3: reservations count against quota, used or not', () => {
  const cluster = clusterOf(1, 'cpus:4;cpus(r):2;cpus(r/x):1;mem:50');
  cluster.allocator.updateQuota('r', quotaOf({}, { cpus: 4 }));
  cluster.framework('f', ['r']);
  assert.equal(sum(cluster.run(), 'cpus'), 3, '2 reserved to the role, and 1 up to the limit');
  assert.equal(quantitiesToRecord(cluster.allocator.roleUsage('r').consumed)['cpus'], 3);
});

test('guarantees come before fair sharing, and unmet guarantees withhold resources from other roles', () => {
  const cluster = clusterOf(2);
  cluster.allocator.updateQuota('kept', quotaOf({ cpus: 5, mem: 20 }));
  cluster.framework('hoarder', ['h']);
  const hoarded = cluster.run();
  assert.equal(sum(hoarded, 'cpus'), 3);
  assert.equal(sum(hoarded, 'mem'), 180);
  cluster.framework('late', ['kept']);
  const late = cluster.run();
  assert.equal(sum(late, 'cpus', 'kept'), 5);
  assert.deepEqual(cluster.allocator.totals().requiredHeadroom.names, []);
});

test('an offer has the names of the resources that serve an unmet guarantee of its role', () => {
  const cases: [guarantees: Record<string, number>, role: string, total: string, guaranteed: string[]][] = [
    [{ cpus: 2, mem: 1000 }, 'r', 'cpus:4;disk:5;mem:100', ['cpus', 'mem']],
    [{ cpus: 2 }, 'r', 'disk:5;mem:100', []],
    [{ cpus: 2, gpus: 1 }, 'r', 'cpus:4;mem:100', ['cpus']],
    [{ cpus: 2 }, 'r', 'cpus(r):2;mem:100', []],
    [{ cpus: 2 }, 'r/below', 'cpus:4;mem:100', []],
    [{ cpus: 2 }, 'other', 'cpus:4;mem:100', []],
    [{}, 'r', 'cpus:4;mem:100', []],
  ];
  for (const [guarantees, role, total, guaranteed] of cases) {
    const cluster = clusterOf(1, total);
    cluster.allocator.updateQuota('r', quotaOf(guarantees));
    cluster.framework('f', [role]);
    const [offer] = cluster.run() as [OfferDecision];
    assert.deepEqual(offer.guaranteed, guaranteed, `${role}: ${total}`);
  }
});

test('an offer of the first stage has what the second stage would add', () => {
  const cluster = clusterOf(1, 'cpus:4;cpus(r):1;mem:100');
  cluster.allocator.updateQuota('r', quotaOf({ cpus: 2 }, { cpus: 4 }));
  cluster.framework('f', ['r']);
  assert.deepEqual(
    cluster.run().map(({ guaranteed, resources }) => [guaranteed, sum([{ resources } as OfferDecision], 'cpus')]),
    [[['cpus'], 4]],
  );
});

test('a framework with a guarantee and constraints is served before other frameworks', () => {
  const rack = { selector: { attribute_name: 'rack' }, predicate: { exists: {} } };
  const made = createOfferConstraints({ role_constraints: { kept: { groups: [{ attribute_constraints: [rack] }] } } });
  assert.ok(made.ok);
  for (let seed = 1; seed <= 10; seed++) {
    const cluster = testCluster({}, seed);
    cluster.agent('plain', 'cpus:4;mem:100');
    const attributes = [{ name: 'rack', type: 'TEXT' as const, text: { value: 'r' } }];
    cluster.agent('racked', 'cpus:4;mem:100', { attributes });
    cluster.allocator.updateQuota('kept', quotaOf({ cpus: 4 }));
    cluster.framework('any', ['any']);
    cluster.framework('picky', ['kept'], [], { offerConstraints: made.value });
    assert.equal(sum(cluster.run(), 'cpus', 'kept'), 4, `seed ${seed}`);
  }
});

test('a guarantee serves frameworks in child roles too', () => {
  const cluster = clusterOf(2);
  cluster.allocator.updateQuota('r', quotaOf({ cpus: 8 }));
  cluster.framework('other', ['o']);
  cluster.framework('f', ['r/x']);
  assert.equal(sum(cluster.run(), 'cpus', 'r/x'), 8);
});

test('withheld resources are offered when the guarantee shrinks or the free resources grow', () => {
  const cluster = clusterOf(1);
  cluster.allocator.updateQuota('kept', quotaOf({ cpus: 100 }));
  cluster.framework('f', ['h']);
  assert.equal(sum(cluster.run(), 'cpus'), 0);
  cluster.allocator.updateQuota('kept', quotaOf({ cpus: 1 }));
  assert.equal(sum(cluster.run(), 'cpus'), 3);
  cluster.agent('B', 'cpus:1');
  assert.equal(sum(cluster.run(), 'cpus'), 1, 'one free cpu remains for the guarantee');
});

test('after a failover with quota no offer is made before enough agents are added or the timeout ends', () => {
  for (const [agents, waitMs] of [
    [8, 0],
    [7, 600_000],
  ] as const) {
    const cluster = testCluster();
    cluster.allocator.recover(10, new Map([['r', quotaOf({ cpus: 1 })]]), cluster.now);
    cluster.framework('f', ['r']);
    for (let i = 0; i < 7; i++) cluster.agent(`A${i}`, 'cpus:1;mem:32');
    assert.deepEqual(cluster.run(), []);
    assert.equal(cluster.allocator.explain(fid('f'), undefined, undefined, 0)[0]?.kind, 'paused');
    if (agents === 8) cluster.agent('A7', 'cpus:1;mem:32');
    assert.equal(cluster.allocator.nextDeadline(), waitMs);
    assert.equal(cluster.run(waitMs).length, agents);
  }
  const without = testCluster();
  without.allocator.recover(10, new Map(), 0);
  without.agent('A', 'cpus:1');
  without.framework('f', ['r']);
  assert.equal(without.run().length, 1, 'without quota the first agent is offered at once');
});

test('ALLOCATOR-1: a run after no change evaluates no pair; the next run is due when a filter ends', () => {
  const cluster = clusterOf(3);
  cluster.framework('f', ['r']);
  assert.equal(cluster.allocator.nextDeadline(), 0);
  const offers = cluster.run();
  assert.equal(cluster.allocator.nextDeadline(), undefined);
  for (const offer of offers) cluster.decline(offer, 10);
  cluster.run();
  const { pairsExamined } = cluster.allocator.totals();
  assert.equal(cluster.allocator.nextDeadline(), 10_000);
  cluster.run(5000);
  assert.equal(cluster.allocator.totals().pairsExamined, pairsExamined);
  cluster.allocator.pause();
  assert.deepEqual(cluster.run(6000), []);
  cluster.allocator.resume();
  assert.equal(cluster.run().length, 3);
});

test('INVERSE-OFFERS-1: frameworks with allocations on the agent get one inverse offer at a time, the next after its filter', () => {
  const cluster = clusterOf(2);
  cluster.framework('f', ['r']);
  cluster.framework('idle', ['r']);
  cluster.allocator.suppress(fid('idle'));
  cluster.run();
  const unavailability = { start: NOW };
  cluster.allocator.updateUnavailability(aid('A0'), unavailability);
  const asked = [{ frameworkId: 'f', agentId: 'A0', unavailability }];
  assert.deepEqual(cluster.decide().inverseOffers, asked);
  assert.deepEqual(cluster.decide(60_000).inverseOffers, [], 'an inverse offer is outstanding');
  const status = { status: 'ACCEPT' as const, framework_id: { value: 'f' }, timestamp: NOW };
  cluster.allocator.updateInverseOffer(aid('A0'), fid('f'), cluster.now, status, { refuse_seconds: 5 });
  assert.deepEqual(cluster.allocator.inverseOfferStatuses().get(aid('A0'))?.get(fid('f')), status);
  assert.deepEqual(cluster.decide(4999).inverseOffers, []);
  assert.deepEqual(cluster.decide(1).inverseOffers, asked);
  cluster.allocator.updateInverseOffer(aid('A0'), fid('f'), cluster.now, undefined, undefined);
  assert.deepEqual(cluster.decide(999).inverseOffers, []);
  assert.deepEqual(cluster.decide(1).inverseOffers, asked);
  cluster.allocator.updateInverseOffer(aid('A0'), fid('f'), cluster.now, status, { refuse_seconds: 600 });
  cluster.allocator.revive(fid('f'));
  assert.deepEqual(cluster.decide().inverseOffers, asked, 'REVIVE removes inverse filters');
  cluster.allocator.updateUnavailability(aid('A0'), undefined);
  assert.deepEqual(cluster.decide(600_000).inverseOffers, []);
});

test('accepted operations convert offered resources and the total; operations of operators need free resources', () => {
  const cluster = clusterOf(1, 'cpus:4;mem:100');
  cluster.framework('f', ['r']);
  const [offer] = cluster.run() as [OfferDecision];
  const consumed = allocate(res('cpus:1'), 'r');
  const reservations = [{ role: 'r', type: 'DYNAMIC' as const }];
  const converted: Resources = consumed.map((r) => ({ ...r, reservations }));
  const offered = offer.resources.resources;
  const after = cluster.allocator.updateAllocation(fid('f'), aid('A0'), offered, [{ consumed, converted }]);
  assert.equal(after.filter((r) => r.reservations).length, 1);
  assert.equal(quantitiesToRecord(cluster.allocator.roleUsage('r').consumedOrOffered)['cpus'], 4);
  const reserve = {
    type: 'RESERVE' as const,
    reserve: { resources: res('cpus:1').map((r) => ({ ...r, reservations })) },
  };
  assert.ok(!cluster.allocator.updateAvailable(aid('A0'), [reserve]).ok, 'nothing is free');
  cluster.allocator.recoverResources(fid('f'), aid('A0'), after, cluster.now);
  assert.ok(cluster.allocator.updateAvailable(aid('A0'), [reserve]).ok);
  cluster.allocator.suppress(fid('f'));
  cluster.allocator.addFramework(fid('g'), frameworkInfo(['s']), new Map(), true);
  assert.equal(sum(cluster.run(), 'cpus'), 2, 'two of four are reserved now');
});

test('resources that an agent reports for an unknown framework are allocated to it when it is added', () => {
  const cluster = testCluster();
  const used = allocate(res('cpus:3'), 'r');
  cluster.allocator.addAgent(aid('A'), {
    info: { hostname: 'A' },
    capabilities: (['MULTI_ROLE', 'HIERARCHICAL_ROLE'] as const).map((type) => ({ type })),
    total: res('cpus:4;mem:50'),
    used: new Map([[fid('f'), used]]),
  });
  cluster.framework('g', ['s']);
  assert.equal(sum(cluster.run(), 'cpus'), 1);
  cluster.allocator.addFramework(fid('f'), frameworkInfo(['r']), new Map([[aid('A'), used]]), false);
  assert.equal(cluster.allocator.shareOf(fid('f'), 'r'), 0.75);
  cluster.allocator.recoverResources(fid('f'), aid('A'), used, 0, { allocated: true });
  assert.equal(cluster.allocator.shareOf(fid('f'), 'r'), 0);
  assert.equal(sum(cluster.run(), 'cpus'), 3);
});

test('reasons have the amounts and times that explain them', () => {
  const cluster = clusterOf(2);
  cluster.allocator.updateQuota('r', quotaOf({}, { cpus: 4 }));
  cluster.framework('f', ['r']);
  const [offer] = cluster.run().filter((one) => sum([one], 'cpus') === 4) as [OfferDecision];
  const other = offer.agentId === 'A0' ? 'A1' : 'A0';
  const reasons = cluster.allocator.explain(fid('f'), aid(other), 'r', cluster.now);
  const limit = reasons.find(({ kind }) => kind === 'limit');
  assert.ok(limit?.kind === 'limit');
  assert.deepEqual(quantitiesToRecord(limit.withheld), { cpus: 4 });
  assert.deepEqual(quantitiesToRecord(limit.consumed), { cpus: 4, mem: 200 });
  assert.equal(limit.limited, 'r');
  cluster.decline(offer, 60);
  cluster.allocator.updateQuota('r', quotaOf({}));
  cluster.run();
  const filtered = cluster.allocator.explain(fid('f'), offer.agentId, 'r', cluster.now);
  assert.deepEqual(
    filtered.map((reason) => [reason.kind, 'untilMs' in reason ? reason.untilMs : 0]),
    [['filtered', 60_000]],
  );
  const all = cluster.allocator.explain(fid('f'), undefined, undefined, cluster.now);
  assert.deepEqual(all.map(({ kind, agents }) => [kind, agents]).sort(), [
    ['filtered', 1],
    ['nothingFree', 1],
    ['share', 1],
  ]);
  assert.deepEqual(cluster.allocator.explain(fid('unknown'), undefined, undefined, 0), [{ kind: 'unknownFramework' }]);
});
