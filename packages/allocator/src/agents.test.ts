import assert from 'node:assert/strict';
import { test } from 'node:test';
import { allocate, quantitiesToRecord, type Resources } from '@meseta/resources';
import type { AgentInfo, OfferOperation } from '@meseta/wire';
import { setActive, updateAllocation, updateWhitelist } from './agents.js';
import { addFramework } from './frameworks.js';
import {
  AGENT_CAPABILITIES,
  aid,
  fid,
  frameworkInfo,
  res,
  sharedVolume,
  show,
  type TestCluster,
  testCluster,
} from './testing/cluster.js';
import { testState } from './testing/state.js';
import type { AgentUpdate, OfferDecision } from './types.js';

const capabilitiesOf = (...types: ('MULTI_ROLE' | 'HIERARCHICAL_ROLE' | 'RESERVATION_REFINEMENT')[]) =>
  types.map((type) => ({ type }));

const only = (offers: readonly OfferDecision[]): OfferDecision => {
  assert.equal(offers.length, 1, show(offers).join('\n'));
  return offers[0] as OfferDecision;
};

/** A cluster with the agent A in its cooldown, until 1000 ms. */
function cooling(info: Partial<AgentInfo> = {}): TestCluster {
  const cluster = testCluster();
  cluster.agent('A', 'cpus:4;mem:100', info);
  cluster.framework('f', ['a']);
  cluster.accept(only(cluster.run()), 'cpus:1', 0);
  assert.deepEqual(cluster.run(), []);
  return cluster;
}

test('ALLOCATOR-4: an update that changes the agent ends its cooldown, and one that does not keeps it', () => {
  const domain = { fault_domain: { region: { name: 'r' }, zone: { name: 'z' } } };
  const attributes = [{ name: 'n', type: 'SCALAR' as const, scalar: { value: 1 } }];
  const info: AgentInfo = { hostname: 'A', domain, attributes };
  const capabilities = AGENT_CAPABILITIES.map((type) => ({ type }));
  const cases: [what: string, update: AgentUpdate, isChange: boolean][] = [
    ['nothing', {}, false],
    ['equal values', { info: { ...info }, capabilities, total: res('cpus:4;mem:100') }, false],
    ['the same total in another order', { total: res('mem:100;cpus:4') }, false],
    ['an equal info with its fields in another order', { info: { attributes, domain, hostname: 'A' } }, false],
    ['more resources', { total: res('cpus:4;mem:101') }, true],
    ['fewer capabilities', { capabilities: capabilities.slice(1) }, true],
    ['other capabilities that no client needs', { capabilities: capabilities.slice(0, 2) }, true],
    ['another host name', { info: { ...info, hostname: 'B' } }, true],
  ];
  for (const [what, update, isChange] of cases) {
    const cluster = cooling(info);
    assert.equal(cluster.allocator.updateAgent(aid('A'), update), isChange, what);
    const isOffered = isChange && update.capabilities?.[0]?.type !== 'HIERARCHICAL_ROLE';
    assert.equal(cluster.run().length, isOffered ? 1 : 0, what);
    assert.equal(cluster.allocator.nextDeadline(), isChange ? undefined : 1000, what);
  }
});

test('ALLOCATOR-4: activation, whitelisting and a maintenance schedule end a cooldown only if they change the agent', () => {
  const cases: [what: string, act: (cluster: TestCluster) => void, endsCooldown: boolean][] = [
    ['an active agent is activated', ({ allocator }) => allocator.activateAgent(aid('A')), false],
    ['it is deactivated', ({ allocator }) => allocator.deactivateAgent(aid('A')), false],
    [
      'it is deactivated and activated',
      ({ allocator }) => {
        allocator.deactivateAgent(aid('A'));
        allocator.activateAgent(aid('A'));
      },
      true,
    ],
    ['it stays whitelisted', ({ allocator }) => allocator.updateWhitelist(['A', 'B']), false],
    [
      'it is whitelisted again',
      ({ allocator }) => {
        allocator.updateWhitelist(['B']);
        allocator.updateWhitelist(undefined);
      },
      true,
    ],
    [
      'it is whitelisted again while it is deactivated',
      ({ allocator }) => {
        allocator.deactivateAgent(aid('A'));
        allocator.updateWhitelist(['B']);
        allocator.updateWhitelist(['A']);
      },
      false,
    ],
    ['its schedule changes', ({ allocator }) => allocator.updateUnavailability(aid('A'), undefined), true],
  ];
  for (const [what, act, endsCooldown] of cases) {
    const cluster = cooling();
    act(cluster);
    cluster.run();
    const reasons = cluster.allocator.explain(fid('f'), aid('A'), undefined, cluster.now);
    assert.equal(
      reasons.some(({ kind }) => kind === 'inCooldown'),
      !endsCooldown,
      what,
    );
  }
});

