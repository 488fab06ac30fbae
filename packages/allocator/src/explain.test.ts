import assert from 'node:assert/strict';
import { test } from 'node:test';
import { quantitiesToRecord } from '@meseta/resources';
import type { AgentInfo, FrameworkInfo, FrameworkInfoCapabilityType, Resource } from '@meseta/wire';
import { createOfferConstraints } from './constraints.js';
import {
  AGENT_CAPABILITIES,
  aid,
  fid,
  frameworkInfo,
  quotaOf,
  refinedMem,
  res,
  revocableCpus,
  sharedVolume,
  type TestCluster,
  testCluster,
} from './testing/cluster.js';
import type { AllocatorOptions, Reason } from './types.js';

const EVERY_AGENT = 'every agent';

/** The reasons with their quantities as records, without the agent, which is A unless the test says otherwise. */
function reasonsOf(cluster: TestCluster, agent = 'A', role?: string, framework = 'f'): unknown[] {
  const id = agent === EVERY_AGENT ? undefined : aid(agent);
  return cluster.allocator.explain(fid(framework), id, role, cluster.now).map(readable);
}

const isQuantities = (value: object): boolean => 'names' in value && 'amounts' in value;

function readable(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(readable);
  if (typeof value !== 'object' || value === null) return value;
  if (isQuantities(value)) return quantitiesToRecord(value as Parameters<typeof quantitiesToRecord>[0]);
  const fields = Object.entries(value).filter(([name, field]) => name !== 'agentId' || field !== 'A');
  return Object.fromEntries(fields.map(([name, field]) => [name, readable(field)]));
}

const kindsOf = (reasons: unknown[]): string[] => reasons.map((reason) => (reason as Reason).kind);

/** A cluster with the agent A and the framework f in the role a, after a run whose offers were made. */
function clusterWith(total: string | readonly Resource[], options: AllocatorOptions = {}): TestCluster {
  const cluster = testCluster(options);
  cluster.agent('A', total);
  cluster.framework('f', ['a']);
  cluster.run();
  return cluster;
}

test('the reason names unknown frameworks, agents and roles, and a cluster without agents', () => {
  const cluster = testCluster();
  assert.deepEqual(reasonsOf(cluster), [{ kind: 'unknownFramework' }]);
  cluster.framework('f', ['a']);
  assert.deepEqual(reasonsOf(cluster, EVERY_AGENT), [{ kind: 'noAgents' }]);
  assert.deepEqual(reasonsOf(cluster), [{ kind: 'unknownAgent' }]);
  cluster.agent('B', 'cpus:1');
  assert.deepEqual(reasonsOf(cluster), [{ kind: 'unknownAgent' }]);
  assert.deepEqual(reasonsOf(cluster, 'B', 'x'), [{ kind: 'notSubscribedToRole', role: 'x' }]);
  cluster.run();
  cluster.allocator.updateFramework(fid('f'), frameworkInfo(['b']));
  // It has an allocation in the role to which it no longer subscribes.
  assert.deepEqual(reasonsOf(cluster, 'B', 'a'), [{ kind: 'notSubscribedToRole', role: 'a' }]);
  cluster.allocator.deactivateFramework(fid('f'));
  assert.deepEqual(kindsOf(reasonsOf(cluster, 'C')), ['frameworkInactive', 'unknownAgent']);
});

test('while the allocator is paused, the reason says until how many agents or when', () => {
  const cluster = testCluster();
  cluster.allocator.pause();
  cluster.framework('f', ['a']);
  const paused = { kind: 'paused', knownAgents: 0, expectedAgents: undefined, untilMs: undefined };
  assert.deepEqual(reasonsOf(cluster, EVERY_AGENT), [paused, { kind: 'noAgents' }]);
  cluster.allocator.resume();
  cluster.allocator.recover(10, new Map([['r', quotaOf({ cpus: 1 })]]), 5, { factor: 0.5, timeoutMs: 100 });
  assert.deepEqual(reasonsOf(cluster, EVERY_AGENT)[0], { ...paused, expectedAgents: 5, untilMs: 105 });
});

