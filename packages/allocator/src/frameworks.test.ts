import assert from 'node:assert/strict';
import { test } from 'node:test';
import { allocate } from '@meseta/resources';
import { activateFramework, addFramework, removeFramework, revive, updateFramework } from './frameworks.js';
import { startMaintenance } from './inverse-offers.js';
import { run } from './run.js';
import { aid, fid, frameworkInfo, res, show, type TestCluster, testCluster } from './testing/cluster.js';
import { testState } from './testing/state.js';
import type { OfferDecision } from './types.js';

const only = (offers: readonly OfferDecision[]): OfferDecision => {
  assert.equal(offers.length, 1, show(offers).join('\n'));
  return offers[0] as OfferDecision;
};

test('ALLOCATOR-4: only a framework that is active or revives ends cooldowns', () => {
  const cases: [what: string, act: (cluster: TestCluster) => void, endsCooldown: boolean][] = [
    ['an active framework is added', ({ framework }) => framework('g', ['b']), true],
    [
      'an inactive framework is added',
      ({ allocator }) => allocator.addFramework(fid('g'), frameworkInfo(['b']), new Map(), false),
      false,
    ],
    ['the framework revives', ({ allocator }) => allocator.revive(fid('f')), true],
    ['the framework is updated', ({ allocator }) => allocator.updateFramework(fid('f'), frameworkInfo(['a'])), false],
    ['the framework suppresses', ({ allocator }) => allocator.suppress(fid('f')), false],
    [
      'the framework is deactivated and activated',
      ({ allocator }) => {
        allocator.deactivateFramework(fid('f'));
        allocator.activateFramework(fid('f'));
      },
      true,
    ],
  ];
  for (const [what, act, endsCooldown] of cases) {
    const cluster = testCluster();
    cluster.agent('A', 'cpus:4');
    cluster.framework('f', ['a']);
    cluster.accept(only(cluster.run()), 'cpus:1', 0);
    cluster.run();
    act(cluster);
    cluster.run();
    const reasons = cluster.allocator.explain(fid('f'), aid('A'), 'a', cluster.now);
    assert.equal(
      reasons.some(({ kind }) => kind === 'inCooldown'),
      !endsCooldown,
      what,
    );
  }
});

/** A cluster with an agent for each role of the framework f, which declined both agents in each role. */
function declined(): TestCluster {
  const cluster = testCluster();
  cluster.agent('A', 'cpus:4');
  cluster.framework('f', ['a', 'b']);
  for (let offers = cluster.run(); offers.length > 0; offers = cluster.run()) cluster.decline(only(offers), 600);
  return cluster;
}

const filtersIn = (cluster: TestCluster): number[] =>
  ['a', 'b'].map((role) => cluster.allocator.roleUsage(role).filters);

test('a role that an update no longer suppresses loses its filters, the others keep them', () => {
  const cluster = declined();
  const { allocator } = cluster;
  assert.deepEqual(filtersIn(cluster), [1, 1]);
  const update = (...suppressedRoles: string[]) =>
    allocator.updateFramework(fid('f'), frameworkInfo(['a', 'b']), { suppressedRoles });
  update('a', 'b');
  assert.deepEqual([filtersIn(cluster), cluster.run()], [[1, 1], []]);
  update('b');
  assert.deepEqual(filtersIn(cluster), [0, 1]);
  assert.equal(only(cluster.run()).role, 'a');
  update();
  assert.deepEqual(filtersIn(cluster), [0, 0]);
  allocator.updateFramework(fid('f'), frameworkInfo(['a', 'b']));
  assert.deepEqual(filtersIn(cluster), [0, 0]);
});

test('filters in a role to which the framework no longer subscribes end with its last allocation in the role', () => {
  const used = allocate(res('cpus:1'), 'a');
  const cases: [what: string, end: (cluster: TestCluster) => void][] = [
    [
      'the resources are returned',
      ({ allocator, now }) => allocator.recoverResources(fid('f'), aid('B'), used, now, { allocated: true }),
    ],
    ['the agent is removed', ({ allocator }) => allocator.removeAgent(aid('B'))],
  ];
  for (const [what, end] of cases) {
    const cluster = testCluster();
    cluster.framework('f', ['a']);
    cluster.agent('A', 'cpus:4');
    cluster.decline(only(cluster.run()), 600);
    cluster.agent('B', 'cpus:1');
    cluster.accept(only(cluster.run()), 'cpus:1');
    cluster.allocator.updateFramework(fid('f'), frameworkInfo([]));
    cluster.run();
    assert.deepEqual(filtersIn(cluster), [1, 0], what);
    end(cluster);
    cluster.run();
    assert.deepEqual(filtersIn(cluster), [0, 0], what);
    assert.equal(cluster.allocator.totals().clients, 0, what);
  }
});

