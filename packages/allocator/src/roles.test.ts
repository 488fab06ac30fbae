import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { activateFramework, deactivateFramework, frameworkOf } from './frameworks.js';
import { allocatedBundleOf, countOffer, setQuota } from './roles.js';
import { run } from './run.js';
import type { Role, State } from './state.js';
import { fid, quotaOf, res, testCluster } from './testing/cluster.js';
import { testState } from './testing/state.js';

test('a role’s path leads from the top level to its own clients', () => {
  const { framework, role } = testState();
  framework('f', ['a/b/c', 'a']);
  assert.deepEqual(
    role('a/b/c').path.map(({ name }) => name),
    ['a', 'a/b', 'a/b/c', 'a/b/c/.'],
  );
  assert.deepEqual(
    role('a').path.map(({ name }) => name),
    ['a', 'a/.'],
  );
  assert.equal(role('a/b/c').parent, role('a/b'));
  assert.equal(role('a').parent, undefined);
});

/** The names in every sort group, by the role that it lies under. */
function groupsOf({ rootGroup, roles }: State): Record<string, string[]> {
  const namesIn = (group: Role['group']) => group.entries.map(({ name }) => name).sort();
  const groups: Record<string, string[]> = { '': namesIn(rootGroup) };
  const pending = [...roles.topLevel];
  for (let node = pending.pop(); node !== undefined; node = pending.pop()) {
    groups[node.role] = namesIn(node.value.group);
    groups[`${node.role}/.`] = node.value.clients.entries.map(({ name }) => name).sort();
    pending.push(...node.children);
  }
  return groups;
}

test('sort groups have the active clients, and the roles with active clients in their subtree', () => {
  const rolesOf = { f: ['a', 'a/b'], g: ['a', 'c'], h: ['a/b/c'] } as const;
  const ids = ['f', 'g', 'h'] as const;
  fc.assert(
    fc.property(fc.array(fc.record({ id: fc.constantFrom(...ids), isActive: fc.boolean() })), (changes) => {
      const { state, framework } = testState();
      for (const id of ids) framework(id, rolesOf[id]);
      const active = new Set<string>(ids);
      for (const { id, isActive } of changes) {
        const changed = frameworkOf(state, fid(id));
        if (isActive) activateFramework(state, changed);
        else deactivateFramework(state, changed);
        if (isActive) active.add(id);
        else active.delete(id);
      }
      const [f, g, h] = ids.map((id) => active.has(id));
      const has = (...entries: (string | false | undefined)[]) => entries.filter((entry) => entry);
      assert.deepEqual(groupsOf(state), {
        '': has((f || g || h) && 'a', g && 'c'),
        a: has((f || g) && 'a/.', (f || h) && 'a/b'),
        'a/.': has(f && 'f', g && 'g'),
        'a/b': has(f && 'a/b/.', h && 'a/b/c'),
        'a/b/.': has(f && 'f'),
        'a/b/c': has(h && 'a/b/c/.'),
        'a/b/c/.': has(h && 'h'),
        c: has(g && 'c/.'),
        'c/.': has(g && 'g'),
      });
    }),
    { numRuns: 40, seed: 3 },
  );
});

test('an offer counts for its client and for every role above it', () => {
  const { state, framework, client, role } = testState();
  framework('f', ['a/b', 'a']);
  countOffer(state, client('f', 'a/b'));
  countOffer(state, client('f', 'a/b'));
  countOffer(state, client('f', 'a'));
  assert.deepEqual([client('f', 'a/b').entry.offers, client('f', 'a').entry.offers], [2, 1]);
  assert.deepEqual([role('a/b').own.offers, role('a/b').subtree.offers], [2, 2]);
  assert.deepEqual([role('a').own.offers, role('a').subtree.offers], [1, 3]);
});

test('of equal shares and offers, a role’s own clients are ordered among its child roles by the name of the role and "/."', () => {
  for (const [child, first] of [
    ['a/!', 'child'],
    ['a/b', 'own'],
  ] as const) {
    const cluster = testCluster();
    cluster.framework('own', ['a']);
    cluster.framework('child', [child]);
    cluster.agent('A', 'cpus:1');
    assert.deepEqual(
      cluster.run().map(({ frameworkId }) => frameworkId),
      [first],
      child,
    );
  }
});

test('ALLOCATOR-3: `required` is the sum of the unmet guarantees, after each change of a quota', () => {
  const { state, framework, agent } = testState();
  framework('f', ['a']);
  agent('A', 'cpus:1;mem:10;cpus(a):2');
  const requiredAfter = (role: string, guarantees: Record<string, number>): number[] => {
    setQuota(state, role, quotaOf(guarantees));
    return state.required;
  };
  const [cpus, mem] = ['cpus', 'mem'].map((name) => state.dimensions.indexOf(name)) as [number, number];
  const vectorOf = (ofCpus: number, ofMem: number): number[] => {
    const vector = Array(Math.max(cpus, mem) + 1).fill(0);
    vector[cpus] = ofCpus;
    vector[mem] = ofMem;
    return vector;
  };
  assert.deepEqual(requiredAfter('a', { cpus: 5, mem: 7 }), vectorOf(3000, 7000));
  assert.deepEqual(requiredAfter('b', { cpus: 1, mem: 1 }), vectorOf(4000, 8000));
  assert.deepEqual(requiredAfter('a', { cpus: 1 }), vectorOf(1000, 1000));
  assert.deepEqual(requiredAfter('b', {}), vectorOf(0, 0));
});

test('a role without guarantees or limits has none of zero, and a quota that was unset is removed after the next run', () => {
  const { state, role } = testState();
  setQuota(state, 'a', quotaOf({}));
  assert.equal(state.roles.get('a'), undefined);
  setQuota(state, 'a', quotaOf({}, { cpus: 1, mem: 2 }));
  const limits = Array(2).fill(Number.POSITIVE_INFINITY);
  limits[state.dimensions.indexOf('cpus')] = 1000;
  limits[state.dimensions.indexOf('mem')] = 2000;
  assert.deepEqual([role('a').guarantees, role('a').limits], [undefined, limits]);
  setQuota(state, 'a', quotaOf({ cpus: 1 }));
  assert.deepEqual(role('a').limits, undefined);
  run(state, 0);
  assert.ok(state.quotaRoles.has(role('a')));
  setQuota(state, 'a', quotaOf({}));
  assert.deepEqual([role('a').quota, role('a').guarantees, role('a').limits], [undefined, undefined, undefined]);
  run(state, 0);
  assert.deepEqual([state.quotaRoles.size, state.roles.get('a')], [0, undefined]);
});

test('a role caches a limited number of allocated bundles', () => {
  const { state, framework, role } = testState();
  framework('f', ['a']);
  const bundles = Array.from({ length: 66 }, (_, i) => state.table.intern(res(`cpus:${i + 1}`)));
  for (const [i, bundle] of bundles.entries()) {
    const allocated = allocatedBundleOf(role('a'), bundle);
    assert.ok(allocated.resources.every(({ allocation_info }) => allocation_info?.role === 'a'));
    assert.equal(role('a').allocatedBundles.size, i < 64 ? i + 1 : i - 63, `after ${i + 1} bundles`);
  }
  assert.equal(
    allocatedBundleOf(role('a'), bundles[65] as never),
    role('a').allocatedBundles.get(bundles[65] as never),
  );
});
