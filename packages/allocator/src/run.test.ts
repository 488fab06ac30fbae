// Which pairs a run evaluates, and in which order. Each test cluster is audited: what a run misses is reported.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { allocate } from '@meseta/resources';
import { isPaused } from './run.js';
import {
  AGENT_CAPABILITIES,
  aid,
  fid,
  frameworkInfo,
  quotaOf,
  res,
  show,
  type TestCluster,
  testCluster,
} from './testing/cluster.js';
import { testState } from './testing/state.js';
import type { Quota } from './types.js';

/** Runs, and returns the offers and the number of pairs that the run evaluated. */
function evaluatedBy(cluster: TestCluster, afterMs = 0): { readonly offers: string[]; readonly pairs: number } {
  const before = cluster.allocator.totals().pairsExamined;
  const offers = show(cluster.run(afterMs));
  return { offers, pairs: cluster.allocator.totals().pairsExamined - before };
}

/** An agent on which the framework uses resources in the role. */
function agentInUse(
  cluster: TestCluster,
  id: string,
  total: string,
  framework: string,
  role: string,
  used: string,
): void {
  cluster.allocator.addAgent(aid(id), {
    info: { hostname: id },
    capabilities: AGENT_CAPABILITIES.map((type) => ({ type })),
    total: res(total),
    used: new Map([[fid(framework), allocate(res(used), role)]]),
  });
}

const ids = (offers: readonly { readonly frameworkId: string }[]): string[] => offers.map((it) => it.frameworkId);

test('runs and offers are counted, paused runs are not', () => {
  const cluster = testCluster();
  cluster.agent('A', 'cpus:1');
  cluster.framework('f', ['a']);
  cluster.run();
  cluster.run();
  cluster.allocator.pause();
  cluster.agent('B', 'cpus:1');
  assert.deepEqual(cluster.decide(), { offers: [], inverseOffers: [] });
  const { runs, offers } = cluster.allocator.totals();
  assert.deepEqual([runs, offers, cluster.allocator.runs()], [2, 1, 2]);
});

test('ALLOCATOR-1: a run evaluates the pairs of changed agents and clients, each once', () => {
  const cluster = testCluster();
  for (const id of ['A', 'B', 'C']) cluster.agent(id, 'cpus:1');
  for (const id of ['f', 'g']) cluster.framework(id, [id]);
  const decline = (): void => {
    for (let offers = cluster.run(); offers.length > 0; offers = cluster.run()) {
      for (const offer of offers) cluster.decline(offer, 600);
    }
  };
  decline();
  assert.deepEqual(evaluatedBy(cluster), { offers: [], pairs: 0 });
  cluster.framework('h', ['h']);
  assert.deepEqual(evaluatedBy(cluster).pairs, 3, 'the new client on each agent');
  cluster.agent('D', 'cpus:1');
  cluster.allocator.suppress(fid('h'));
  assert.deepEqual(evaluatedBy(cluster).pairs, 1, 'the first client is offered the new agent');
});

test('ALLOCATOR-1: a filter that ends wakes its pair only, also on an agent that changed', () => {
  for (const [what, change, pairs] of [
    ['a filter ends', () => {}, 1],
    ['the agent changed too', ({ allocator }) => allocator.updateAgent(aid('A'), { total: res('cpus:1') }), 2],
    ['another client woke too', ({ framework }) => framework('new', ['f']), 2],
    ['the client was suppressed', ({ allocator }) => allocator.suppress(fid('f')), 0],
  ] as [string, (cluster: TestCluster) => void, number][]) {
    const cluster = testCluster();
    cluster.agent('A', 'cpus:1;disk:1');
    for (const [id, seconds] of [
      ['f', 10],
      ['g', 600],
    ] as const) {
      cluster.framework(id, [id]);
      const [offer] = cluster.run();
      assert.ok(offer);
      cluster.decline(offer, seconds);
    }
    cluster.run();
    cluster.allocator.updateQuota('f', quotaOf({}, { cpus: 0 }));
    cluster.run();
    cluster.now = 10_100;
    change(cluster);
    assert.deepEqual(evaluatedBy(cluster), { offers: [], pairs }, what);
  }
});

