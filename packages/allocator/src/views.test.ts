import assert from 'node:assert/strict';
import { test } from 'node:test';
import { quantitiesToRecord } from '@meseta/resources';
import { aid, fid, quotaOf, res, testCluster } from './testing/cluster.js';
import type { OfferDecision, RoleUsage } from './types.js';

/** A role's usage with its quantities as records. */
const shown = (usage: RoleUsage): unknown => ({
  ...usage,
  quota: [quantitiesToRecord(usage.quota.guarantees), quantitiesToRecord(usage.quota.limits)],
  consumed: quantitiesToRecord(usage.consumed),
  consumedOrOffered: quantitiesToRecord(usage.consumedOrOffered),
  offeredOrAllocated: quantitiesToRecord(usage.offeredOrAllocated),
});

test('a role without any use has its weight and nothing else', () => {
  const { allocator } = testCluster();
  const unused = {
    role: 'a',
    weight: 1,
    share: 0,
    quota: [{}, {}],
    consumed: {},
    consumedOrOffered: {},
    offeredOrAllocated: {},
    filters: 0,
    frameworks: [],
  };
  assert.deepEqual(shown(allocator.roleUsage('a')), unused);
  allocator.updateWeights([['a', 2.5]]);
  assert.deepEqual(shown(allocator.roleUsage('a')), { ...unused, weight: 2.5 });
  assert.deepEqual(allocator.roles().map(shown), [{ ...unused, weight: 2.5 }]);
  assert.deepEqual([...allocator.weights()], [['a', 2.5]]);
});

test('a role’s usage separates allocated from offered resources, and its own from those of its subtree', () => {
  const cluster = testCluster();
  const { allocator } = cluster;
  allocator.updateWeights([['a', 2]]);
  allocator.updateQuota('a', quotaOf({ cpus: 1 }, { cpus: 9 }));
  cluster.agent('A', 'cpus:4;cpus(a):4');
  cluster.framework('f', ['a/b']);
  const [offer] = cluster.run() as [OfferDecision];
  const inUse = res('cpus:1').map((it) => ({ ...it, allocation_info: { role: 'a/b' } }));
  allocator.transitionOfferedToAllocated(fid('f'), aid('A'), inUse);
  const quota = [{ cpus: 1 }, { cpus: 9 }];
  const a = {
    role: 'a',
    weight: 2,
    share: 0.5,
    quota,
    consumed: { cpus: 5 },
    consumedOrOffered: { cpus: 8 },
    offeredOrAllocated: {},
    filters: 0,
    frameworks: [],
  };
  const b = {
    ...a,
    role: 'a/b',
    weight: 1,
    share: 1,
    quota: [{}, {}],
    consumed: { cpus: 1 },
    consumedOrOffered: { cpus: 4 },
    offeredOrAllocated: { cpus: 8 },
    frameworks: ['f'],
  };
  assert.deepEqual(allocator.roles().map(shown), [a, b]);
  assert.deepEqual(quantitiesToRecord(allocator.quotaOf('a').limits), { cpus: 9 });
  assert.deepEqual(
    [allocator.quotaOf('a/b'), allocator.quotaOf('x')].map(({ limits }) => limits.names),
    [[], []],
  );
  allocator.recoverResources(offer.frameworkId, offer.agentId, inUse, 0, { allocated: true, filters: {} });
  assert.deepEqual([allocator.roleUsage('a/b').filters, allocator.roleUsage('a').filters], [1, 0]);
});

test('totals count what the allocator has, and the events of the next run', () => {
  const cluster = testCluster();
  const { allocator } = cluster;
  const totals = () => {
    const { total, offeredOrAllocatedTotal, requiredHeadroom, availableHeadroom, ...counts } = allocator.totals();
    const records = [total, offeredOrAllocatedTotal, requiredHeadroom, availableHeadroom].map(quantitiesToRecord);
    return { records, counts };
  };
  const none = {
    agents: 0,
    frameworks: 0,
    clients: 0,
    filters: 0,
    inverseFilters: 0,
    runs: 0,
    offers: 0,
    pairsExamined: 0,
    eventsPending: 0,
  };
  assert.deepEqual(totals(), { records: [{}, {}, {}, {}], counts: none });
  cluster.agent('A', 'cpus:4;mem:100');
  cluster.framework('f', ['a', 'b']);
  allocator.updateQuota('q', quotaOf({ cpus: 1 }));
  assert.deepEqual(totals(), {
    records: [{ cpus: 4, mem: 100 }, {}, { cpus: 1 }, { cpus: 4, mem: 100 }],
    counts: { ...none, agents: 1, frameworks: 1, clients: 2, eventsPending: 4 },
  });
  const [offer] = cluster.run() as [OfferDecision];
  assert.deepEqual(totals(), {
    records: [{ cpus: 4, mem: 100 }, { cpus: 3, mem: 100 }, { cpus: 1 }, { cpus: 1 }],
    counts: { ...none, agents: 1, frameworks: 1, clients: 2, runs: 1, offers: 1, pairsExamined: 2 },
  });
  cluster.decline(offer, 10);
  assert.deepEqual([totals().counts.filters, totals().counts.eventsPending], [1, 1]);
});

test('shares, free resources and the statuses of inverse offers', () => {
  const cluster = testCluster();
  const { allocator } = cluster;
  cluster.agent('A', 'cpus:4');
  cluster.agent('B', 'cpus:4');
  cluster.framework('f', ['a']);
  cluster.run();
  assert.deepEqual(
    [allocator.shareOf(fid('f'), 'a'), allocator.shareOf(fid('f'), 'b'), allocator.shareOf(fid('g'), 'a')],
    [1, 0, 0],
  );
  assert.equal(allocator.available(aid('A')).isEmpty, true);
  assert.throws(() => allocator.available(aid('C')), /agent C is missing/);
  assert.throws(() => allocator.excludedAgents(fid('g'), 'a'), /framework g is missing/);
  assert.deepEqual(allocator.excludedAgents(fid('f'), 'a'), []);
  allocator.updateUnavailability(aid('B'), { start: { nanoseconds: 0n } });
  assert.deepEqual([...allocator.inverseOfferStatuses()], [[aid('B'), new Map()]]);
});