test('the reason is the inactive or suppressed framework, or `pending` before the pair was evaluated', () => {
  const cluster = testCluster();
  cluster.agent('A', 'cpus:1');
  cluster.framework('f', ['a', 'b']);
  const pending = (role: string) => ({ kind: 'pending', role });
  assert.deepEqual(reasonsOf(cluster), [pending('a'), pending('b')]);
  assert.deepEqual(reasonsOf(cluster, 'A', 'b'), [pending('b')]);
  cluster.allocator.suppress(fid('f'), ['a']);
  assert.deepEqual(reasonsOf(cluster), [{ kind: 'suppressed', role: 'a' }, pending('b')]);
  cluster.allocator.deactivateFramework(fid('f'));
  assert.deepEqual(reasonsOf(cluster), [{ kind: 'frameworkInactive' }, { kind: 'suppressed', role: 'a' }]);
});

test('the reason is the agent that is deactivated, not whitelisted or in its cooldown', () => {
  const cluster = clusterWith('cpus:4');
  cluster.allocator.removeFramework(fid('f'));
  cluster.framework('f', ['a']);
  const [offer] = cluster.run();
  assert.ok(offer);
  cluster.accept(offer, 'cpus:1', 0);
  cluster.allocator.deactivateAgent(aid('A'));
  cluster.allocator.updateWhitelist([]);
  assert.deepEqual(reasonsOf(cluster), [
    { kind: 'agentDeactivated' },
    { kind: 'notWhitelisted', hostname: 'A' },
    { kind: 'inCooldown', untilMs: 1000 },
  ]);
});

test('if nothing or too little is free, the reasons name the clients that have the agent’s resources', () => {
  const cluster = clusterWith('cpus:4;mem:100');
  cluster.framework('g', ['b']);
  const holder = (offeredOrAllocated: Record<string, number>, offered: Record<string, number>, share: number) => ({
    frameworkId: 'f',
    role: 'a',
    share,
    offeredOrAllocated,
    offered,
  });
  const all = { cpus: 4, mem: 100 };
  assert.deepEqual(reasonsOf(cluster, 'A', 'b', 'g'), [
    { kind: 'nothingFree', total: all },
    { kind: 'share', role: 'b', share: 0, holders: [holder(all, all, 1)] },
  ]);
  const used = res('cpus:4;mem:80').map((it) => ({ ...it, allocation_info: { role: 'a' } }));
  cluster.allocator.transitionOfferedToAllocated(fid('f'), aid('A'), used);
  assert.deepEqual(reasonsOf(cluster, 'A', 'b', 'g')[1], {
    kind: 'share',
    role: 'b',
    share: 0,
    holders: [holder(all, { mem: 20 }, 1)],
  });
  const rest = res('mem:20').map((it) => ({ ...it, allocation_info: { role: 'a' } }));
  cluster.allocator.recoverResources(fid('f'), aid('A'), rest, 0);
  cluster.run();
  assert.deepEqual(reasonsOf(cluster, 'A', 'b', 'g'), [
    { kind: 'tooSmall', role: 'b', available: { mem: 20 }, minimum: [{ cpus: 0.01 }, { mem: 32 }] },
    { kind: 'share', role: 'b', share: 0, holders: [holder({ cpus: 4, mem: 80 }, {}, 1)] },
  ]);
});

test('the reason is that less is free than the minimums of the master or the framework', () => {
  const cluster = clusterWith('disk:5');
  const tooSmall = { kind: 'tooSmall', role: 'a', available: { disk: 5 } };
  assert.deepEqual(reasonsOf(cluster), [{ ...tooSmall, minimum: [{ cpus: 0.01 }, { mem: 32 }] }]);
  const quantities = [{ quantities: { disk: { value: 6 } } }];
  const info = { ...frameworkInfo(['a']), offer_filters: { a: { min_allocatable_resources: { quantities } } } };
  cluster.allocator.updateFramework(fid('f'), info);
  assert.deepEqual(reasonsOf(cluster), [{ ...tooSmall, minimum: [{ disk: 6 }] }]);
  const empty = clusterWith('');
  assert.deepEqual(reasonsOf(empty), [{ kind: 'nothingFree', total: {} }]);
});

