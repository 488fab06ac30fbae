import assert from 'node:assert/strict';
import { test } from 'node:test';
import { seededRandom } from '@meseta/base';
import { planFaults } from './plan.js';

const plan = (seed: number, canCut = true, hasServerFaults = true) =>
  planFaults(seededRandom(seed), seededRandom(seed + 1), { totalMs: 600_000, canCut, hasServerFaults });

test('a seed has one plan, and another seed another one', () => {
  assert.deepEqual(plan(1), plan(1));
  assert.notDeepEqual(plan(1), plan(2));
});

test('a plan begins at the leader, has every fault and every target, and one fault at a time', () => {
  for (const seed of [1, 2, 3]) {
    const faults = plan(seed);
    assert.equal(faults[0]?.target.role, 'leader');
    assert.deepEqual(new Set(faults.map(({ kind }) => kind)), new Set(['kill', 'pause', 'cut']));
    assert.deepEqual(
      new Set(faults.map(({ target }) => target.role)),
      new Set(['leader', 'follower', 'agent', 'server']),
    );
    for (const [n, { atMs }] of faults.entries()) {
      const before = faults[n - 1];
      if (before !== undefined) assert.ok(atMs >= before.atMs + before.durationMs + 3000);
    }
  }
  assert.ok(plan(1, false).every(({ kind }) => kind !== 'cut'));
});

test('a seed has the same faults at the same times with faults of servers and without, but for some targets', () => {
  const [with_, without] = [plan(1), plan(1, true, false)];
  assert.ok(without.every(({ target }) => target.role !== 'server'));
  const timesOf = (faults: typeof without) => faults.map(({ atMs, kind, durationMs }) => [atMs, kind, durationMs]);
  assert.deepEqual(timesOf(with_), timesOf(without));
  for (const [n, { target }] of with_.entries()) {
    if (target.role !== 'server') assert.deepEqual(target, without[n]?.target);
    else assert.notEqual(without[n]?.target.role, 'leader');
  }
});
