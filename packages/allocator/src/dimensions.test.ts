import assert from 'node:assert/strict';
import { test } from 'node:test';
import { seededRandom } from '@meseta/base';
import { allocate, quantitiesFrom, quantitiesToRecord } from '@meseta/resources';
import { addAgent, addUsed, agentOf, removeAgent, updateAgent } from './agents.js';
import { createState } from './allocator.js';
import { createDimensions, freeUnusedDimensions } from './dimensions.js';
import { setQuota } from './roles.js';
import { aid, fid, quotaOf, res, testCluster } from './testing/cluster.js';
import { testState } from './testing/state.js';

/** `count` resources whose names begin with the prefix. */
const manyNames = (prefix: string, count: number): string =>
  Array.from({ length: count }, (_, i) => `${prefix}${i}:1`).join(';');

const agentWith = (total: string) => ({
  info: { hostname: 'h' },
  capabilities: [],
  total: res(total),
  used: new Map([[fid('unknown'), allocate(res('used:1'), 'r')]]),
});

test('a vector has the amounts of quantities at the indices of their names, and back', () => {
  const dimensions = createDimensions();
  assert.deepEqual([dimensions.indexOf('b'), dimensions.indexOf('a'), dimensions.indexOf('b')], [0, 1, 0]);
  assert.deepEqual(dimensions.vectorOf(quantitiesFrom({ c: 3, a: 1 })), [0, 1000, 3000]);
  assert.deepEqual(quantitiesToRecord(dimensions.quantitiesOf([2000, 1000, 0])), { a: 1, b: 2 });
  assert.deepEqual(dimensions.quantitiesOf([Number.POSITIVE_INFINITY, 0, -1]).names, []);
});

test('a freed index is given again, the lowest first', () => {
  const dimensions = createDimensions();
  for (const name of ['a', 'b', 'c', 'd', 'e']) dimensions.indexOf(name);
  dimensions.keepOnly(new Set(['c', 'never seen']));
  assert.deepEqual(dimensions.names, [undefined, undefined, 'c']);
  assert.equal(dimensions.count, 1);
  assert.deepEqual(
    ['f', 'c', 'g', 'h'].map((name) => dimensions.indexOf(name)),
    [0, 2, 1, 3],
  );
  assert.deepEqual(quantitiesToRecord(dimensions.quantitiesOf([1000, 2000])), { f: 1, g: 2 });
  dimensions.keepOnly(new Set());
  assert.deepEqual([dimensions.names, dimensions.count], [[], 0]);
});

test('DIMENSIONS-1, DIMENSIONS-2: names in use keep their indices, however many others come and go', () => {
  const state = createState({ fairSharingExcludedResourceNames: ['excluded'] }, seededRandom(1));
  setQuota(state, 'q', quotaOf({ guaranteed: 1 }, { limited: 2 }));
  // Until the next run the role without a quota is one of the roles with quota.
  setQuota(state, 'removed', quotaOf({ forgotten: 1 }));
  setQuota(state, 'removed', quotaOf({}));
  addAgent(state, aid('A'), agentWith('cpus:1;mem:2'));
  const kept = ['excluded', 'guaranteed', 'limited', 'cpus', 'mem'];
  const indices = kept.map((name) => state.dimensions.indexOf(name));
  for (let round = 0; round < 50; round++) {
    updateAgent(state, agentOf(state, aid('A')), { total: res(`cpus:1;mem:2;${manyNames(`r${round}-`, 30)}`) });
    const inUse = kept.length + 30;
    assert.ok(state.dimensions.count <= 2 * inUse + 64, `${state.dimensions.count} dimensions in round ${round}`);
  }
  assert.deepEqual(
    indices.map((index) => state.dimensions.names[index]),
    kept,
  );
  assert.ok(!state.dimensions.names.includes('forgotten'));
});