test('a filter that ends for a suppressed client evaluates nothing', () => {
  const cluster = testCluster();
  cluster.agent('A', 'cpus:1');
  cluster.framework('f', ['f']);
  const [offer] = cluster.run();
  assert.ok(offer);
  cluster.decline(offer, 10);
  cluster.allocator.suppress(fid('f'));
  cluster.run();
  assert.deepEqual(evaluatedBy(cluster, 20_000), { offers: [], pairs: 0 });
  assert.equal(cluster.allocator.totals().eventsPending, 0);
});

test('of the clients whose filters end together, the first in the order of fair sharing is offered the agent', () => {
  // Roles, and what each has in use: the first of the list has most.
  const cases: [roles: string[], first: string][] = [
    [['a', 'a', 'a'], 'c2'],
    [['a', 'b', 'c'], 'c2'],
    [['a/x', 'a/y', 'a/z'], 'c2'],
    [['a', 'a/x', 'a/y'], 'c2'],
    [['a/x', 'a', 'b'], 'c2'],
    [['a/x/1', 'a/x', 'a'], 'c2'],
    [['b', 'a/x', 'a/y'], 'c2'],
    [['a/x', 'a/y', 'b'], 'c2'],
  ];
  for (const [roles, first] of cases) {
    for (const order of [
      [0, 1, 2],
      [2, 1, 0],
      [1, 2, 0],
    ]) {
      const cluster = testCluster();
      cluster.agent('A', 'cpus:1');
      for (const i of order) {
        cluster.framework(`c${i}`, [roles[i] as string]);
        const [offer] = cluster.run();
        assert.ok(offer);
        cluster.decline(offer, 10);
      }
      cluster.run();
      roles.forEach((role, i) => {
        if (i < 2) agentInUse(cluster, `used${i}`, `mem:${70 - 20 * i}`, `c${i}`, role, `mem:${60 - 20 * i}`);
      });
      // The free resources of these agents are smaller than the minimum of an offer.
      assert.deepEqual(cluster.run(), []);
      const [offer] = cluster.run(11_000);
      assert.equal(offer?.frameworkId, first, `${roles} ${order}`);
    }
  }
});

test('many clients whose filters end together are offered agents in the order of fair sharing', () => {
  for (const count of [8, 9, 12]) {
    const cluster = testCluster();
    cluster.agent('A', 'cpus:1');
    for (let i = 0; i < count; i++) {
      cluster.framework(`f${i}`, ['r']);
      const [offer] = cluster.run();
      assert.ok(offer);
      cluster.decline(offer, 10);
    }
    cluster.framework('other', ['r']);
    const [other] = cluster.run();
    assert.ok(other);
    cluster.decline(other, 600);
    cluster.run();
    for (let i = 0; i < count - 1; i++) agentInUse(cluster, `u${i}`, 'mem:20', `f${i}`, 'r', `mem:${1 + i}`);
    cluster.run();
    assert.deepEqual(ids(cluster.run(11_000)), [`f${count - 1}`], `${count} clients`);
  }
});

test('a client is evaluated once on an agent, also when quota leaves a part of it to the next clients', () => {
  const cluster = testCluster();
  cluster.allocator.updateQuota('a', quotaOf({}, { cpus: 1 }));
  cluster.allocator.updateQuota('b', quotaOf({}, { cpus: 1 }));
  for (const id of ['a', 'b', 'c']) cluster.framework(id, [id]);
  cluster.run();
  cluster.agent('A', 'cpus:4');
  const { offers, pairs } = evaluatedBy(cluster);
  assert.deepEqual(offers, ['a/a@A cpus:1', 'b/b@A cpus:1', 'c/c@A cpus:2']);
  assert.equal(pairs, 3);
});