test('the reason is the agent’s GPUs, region, missing capability or the framework’s constraints', () => {
  const region = (name: string) => ({ fault_domain: { region: { name }, zone: { name: 'z' } } });
  const made = createOfferConstraints({
    role_constraints: {
      a: {
        groups: [{ attribute_constraints: [{ selector: { attribute_name: 'rack' }, predicate: { exists: {} } }] }],
      },
    },
  });
  assert.ok(made.ok);
  const cases: [total: string, info: Partial<AgentInfo>, capabilities: number, role: string, reasons: unknown[]][] = [
    ['cpus:1;gpus:1', {}, 3, 'b', [{ kind: 'gpuAgent' }]],
    ['cpus:1', { domain: region('away') }, 3, 'b', [{ kind: 'otherRegion', region: 'away' }]],
    ['cpus:1', {}, 0, 'b', [{ kind: 'agentCapability', capability: 'MULTI_ROLE' }]],
    ['cpus:1', {}, 1, 'b/c', [{ kind: 'agentCapability', capability: 'HIERARCHICAL_ROLE' }]],
    ['cpus:1', {}, 3, 'a', [{ kind: 'constraint', role: 'a' }]],
    [
      'cpus:1;gpus:1',
      { domain: region('away') },
      0,
      'a',
      [
        { kind: 'gpuAgent' },
        { kind: 'otherRegion', region: 'away' },
        { kind: 'agentCapability', capability: 'MULTI_ROLE' },
        { kind: 'constraint', role: 'a' },
      ],
    ],
  ];
  for (const [total, info, capabilities, role, reasons] of cases) {
    const cluster = testCluster({ domain: region('here') });
    cluster.allocator.addAgent(aid('A'), {
      info: { hostname: 'A', ...info },
      capabilities: AGENT_CAPABILITIES.slice(0, capabilities).map((type) => ({ type })),
      total: res(total),
      used: new Map(),
    });
    cluster.framework('f', [role], [], { offerConstraints: made.value });
    cluster.run();
    assert.deepEqual(reasonsOf(cluster), reasons, JSON.stringify(reasons));
  }
});

test('the reasons are the filters that cover what could be offered', () => {
  const cluster = testCluster();
  cluster.agent('A', 'cpus:4;mem:100');
  cluster.framework('f', ['a']);
  for (const [total, seconds] of [
    ['cpus:2;mem:50', 60],
    ['cpus:1;mem:100', 30],
  ] as const) {
    cluster.allocator.updateAgent(aid('A'), { total: res(total) });
    const [offer] = cluster.run();
    assert.ok(offer);
    cluster.decline(offer, seconds);
  }
  cluster.run();
  const small = { kind: 'filtered', role: 'a', untilMs: 60_000, refused: { cpus: 2, mem: 50 } };
  const large = { kind: 'filtered', role: 'a', untilMs: 30_000, refused: { cpus: 1, mem: 100 } };
  assert.deepEqual(reasonsOf(cluster), [large]);
  cluster.allocator.updateAgent(aid('A'), { total: res('cpus:1;mem:50') });
  assert.deepEqual(reasonsOf(cluster), [small, large]);
});