test('REVIVE offers the declined resources again, in its roles', () => {
  const cluster = declined();
  cluster.allocator.revive(fid('f'), ['b']);
  assert.deepEqual(filtersIn(cluster), [1, 0]);
  assert.equal(only(cluster.run()).role, 'b');
});

test('REVIVE of a suppressed role ends its suppression; REVIVE of an unknown role changes nothing', () => {
  const cluster = declined();
  const { allocator } = cluster;
  allocator.suppress(fid('f'), ['a', 'b']);
  allocator.revive(fid('f'), ['a']);
  assert.equal(only(cluster.run()).role, 'a');
  allocator.revive(fid('f'), ['unknown']);
  assert.deepEqual(cluster.run(), []);
});

test('only clients that may be offered resources are work of the next run', () => {
  const { state, framework, client } = testState();
  framework('f', ['a', 'b']);
  const [own] = state.frameworks.values();
  assert.ok(own);
  run(state, 0);
  updateFramework(state, own, frameworkInfo(['a', 'b']), { suppressedRoles: ['b'] });
  assert.deepEqual([...state.dirtyClients], [client('f', 'a')]);
  run(state, 0);
  own.active = false;
  for (const it of own.clients.values()) it.active = false;
  revive(state, own, ['a', 'unknown']);
  assert.equal(state.dirtyClients.size, 0);
});

test('activation makes inverse offers due on agents with maintenance only', () => {
  const { state, framework, agent } = testState();
  framework('f', ['a']);
  const own = agent('A', 'cpus:1');
  agent('B', 'cpus:1');
  startMaintenance(state, own, { start: { nanoseconds: 0n } });
  state.inverseOfferDirtyAgents.clear();
  const [first] = state.frameworks.values();
  assert.ok(first);
  activateFramework(state, first);
  assert.deepEqual([...state.inverseOfferDirtyAgents], [own]);
});

test('only agents on which a removed framework had allocations are work of the next run', () => {
  const { state, agent } = testState();
  const own = agent('A', 'cpus:1');
  agent('B', 'cpus:1');
  const used = new Map([[aid('A'), allocate(res('cpus:1'), 'r')]]);
  addFramework(state, fid('f'), frameworkInfo(['r', 's']), used, false, {});
  state.dirtyAgents.clear();
  const [framework] = state.frameworks.values();
  assert.ok(framework);
  removeFramework(state, framework);
  assert.deepEqual([...state.dirtyAgents], [own]);
  assert.deepEqual([state.frameworks.size, framework.clients.size, own.allocations.size], [0, 0, 0]);
});

test('resources can be returned for removed agents and frameworks, and only with the role of their allocation', () => {
  const cluster = testCluster();
  const { allocator } = cluster;
  cluster.agent('A', 'cpus:4');
  cluster.framework('f', ['a']);
  const { resources } = only(cluster.run());
  const back = (id: string, agentId: string, list: Parameters<typeof allocator.recoverResources>[2]) =>
    allocator.recoverResources(fid(id), aid(agentId), list, 0);
  back('f', 'unknown', resources);
  back('unknown', 'A', resources);
  back('f', 'A', []);
  assert.throws(() => back('f', 'A', res('cpus:1')), /allocation_info.role of resources is missing/);
  assert.throws(
    () =>
      back(
        'f',
        'A',
        allocate(res('cpus:1'), 'a').map(({ allocation_info: _, ...it }) => it),
      ),
    /allocation_info.role of resources is missing/,
  );
  assert.throws(() => back('f', 'A', allocate(res('cpus:1'), 'b')), /f in role b is missing/);
  assert.throws(() => back('f', 'A', allocate(res('cpus:5'), 'a')), /that are not offered or allocated to it/);
  assert.deepEqual(cluster.run(), []);
  back('f', 'A', resources);
  assert.equal(cluster.run().length, 1);
});

test('only offered resources become allocated', () => {
  const cluster = testCluster();
  const { allocator } = cluster;
  cluster.agent('A', 'cpus:4');
  cluster.framework('f', ['a']);
  only(cluster.run());
  const use = (role: string, text: string) =>
    allocator.transitionOfferedToAllocated(fid('f'), aid('A'), allocate(res(text), role));
  allocator.transitionOfferedToAllocated(fid('unknown'), aid('A'), []);
  assert.throws(() => use('b', 'cpus:1'), /f has no offer in that role/);
  use('a', 'cpus:3');
  assert.throws(() => use('a', 'cpus:2'), /that were not offered to it/);
});