test('the first stage serves a role with an unmet guarantee although its share is larger', () => {
  for (const guarantee of [{ cpus: 4 }, { disk: 10 }]) {
    const cluster = testCluster();
    agentInUse(cluster, 'used', 'gpus:1;cpus:1;mem:100;disk:1', 'k', 'kept', 'mem:90');
    cluster.allocator.updateQuota('kept', quotaOf(guarantee));
    cluster.framework('k', ['kept']);
    cluster.framework('other', ['other']);
    cluster.run();
    cluster.agent('A', 'cpus:4;disk:10;mem:50');
    assert.deepEqual(show(cluster.run()), ['k/kept@A cpus:4; mem:50; disk:10']);
  }
});

test('in the first stage roles are ordered by fair sharing, again after each offer', () => {
  const cluster = testCluster();
  for (const role of ['c', 'idle', 'b', 'a']) cluster.allocator.updateQuota(role, quotaOf({ cpus: 100 }));
  for (const role of ['c', 'b', 'a']) cluster.framework(role, [role]);
  cluster.run();
  agentInUse(cluster, 'used', 'mem:100', 'a', 'a', 'mem:90');
  for (const id of ['A', 'B', 'C', 'D']) cluster.agent(id, 'cpus:1');
  // Shares are a: 0.9, then b and c alternate; the first is b by its name.
  assert.deepEqual(ids(cluster.run()), ['b', 'c', 'b', 'c']);
});

test('the first stage serves only clients that woke, on agents that did not', () => {
  const cluster = testCluster();
  cluster.allocator.updateQuota('kept', quotaOf({ cpus: 4 }));
  cluster.agent('A', 'cpus:1');
  cluster.framework('k', ['kept']);
  for (const offer of cluster.run()) cluster.decline(offer, 600);
  cluster.run();
  cluster.framework('new', ['new']);
  assert.deepEqual(evaluatedBy(cluster).pairs, 1);
});

test('a guarantee that grows is served from the agents that headroom withheld, while it is unmet', () => {
  const cluster = testCluster();
  const { allocator } = cluster;
  allocator.updateQuota('absent', quotaOf({ cpus: 100 }));
  cluster.framework('k', ['kept']);
  for (const id of ['A', 'B', 'C']) cluster.agent(id, 'cpus:2;disk:1');
  cluster.agent('D', 'disk:5');
  assert.deepEqual(cluster.run(), []);
  allocator.updateQuota('kept', quotaOf({ cpus: 3 }));
  const { offers, pairs } = evaluatedBy(cluster);
  assert.deepEqual(
    offers.map((text) => text.replace(/@./, '')),
    ['k/kept cpus:1; disk:1', 'k/kept cpus:2; disk:1'],
  );
  assert.equal(pairs, 2, 'no more agents than the guarantee needs');
  allocator.updateQuota('kept', quotaOf({ cpus: 3, disk: 100 }));
  assert.deepEqual(evaluatedBy(cluster), { offers: [], pairs: 0 }, 'no disk was withheld');
});

test('agents that a limit blocked are offered while the room under the limit lasts', () => {
  const cluster = testCluster();
  const { allocator } = cluster;
  allocator.updateQuota('r', quotaOf({}, { cpus: 0 }));
  cluster.framework('f', ['r']);
  for (const id of ['A', 'B', 'C', 'D']) cluster.agent(id, 'cpus:2');
  assert.deepEqual(evaluatedBy(cluster).pairs, 4);
  allocator.updateQuota('r', quotaOf({}, { cpus: 0, mem: 7 }));
  assert.deepEqual(evaluatedBy(cluster), { offers: [], pairs: 0 }, 'the room for cpus did not grow');
  for (const [limit, count, pairs] of [
    [2, 1, 1],
    [5, 2, 2],
    [6, 1, 1],
  ] as const) {
    allocator.updateQuota('r', quotaOf({}, { cpus: limit }));
    const evaluated = evaluatedBy(cluster);
    assert.deepEqual([evaluated.offers.length, evaluated.pairs], [count, pairs], `limit ${limit}`);
  }
  allocator.updateQuota('r', quotaOf({}));
  cluster.run();
  assert.deepEqual(allocator.totals().availableHeadroom.names, []);
});