test('the reasons name free resources that are reserved to other roles or need a capability', () => {
  const total = [...res('cpus(b):2;mem(bb):3;mem(a):1'), revocableCpus, sharedVolume('a'), refinedMem];
  const withCapabilities = (...types: FrameworkInfoCapabilityType[]): unknown[] => {
    const cluster = testCluster();
    cluster.agent('A', total);
    const info: FrameworkInfo = { ...frameworkInfo(['a/b']), capabilities: types.map((type) => ({ type })) };
    cluster.allocator.addFramework(fid('f'), info, new Map(), true);
    cluster.run();
    return reasonsOf(cluster).filter(
      (reason) => !['tooSmall', 'share', 'nothingFree'].includes((reason as Reason).kind),
    );
  };
  const reserved = (to: string, withheld: Record<string, number>) => ({ kind: 'reserved', role: 'a/b', to, withheld });
  const lacking = (capability: string, withheld: Record<string, number>) => ({
    kind: 'frameworkCapability',
    capability,
    withheld,
  });
  const others = [reserved('b', { cpus: 2 }), reserved('bb', { mem: 3 })];
  assert.deepEqual(withCapabilities('MULTI_ROLE'), [
    ...others,
    lacking('SHARED_RESOURCES', { disk: 10 }),
    lacking('REVOCABLE_RESOURCES', { cpus: 4 }),
    lacking('RESERVATION_REFINEMENT', { mem: 7 }),
  ]);
  assert.deepEqual(withCapabilities('MULTI_ROLE', 'SHARED_RESOURCES', 'RESERVATION_REFINEMENT'), [
    ...others,
    lacking('REVOCABLE_RESOURCES', { cpus: 4 }),
  ]);
});

test('the reasons have the amounts that quota limits and headroom withhold', () => {
  const cluster = testCluster();
  const { allocator } = cluster;
  allocator.updateQuota('r', quotaOf({}, { cpus: 3, mem: 0 }));
  allocator.updateQuota('r/x', quotaOf({}, { cpus: 1 }));
  allocator.updateQuota('absent', quotaOf({ disk: 8 }));
  cluster.framework('f', ['r/x']);
  cluster.agent('A', 'cpus:4;mem:100;disk:10');
  cluster.run();
  const limit = (limited: string, limits: Record<string, number>, withheld: Record<string, number>) => ({
    kind: 'limit',
    role: 'r/x',
    limited,
    limits,
    consumed: { cpus: 1, disk: 2 },
    withheld,
  });
  assert.deepEqual(reasonsOf(cluster), [
    limit('r/x', { cpus: 1 }, { cpus: 3 }),
    limit('r', { cpus: 3, mem: 0 }, { cpus: 1, mem: 100 }),
    {
      kind: 'headroom',
      role: 'r/x',
      required: { disk: 8 },
      available: { cpus: 3, disk: 8, mem: 100 },
      withheld: { disk: 8 },
    },
    { kind: 'tooSmall', role: 'r/x', available: {}, minimum: [{ cpus: 0.01 }, { mem: 32 }] },
    {
      kind: 'share',
      role: 'r/x',
      share: 0.25,
      holders: [
        {
          frameworkId: 'f',
          role: 'r/x',
          share: 0.25,
          offeredOrAllocated: { cpus: 1, disk: 2 },
          offered: { cpus: 1, disk: 2 },
        },
      ],
    },
  ]);
  allocator.deactivateAgent(aid('A'));
  assert.deepEqual(
    kindsOf(reasonsOf(cluster)),
    ['agentDeactivated'],
    'quota does not count on an agent that is not offered',
  );
});

test('an explanation over all agents has one reason of each kind, limit and capability, with the number of agents', () => {
  const cluster = testCluster();
  const { allocator } = cluster;
  allocator.updateQuota('r', quotaOf({}, { cpus: 0 }));
  allocator.updateQuota('r/x', quotaOf({}, { mem: 0 }));
  cluster.framework('f', ['r/x']);
  for (const id of ['A', 'B', 'C'])
    cluster.agent(id, [...res('cpus:1;mem:10'), ...(id === 'C' ? [revocableCpus, sharedVolume('a')] : [])]);
  cluster.run();
  const summary = reasonsOf(cluster, EVERY_AGENT) as (Reason & { limited?: string; capability?: string })[];
  assert.deepEqual(
    summary.map(({ kind, limited, capability, agents }) => [kind, limited ?? capability, agents]).sort(),
    [
      ['frameworkCapability', 'REVOCABLE_RESOURCES', 1],
      ['limit', 'r', 3],
      ['limit', 'r/x', 3],
      ['reserved', undefined, 1],
      ['tooSmall', undefined, 3],
    ],
  );
});
