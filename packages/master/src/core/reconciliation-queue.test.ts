import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LIMITS, present, type TaskId } from '@meseta/base';
import type { Context } from './context.js';
import { enqueueReconciliation, hasTooManyReconciliations, ITEMS_PER_STEP } from './reconciliation-queue.js';
import { createWorld } from './testing.js';

const { most } = LIMITS.waitingReconciliations;

/** Two frameworks whose reconciliations wait. */
function stage() {
  const world = createWorld();
  const { state } = world.master;
  const ctx: Context = { state, now: world.now(), effects: [] };
  const frameworkOf = ({ id }: { id: string }) =>
    present(
      [...state.frameworks.values()].find((framework) => framework.id === id),
      'the framework',
    );
  const [one, other] = [frameworkOf(world.subscribe()), frameworkOf(world.subscribe())];
  const items = (count: number): readonly TaskId[] => Array.from({ length: count }, (_, i) => `t${i}` as TaskId);
  const enqueue = (framework: typeof one, count: number, next = 0) =>
    enqueueReconciliation(ctx, framework, { kind: 'allTasks', items: items(count), next });
  return {
    state,
    one,
    other,
    enqueue,
    hasTooMany: (framework: typeof one) => hasTooManyReconciliations(ctx, framework),
  };
}

test('a framework has one job, with its calls in their order; a call without items is not kept', () => {
  const { state, one, other, enqueue } = stage();
  enqueue(one, 0);
  assert.equal(state.jobs.length, 0);
  enqueue(one, 1);
  enqueue(other, 2);
  enqueue(one, 3);
  const kept = state.jobs.map(
    (job) => job.kind === 'reconcile' && [job.frameworkId, job.calls.map((c) => c.items.length)],
  );
  assert.deepEqual(kept, [
    [one.id, [1, 3]],
    [other.id, [2]],
  ]);
});

test('the items that wait are limited by framework', () => {
  const { one, other, enqueue, hasTooMany } = stage();
  enqueue(one, most);
  assert.equal(hasTooMany(one), false, 'as many as are allowed');
  enqueue(one, 1);
  assert.deepEqual([hasTooMany(one), hasTooMany(other)], [true, false]);
});

test('items that are answered do not count; a short call counts as a step', () => {
  const { one, other, enqueue, hasTooMany } = stage();
  enqueue(one, most + ITEMS_PER_STEP, ITEMS_PER_STEP);
  assert.equal(hasTooMany(one), false);
  for (let calls = 0; calls < Math.floor(most / ITEMS_PER_STEP); calls++) enqueue(other, 1);
  assert.equal(hasTooMany(other), false);
  enqueue(other, 1);
  assert.equal(hasTooMany(other), true);
});