test('agents that a limit or headroom withheld are not offered while they are deactivated', () => {
  const rules: [what: string, before: Quota, role: string, after: Quota][] = [
    ['limit', quotaOf({}, { cpus: 0 }), 'r', quotaOf({}, { cpus: 100 })],
    ['headroom', quotaOf({ cpus: 100 }), 'absent', quotaOf({ mem: 1 })],
  ];
  for (const [what, before, role, after] of rules) {
    const cluster = testCluster();
    const { allocator } = cluster;
    allocator.updateQuota(role, before);
    cluster.framework('f', ['r']);
    for (const id of ['A', 'B']) cluster.agent(id, 'cpus:2');
    assert.deepEqual(cluster.run(), [], what);
    allocator.deactivateAgent(aid('A'));
    allocator.updateQuota(role, after);
    assert.deepEqual(show(cluster.run()), ['f/r@B cpus:2'], what);
    allocator.activateAgent(aid('A'));
    assert.deepEqual(show(cluster.run()), ['f/r@A cpus:2'], what);
  }
});

test('a guarantee that was met and grows is served from the agents that headroom withheld', () => {
  const cluster = testCluster();
  const { allocator } = cluster;
  allocator.updateQuota('absent', quotaOf({ cpus: 100 }));
  allocator.updateQuota('kept', quotaOf({ cpus: 1 }));
  cluster.framework('k', ['kept']);
  for (const id of ['A', 'B']) cluster.agent(id, 'cpus:2');
  assert.deepEqual(
    show(cluster.run()).map((text) => text.replace(/@./, '')),
    ['k/kept cpus:1'],
  );
  allocator.updateQuota('kept', quotaOf({ cpus: 2 }));
  assert.deepEqual(
    show(cluster.run()).map((text) => text.replace(/@./, '')),
    ['k/kept cpus:1'],
  );
});

test('agents that headroom withheld are offered while the surplus lasts', () => {
  const cluster = testCluster();
  const { allocator } = cluster;
  allocator.updateQuota('absent', quotaOf({ cpus: 8, mem: 1 }));
  cluster.framework('f', ['f']);
  for (const id of ['A', 'B', 'C', 'D']) cluster.agent(id, 'cpus:2');
  assert.deepEqual(evaluatedBy(cluster), { offers: [], pairs: 4 });
  allocator.updateQuota('absent', quotaOf({ cpus: 8 }));
  assert.deepEqual(evaluatedBy(cluster), { offers: [], pairs: 0 }, 'the surplus of cpus did not grow');
  for (const [guarantee, count, pairs] of [
    [6, 1, 1],
    [3, 2, 2],
    [2, 1, 1],
  ] as const) {
    allocator.updateQuota('absent', quotaOf({ cpus: guarantee }));
    const evaluated = evaluatedBy(cluster);
    assert.deepEqual([evaluated.offers.length, evaluated.pairs], [count, pairs], `guarantee ${guarantee}`);
  }
});