test('only agents that changed are evaluated in the next run', () => {
  const { state, agent } = testState();
  const own = agent('A', 'cpus:1');
  state.dirtyAgents.clear();
  setActive(state, own, true);
  updateWhitelist(state, ['A']);
  assert.equal(state.dirtyAgents.size, 0);
  setActive(state, own, false);
  assert.deepEqual([state.dirtyAgents.size, state.inverseOfferDirtyAgents.size], [0, 0]);
  updateWhitelist(state, []);
  updateWhitelist(state, ['A']);
  assert.equal(state.dirtyAgents.size, 0, 'a deactivated agent is not offerable');
  setActive(state, own, true);
  assert.deepEqual([[...state.dirtyAgents], [...state.inverseOfferDirtyAgents]], [[own], [own]]);
});

test('an agent in a region other than the master’s is remote; without a known region on both sides it is local', () => {
  const regionOf = (name: string) => ({ fault_domain: { region: { name }, zone: { name: 'z' } } });
  const cases: [master: string | undefined, domain: AgentInfo['domain'], isOffered: boolean][] = [
    ['here', regionOf('here'), true],
    ['here', regionOf('away'), false],
    ['here', {}, true],
    ['here', undefined, true],
    [undefined, regionOf('away'), true],
  ];
  for (const [master, domain, isOffered] of cases) {
    const cluster = testCluster(master === undefined ? {} : { domain: regionOf(master) });
    cluster.framework('f', ['a']);
    cluster.agent('A', 'cpus:1', domain === undefined ? {} : { domain });
    assert.equal(cluster.run().length, isOffered ? 1 : 0, `${master} ${JSON.stringify(domain)}`);
  }
});

test('an agent whose GPUs or region change is offered to other frameworks', () => {
  const cluster = testCluster();
  cluster.framework('f', ['a']);
  cluster.agent('A', 'cpus:1;gpus:1');
  assert.deepEqual(cluster.run(), []);
  cluster.allocator.updateAgent(aid('A'), { total: res('cpus:1') });
  assert.equal(cluster.run().length, 1);
});

test('ALLOCATOR-3: the reservations and the total of an agent count until it is removed', () => {
  const cluster = testCluster();
  const { allocator } = cluster;
  cluster.agent('A', 'cpus:4;cpus(r):2');
  cluster.agent('B', 'cpus:2');
  const { consumed, consumedOrOffered } = allocator.roleUsage('r');
  assert.deepEqual([consumed, consumedOrOffered].map(quantitiesToRecord), [{ cpus: 2 }, { cpus: 2 }]);
  cluster.framework('f', ['a']);
  for (const offer of cluster.run()) if (offer.agentId === 'A') cluster.returnOffer(offer, { filters: {} });
  assert.equal(allocator.shareOf(fid('f'), 'a'), 0.25);
  allocator.removeAgent(aid('A'));
  assert.deepEqual(quantitiesToRecord(allocator.totals().total), { cpus: 2 });
  assert.deepEqual(quantitiesToRecord(allocator.roleUsage('r').consumed), {});
  assert.equal(allocator.shareOf(fid('f'), 'a'), 1);
  assert.deepEqual(
    allocator.roles().map(({ role }) => role),
    ['a'],
  );
});

test('a change of the total changes the order of fair sharing', () => {
  const cluster = testCluster();
  const { allocator } = cluster;
  cluster.framework('m', ['m']);
  cluster.agent('M', 'mem:60');
  only(cluster.run());
  cluster.framework('c', ['c']);
  cluster.agent('C', 'cpus:10');
  assert.equal(only(cluster.run()).frameworkId, 'c');
  for (const total of ['mem:1000', 'cpus:1000']) {
    cluster.agent(total, total);
    const poorer = total.startsWith('mem') ? 'm' : 'c';
    assert.equal(only(cluster.run()).frameworkId, poorer);
    allocator.removeAgent(aid(total));
  }
});

test('resources that an agent reports for an unknown framework are freed part by part', () => {
  const cluster = testCluster({ minAllocatableResources: [] });
  const { allocator } = cluster;
  const used = allocate(res('cpus:3;mem:30'), 'r');
  allocator.addAgent(aid('A'), {
    info: { hostname: 'A' },
    capabilities: AGENT_CAPABILITIES.map((type) => ({ type })),
    total: res('cpus:4;mem:50'),
    used: new Map<ReturnType<typeof fid>, Resources>([
      [fid('unknown'), used],
      [fid('idle'), []],
    ]),
  });
  cluster.framework('f', ['a']);
  const freed = () => show(cluster.run());
  const back = (id: string, text: string) =>
    allocator.recoverResources(fid(id), aid('A'), allocate(res(text), 'r'), 0, { allocated: true });
  assert.deepEqual(freed(), ['f/a@A cpus:1; mem:20']);
  back('unknown', 'cpus:1');
  assert.deepEqual(freed(), ['f/a@A cpus:1']);
  back('idle', 'cpus:1');
  back('never seen', 'cpus:1');
  assert.deepEqual(freed(), []);
  back('unknown', 'cpus:2;mem:30');
  assert.deepEqual(freed(), ['f/a@A cpus:2; mem:30']);
  back('unknown', 'cpus:1');
  assert.deepEqual(freed(), []);
});

