import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { InverseOfferStatus } from '@meseta/wire';
import { aid, fid, type TestCluster, testCluster } from './testing/cluster.js';

const MAINTENANCE = { start: { nanoseconds: 0n } };
const statusOf = (id: string): InverseOfferStatus => ({
  status: 'DECLINE',
  framework_id: { value: id },
  timestamp: { nanoseconds: 0n },
});

/** Frameworks f and g, each with allocations on agents A and B of which the maintenance is scheduled. */
function maintained(): TestCluster {
  const cluster = testCluster();
  for (const id of ['A', 'B']) cluster.agent(id, 'cpus:2;mem:100');
  for (const [role, id] of [
    ['r', 'f'],
    ['s', 'g'],
  ] as const) {
    cluster.framework(id, [role]);
    for (const offer of cluster.run(2000)) cluster.accept(offer, 'cpus:1', 600);
  }
  for (const id of ['A', 'B']) cluster.allocator.updateUnavailability(aid(id), MAINTENANCE);
  return cluster;
}

const sent = (cluster: TestCluster, afterMs = 0): string[] =>
  cluster
    .decide(afterMs)
    .inverseOffers.map(({ frameworkId, agentId }) => `${frameworkId} ${agentId}`)
    .sort();

function respond(cluster: TestCluster, id: string, agent: string, seconds: number): void {
  const filters = { refuse_seconds: seconds };
  cluster.allocator.updateInverseOffer(aid(agent), fid(id), cluster.now, statusOf(id), filters);
}

test('INVERSE-OFFERS-1: each framework gets one inverse offer of each agent, and the next after its own filter', () => {
  const cluster = maintained();
  assert.deepEqual(sent(cluster), ['f A', 'f B', 'g A', 'g B']);
  respond(cluster, 'f', 'A', 5);
  respond(cluster, 'f', 'B', 10);
  respond(cluster, 'g', 'A', 20);
  assert.equal(cluster.allocator.totals().inverseFilters, 3);
  assert.deepEqual(sent(cluster, 4999), []);
  assert.deepEqual(sent(cluster, 1), ['f A']);
  assert.deepEqual(sent(cluster, 5000), ['f B']);
  assert.deepEqual(sent(cluster, 10_000), ['g A']);
  assert.equal(cluster.allocator.totals().inverseFilters, 0);
});

test('a response to no outstanding inverse offer, or for an unknown agent, changes nothing', () => {
  const cluster = maintained();
  assert.deepEqual(sent(cluster), ['f A', 'f B', 'g A', 'g B']);
  respond(cluster, 'f', 'A', 5);
  respond(cluster, 'f', 'A', 500);
  respond(cluster, 'f', 'unknown', 5);
  assert.equal(cluster.allocator.totals().inverseFilters, 1);
  cluster.allocator.updateUnavailability(aid('B'), undefined);
  respond(cluster, 'f', 'B', 5);
  assert.equal(cluster.allocator.totals().inverseFilters, 1);
  assert.deepEqual(sent(cluster, 5000), ['f A']);
});

test('a timeout has no status and one allocation interval before the next inverse offer', () => {
  const cluster = maintained();
  sent(cluster);
  cluster.allocator.updateInverseOffer(aid('A'), fid('f'), cluster.now, undefined, undefined);
  assert.deepEqual([...(cluster.allocator.inverseOfferStatuses().get(aid('A'))?.keys() ?? [])], []);
  assert.deepEqual([sent(cluster, 999), sent(cluster, 1)], [[], ['f A']]);
});

test('a new schedule removes the agent’s inverse filters, and only these', () => {
  const cluster = maintained();
  sent(cluster);
  for (const id of ['A', 'B']) respond(cluster, 'f', id, 600);
  cluster.allocator.updateUnavailability(aid('A'), MAINTENANCE);
  assert.equal(cluster.allocator.totals().inverseFilters, 1);
  assert.deepEqual(sent(cluster), ['f A', 'g A']);
  cluster.allocator.removeAgent(aid('B'));
  assert.equal(cluster.allocator.totals().inverseFilters, 0);
  assert.equal(cluster.allocator.nextDeadline(), 0);
  cluster.run();
  assert.ok((cluster.allocator.nextDeadline() ?? 0) > 590_000, 'only the filters of declined offers are left');
});

test('REVIVE and activation remove the framework’s inverse filters, and only these', () => {
  for (const act of [
    (cluster: TestCluster) => cluster.allocator.revive(fid('f')),
    (cluster: TestCluster) => {
      cluster.allocator.deactivateFramework(fid('f'));
      cluster.allocator.activateFramework(fid('f'));
    },
  ]) {
    const cluster = maintained();
    sent(cluster);
    for (const id of ['f', 'g']) respond(cluster, id, 'A', 600);
    act(cluster);
    assert.equal(cluster.allocator.totals().inverseFilters, 1);
    assert.deepEqual(sent(cluster), ['f A']);
  }
});

test('an inactive framework and a deactivated agent get no inverse offers until they are active', () => {
  const cluster = maintained();
  cluster.allocator.deactivateFramework(fid('f'));
  cluster.allocator.deactivateAgent(aid('A'));
  assert.deepEqual(sent(cluster), ['g B']);
  cluster.allocator.activateAgent(aid('A'));
  assert.deepEqual(sent(cluster), ['g A']);
  cluster.allocator.activateFramework(fid('f'));
  assert.deepEqual(sent(cluster), ['f A', 'f B']);
});

test('a removed framework leaves no inverse offer and no status', () => {
  const cluster = maintained();
  sent(cluster);
  respond(cluster, 'f', 'A', 600);
  cluster.allocator.removeFramework(fid('f'));
  assert.equal(cluster.allocator.totals().inverseFilters, 0);
  assert.deepEqual([...(cluster.allocator.inverseOfferStatuses().get(aid('A'))?.keys() ?? [])], []);
  cluster.framework('f', ['r']);
  cluster.run();
  assert.deepEqual([sent(cluster), sent(cluster, 60_000)], [[], []]);
});