test('a run evaluates no withheld agents if rooms, surplus and unmet guarantees are what they were', () => {
  const cluster = testCluster();
  const { allocator } = cluster;
  // Less than the smallest offer stays under the limit, above the guarantees of others, and below the own guarantee.
  allocator.updateQuota('limited', quotaOf({}, { cpus: 2.005 }));
  allocator.updateQuota('absent', quotaOf({ disk: 15.995, mem: 100 }));
  cluster.framework('l', ['limited']);
  for (const id of ['A', 'B']) cluster.agent(id, 'cpus:2');
  cluster.run();
  cluster.framework('f', ['f']);
  const quantities = [{ quantities: { disk: { value: 0.01 } } }];
  const offer_filters = { f: { min_allocatable_resources: { quantities } } };
  allocator.updateFramework(fid('f'), { ...frameworkInfo(['f']), offer_filters });
  for (const id of ['C', 'D']) cluster.agent(id, 'disk:8');
  cluster.agent('E', 'mem:100');
  cluster.run();
  allocator.updateQuota('limited', quotaOf({}, { cpus: 2.005, gpus: 1 }));
  assert.deepEqual(evaluatedBy(cluster), { offers: [], pairs: 0 });
  allocator.updateQuota('absent', quotaOf({ disk: 15.995 }));
  assert.deepEqual(evaluatedBy(cluster).offers, ['l/limited@E mem:100']);
});

test('only agents of which the grown surplus was withheld are evaluated', () => {
  const cluster = testCluster();
  const { allocator } = cluster;
  allocator.updateQuota('absent', quotaOf({ cpus: 4, mem: 100 }));
  cluster.framework('f', ['f']);
  cluster.agent('A', 'cpus:4');
  cluster.agent('B', 'mem:100');
  assert.deepEqual(evaluatedBy(cluster), { offers: [], pairs: 2 });
  allocator.updateQuota('absent', quotaOf({ mem: 100 }));
  assert.deepEqual(evaluatedBy(cluster), { offers: ['f/f@A cpus:4'], pairs: 1 });
  allocator.updateQuota('absent', quotaOf({}));
  assert.deepEqual(evaluatedBy(cluster), { offers: ['f/f@B mem:100'], pairs: 1 });
});

test('an agent that was removed leaves the wake lists of limits and headroom', () => {
  const cluster = testCluster();
  const { allocator } = cluster;
  allocator.updateQuota('r', quotaOf({}, { cpus: 0 }));
  allocator.updateQuota('absent', quotaOf({ mem: 100 }));
  cluster.framework('f', ['r']);
  for (const id of ['A', 'B']) cluster.agent(id, 'cpus:2;mem:50');
  assert.deepEqual(cluster.run(), []);
  allocator.removeAgent(aid('A'));
  allocator.updateQuota('r', quotaOf({}));
  allocator.updateQuota('absent', quotaOf({}));
  assert.deepEqual(show(cluster.run()), ['f/r@B cpus:2; mem:50']);
});

test('runs are paused by the operator, or after a failover until enough agents are added or the timeout ends', () => {
  const { state, agent } = testState();
  assert.equal(isPaused(state, 0), false);
  state.recovery = { expectedAgents: 1, untilMs: 100 };
  assert.deepEqual([isPaused(state, 99), isPaused(state, 100), isPaused(state, 0)], [true, false, false]);
  state.recovery = { expectedAgents: 1, untilMs: 100 };
  assert.equal(isPaused(state, 0), true);
  agent('A', 'cpus:1');
  state.paused = true;
  assert.deepEqual([isPaused(state, 0), state.recovery], [true, undefined]);
  state.paused = false;
  assert.equal(isPaused(state, 0), false);
});

test('with random sorters every framework is offered agents', () => {
  for (const options of [
    { roleSorter: 'random' },
    { frameworkSorter: 'random' },
    { roleSorter: 'random', frameworkSorter: 'random' },
  ] as const) {
    const cluster = testCluster(options);
    for (const id of ['f', 'g']) cluster.framework(id, [id, 'shared']);
    for (let i = 0; i < 40; i++) cluster.agent(`A${i}`, 'cpus:1');
    const offers = cluster.run();
    assert.equal(new Set(offers.map(({ frameworkId, role }) => `${frameworkId} ${role}`)).size, 4);
    for (const offer of offers) cluster.decline(offer, 10);
    cluster.allocator.updateFramework(fid('f'), frameworkInfo(['f', 'shared']));
    assert.equal(cluster.run(11_000).length, 40);
  }
});