test('resources that the agent did not report are allocated to a framework when it is added', () => {
  const { state, agent } = testState();
  const [own, other] = [agent('A', 'cpus:4'), agent('B', 'cpus:4')];
  const used = new Map([[aid('A'), allocate(res('cpus:1'), 'r')]]);
  addFramework(state, fid('f'), frameworkInfo(['r']), used, true, {});
  assert.deepEqual(
    [own, other].map(({ free, allocations }) => [quantitiesToRecord(free.bundle.quantities), allocations.size]),
    [
      [{ cpus: 3 }, 1],
      [{ cpus: 4 }, 0],
    ],
  );
});

const reserve = (text: string): OfferOperation => ({
  type: 'RESERVE',
  reserve: { resources: res(text).map((it) => ({ ...it, reservations: [{ role: 'r', type: 'DYNAMIC' }] })) },
});

test('operations of operators apply to free resources all or none', () => {
  const cluster = testCluster();
  cluster.agent('A', 'cpus:4;mem:50');
  const applied = (...texts: string[]) => cluster.allocator.updateAvailable(aid('A'), texts.map(reserve)).ok;
  const consumed = () => quantitiesToRecord(cluster.allocator.roleUsage('r').consumed);
  assert.equal(applied('cpus:3', 'cpus:2'), false);
  assert.deepEqual(consumed(), {});
  assert.equal(applied('cpus:3', 'mem:5'), true);
  assert.deepEqual(consumed(), { cpus: 3, mem: 5 });
});

test('a copy of a shared resource is offered, but does not change the total', () => {
  const volume = sharedVolume('a');
  const cluster = testCluster({ minAllocatableResources: [] });
  cluster.agent('A', [volume]);
  cluster.framework('f', ['a'], ['SHARED_RESOURCES']);
  const offer = only(cluster.run());
  const converted = allocate([volume], 'a');
  const after = cluster.allocator.updateAllocation(fid('f'), aid('A'), offer.resources.resources, [
    { consumed: [], converted },
  ]);
  assert.equal(after.length, 2);
  assert.deepEqual(quantitiesToRecord(cluster.allocator.totals().total), { disk: 10 });
  cluster.allocator.transitionOfferedToAllocated(fid('f'), aid('A'), converted);
  cluster.allocator.recoverResources(fid('f'), aid('A'), converted, 0);
});

/** The resources of an agent are offered to a framework that has left the role since. */
function offeredInFormerRole() {
  const cluster = testCluster();
  const { allocator } = cluster;
  cluster.agent('A', 'cpus:4');
  cluster.framework('f', ['r']);
  const offered = only(cluster.run()).resources.resources;
  allocator.updateFramework(fid('f'), frameworkInfo(['other']));
  return { allocator, offered };
}

test('converted resources stay offered to a framework that no longer subscribes to the role', () => {
  const { allocator, offered } = offeredInFormerRole();
  const consumed = allocate(res('cpus:4'), 'r');
  const reservations = [{ role: 'r', type: 'DYNAMIC' as const }];
  const converted = consumed.map((resource) => ({ ...resource, reservations }));
  const after = allocator.updateAllocation(fid('f'), aid('A'), offered, [{ consumed, converted }]);
  assert.equal(allocator.totals().clients, 2);
  // Offered, not allocated: it can still become allocated.
  allocator.transitionOfferedToAllocated(fid('f'), aid('A'), after);
  assert.equal(allocator.shareOf(fid('f'), 'r'), 1);
  allocator.recoverResources(fid('f'), aid('A'), after, 0, { allocated: true });
  assert.equal(allocator.totals().clients, 1);
});

test('a client ends when a conversion consumes the last resources offered to it in a role that its framework left', () => {
  const { allocator, offered } = offeredInFormerRole();
  assert.equal(allocator.totals().clients, 2);
  allocator.updateAllocation(fid('f'), aid('A'), offered, [{ consumed: offered, converted: [] }]);
  assert.equal(allocator.totals().clients, 1);
});

test('only resources that are offered in one role can be converted', () => {
  const { state, agent, framework } = testState();
  const own = agent('A', 'cpus:4');
  framework('f', ['a', 'b']);
  const offered = [...allocate(res('cpus:1'), 'a'), ...allocate(res('cpus:1'), 'b')];
  assert.throws(
    () => updateAllocation(state, own, fid('f'), offered, []),
    /offered resources must be allocated to one role/,
  );
});

test('an agent, and a framework, is added only once; unknown ones are an error', () => {
  const cluster = testCluster();
  const { allocator } = cluster;
  cluster.agent('A', 'cpus:1');
  cluster.framework('f', ['a']);
  assert.throws(() => cluster.agent('A', 'cpus:1'), /agent A was added before/);
  assert.throws(() => cluster.framework('f', ['a']), /framework f was added before/);
  assert.throws(() => allocator.removeAgent(aid('B')), /agent B is missing/);
  assert.throws(() => allocator.removeFramework(fid('g')), /framework g is missing/);
  assert.equal(allocator.updateAgent(aid('A'), { capabilities: capabilitiesOf('MULTI_ROLE') }), true);
});
