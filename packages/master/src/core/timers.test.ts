import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { FrameworkId } from '@meseta/base';
import { setTimer } from '@meseta/base/core/timers';
import { createWorld } from './testing.js';
import { handleDueTimers } from './timers.js';

test('a step handles a bounded number of due timers, and the next step the others', () => {
  const world = createWorld();
  const { state } = world.master;
  const ctx = { state, now: world.now(), effects: [] };
  for (let i = 0; i < 2_500; i++) setTimer(ctx, { kind: 'failover', frameworkId: `F${i}` as FrameworkId }, 0);
  const due = (): number => [...state.timers.byKey.values()].filter(({ kind }) => kind === 'failover').length;
  const counts = [due()];
  for (let step = 0; step < 3; step++) {
    assert.equal(handleDueTimers(ctx), true);
    counts.push(due());
  }
  assert.deepEqual(counts, [2_500, 1_500, 500, 0]);
  assert.equal(handleDueTimers(ctx), false, 'no timer is due');
});