test('DIMENSIONS-2: names are freed beyond twice the names in use and 64 more, not before', () => {
  for (const [count, freed] of [
    [70, false],
    [71, true],
  ] as const) {
    const state = createState({}, seededRandom(1));
    state.dimensionsInUse = 3;
    for (let i = 0; i < count; i++) state.dimensions.indexOf(`n${i}`);
    freeUnusedDimensions(state);
    assert.equal(state.dimensions.count, freed ? 0 : count, `${count} names`);
  }
});

test('after names were freed the amounts of roles and clients have no freed names', () => {
  const { state, framework, agent, client, role } = testState();
  framework('f', ['a/b']);
  framework('g', ['idle']);
  addUsed(state, agent('A', manyNames('n', 70)), fid('f'), allocate(res(manyNames('n', 70)), 'a/b'));
  agent('B', 'cpus:1');
  removeAgent(state, agentOf(state, aid('A')));
  const roles = [role('a'), role('a/b')];
  for (const it of roles) {
    it.lastRoom = [...it.consumed];
    it.lastUnmet = [...it.consumed];
  }
  const vectors = () => [
    ...roles.flatMap((it) => [it.consumedOrOffered, it.consumed, it.subtree.allocation, it.lastRoom, it.lastUnmet]),
    role('a/b').own.allocation,
    client('f', 'a/b').entry.allocation,
  ];
  assert.deepEqual(new Set(vectors().map(({ length }) => length)), new Set([70]));
  state.dimensionsInUse = 1;
  freeUnusedDimensions(state);
  // cpus came after the other names, of which the freed ones keep their indices before it.
  assert.deepEqual(
    new Set(vectors().map((vector) => vector.length)),
    new Set([Math.min(70, state.dimensions.names.length)]),
  );
  assert.deepEqual(client('g', 'idle').entry.allocation, [], 'shorter vectors stay as they are');
});

test('after names were freed no vector is longer than the names, and freed indices are zero', () => {
  const state = createState({}, seededRandom(1));
  addAgent(state, aid('A'), agentWith(manyNames('a', 70)));
  addAgent(state, aid('B'), agentWith('cpus:1'));
  addAgent(state, aid('C'), agentWith(manyNames('c', 70)));
  for (const id of ['A', 'C']) removeAgent(state, agentOf(state, aid(id)));
  // What the last run remembered of a name is not that of the next one at its index.
  state.lastSurplus = Array.from({ length: 200 }, () => 7);
  state.dimensionsInUse = 1;
  freeUnusedDimensions(state);
  assert.deepEqual([state.dimensions.count, state.dimensionsInUse], [1, 1]);
  const cpus = state.dimensions.indexOf('cpus');
  const vector = [...Array(cpus).fill(0), 1000];
  assert.deepEqual(state.cluster.total, vector);
  assert.deepEqual(state.available, vector);
  assert.deepEqual(state.lastSurplus, [...Array(cpus).fill(0), 7]);
  assert.equal(state.dimensions.names.length, cpus + 1);
});

test('DIMENSIONS-1: offers, shares and quota stay right while names come and go', () => {
  const cluster = testCluster({ minAllocatableResources: [] });
  const { allocator } = cluster;
  allocator.updateQuota('a', quotaOf({ cpus: 1 }, { cpus: 2, kept0: 1 }));
  cluster.framework('f', ['a']);
  cluster.framework('g', ['b']);
  cluster.agent('first', `cpus:4;mem:100;${manyNames('kept', 3)}`);
  for (let round = 0; round < 12; round++) {
    cluster.agent(`A${round}`, `cpus:1;mem:10;${manyNames(`r${round}-`, 40)}`);
    for (const offer of cluster.run(2000)) {
      if (round % 3 === 0 && cluster.fits(offer, 'cpus:0.5')) cluster.accept(offer, 'cpus:0.5');
      else cluster.decline(offer, 1);
    }
    if (round >= 2) allocator.removeAgent(aid(`A${round - 2}`));
    assert.equal(Object.keys(quantitiesToRecord(allocator.totals().total)).length, 5 + 40 * Math.min(2, round + 1));
  }
});
