import assert from 'node:assert/strict';
import { test } from 'node:test';
import { quantitiesToRecord } from '@meseta/resources';
import type { FrameworkInfo } from '@meseta/wire';
import { isExcluded, minimumsOf, rolesOf } from './clients.js';
import type { OfferConstraints } from './constraints.js';
import { aid, fid, frameworkInfo, testCluster } from './testing/cluster.js';
import { testState } from './testing/state.js';

const base = { user: 'u', name: 'n' };

test('a framework subscribes to `roles` with MULTI_ROLE, else to `role`', () => {
  const multiRole = { capabilities: [{ type: 'MULTI_ROLE' as const }] };
  const cases: [FrameworkInfo, string[]][] = [
    [base, ['*']],
    [{ ...base, capabilities: [] }, ['*']],
    [{ ...base, role: 'a', roles: ['b'] }, ['a']],
    [{ ...base, ...multiRole, role: 'a', roles: ['b', 'c'] }, ['b', 'c']],
    [{ ...base, ...multiRole }, []],
  ];
  for (const [info, roles] of cases) assert.deepEqual([...rolesOf(info)], roles, JSON.stringify(info));
});

test('only an offer filter with minimums replaces the master’s minimum', () => {
  const minimums = minimumsOf({
    ...base,
    offer_filters: {
      none: {},
      any: { min_allocatable_resources: {} },
      empty: { min_allocatable_resources: { quantities: [{}] } },
      two: { min_allocatable_resources: { quantities: [{ quantities: { cpus: { value: 2 } } }, { quantities: {} }] } },
    },
  });
  const records = [...minimums].map(([role, sets]) => [role, sets.map(quantitiesToRecord)]);
  assert.deepEqual(records, [
    ['any', []],
    ['empty', [{}]],
    ['two', [{ cpus: 2 }, {}]],
  ]);
  assert.deepEqual([...minimumsOf(base)], []);
});

/** Constraints that exclude each agent whose host name begins with an x, and the host names that they evaluated. */
function countingConstraints(): { readonly constraints: OfferConstraints; readonly evaluated: string[] } {
  const evaluated: string[] = [];
  const constraints: OfferConstraints = {
    source: {},
    excludes(role, { hostname }) {
      evaluated.push(`${role} ${hostname}`);
      return hostname.startsWith('x');
    },
  };
  return { constraints, evaluated };
}

test('offer constraints are evaluated once for each agent', () => {
  const { constraints, evaluated } = countingConstraints();
  const { agent, framework, client } = testState();
  framework('f', ['a'], [], { offerConstraints: constraints });
  const own = client('f', 'a');
  const agents = Array.from({ length: 65 }, (_, i) => agent(i % 2 ? `x${i}` : `y${i}`, 'cpus:1'));
  for (const index of [3, 0, 3, 63, 64, 3, 64]) {
    assert.equal(isExcluded(own, agents[index] as (typeof agents)[0]), index % 2 === 1);
    assert.equal(own.exclusions?.length, index === 64 || evaluated.includes('a y64') ? 130 : 64);
  }
  assert.deepEqual(evaluated, ['a x3', 'a y0', 'a x63', 'a y64']);
});

test('offer constraints are evaluated again for an agent with other attributes, and for an agent with a reused index', () => {
  const { constraints } = countingConstraints();
  const cluster = testCluster();
  const { allocator } = cluster;
  cluster.framework('f', ['a'], [], { offerConstraints: constraints });
  const offered = (): string[] => cluster.run().map(({ agentId }) => agentId);
  cluster.agent('A', 'cpus:1', { hostname: 'x' });
  assert.deepEqual(offered(), []);
  allocator.updateAgent(aid('A'), { info: { hostname: 'y' } });
  assert.deepEqual(offered(), ['A']);
  allocator.removeAgent(aid('A'));
  cluster.agent('B', 'cpus:1', { hostname: 'x' });
  assert.deepEqual(offered(), []);
  assert.deepEqual(allocator.excludedAgents(fid('f'), 'a'), ['B']);
  assert.deepEqual(allocator.excludedAgents(fid('f'), 'unknown'), []);
});

test('a client exists while its framework subscribes to the role or has an allocation in it', () => {
  const cluster = testCluster();
  const { allocator } = cluster;
  cluster.agent('A', 'cpus:1');
  cluster.framework('f', ['a', 'b']);
  const [offer] = cluster.run();
  assert.ok(offer);
  const other = offer.role === 'a' ? 'b' : 'a';
  allocator.updateFramework(fid('f'), frameworkInfo(['c']));
  const rolesInUse = () => allocator.roles().map(({ role }) => role);
  assert.deepEqual(rolesInUse(), [offer.role, 'c']);
  assert.equal(allocator.roleUsage(other).frameworks.length, 0);
  assert.equal(allocator.totals().clients, 2);
  cluster.returnOffer(offer);
  assert.deepEqual(rolesInUse(), ['c']);
  allocator.removeFramework(fid('f'));
  assert.deepEqual([rolesInUse(), allocator.totals().clients], [[], 0]);
});
