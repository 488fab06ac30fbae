import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import { type Plan, planOf } from './plan.js';
import { replayCommand, select } from './selection.js';
import { shrink } from './shrink.js';
import { simulate } from './simulation.js';

function fingerprint(plan: Plan): string {
  const hash = createHash('sha256');
  simulate(plan, { onLine: (line) => hash.update(line) });
  return hash.digest('hex');
}

test('a seed reproduces its run to the last line, as objects and as bytes', () => {
  for (const seed of [9, 20]) assert.equal(fingerprint(planOf(seed)), fingerprint(planOf(seed)), `seed ${seed}`);
});

test('a selection keeps the selected parts unchanged', () => {
  const plan = planOf(9);
  const [first] = plan.faults.keys();
  const part = select(plan, { faults: new Set([first ?? 0]), agents: new Set([0]) });
  assert.deepEqual([...part.faults.values()], [plan.faults.get(first ?? 0)]);
  assert.deepEqual([...part.agents.values()], [plan.agents.get(0)]);
  assert.equal(part.frameworks.size, plan.frameworks.size);
  assert.equal(
    replayCommand(9, { faults: new Set(), agents: new Set([0, 2]) }),
    'meseta sim --seed=9 --faults=none --agents=0,2 --log',
  );
});

test('the shrinker removes the parts that the failure does not need', () => {
  // The last fault lasts longer than the recovery phase, so it alone breaks the invariant.
  const base = planOf(9);
  const faults = new Map([...base.faults].map(([index, fault]) => [index, fault]));
  const last = faults.size;
  faults.set(last, {
    atMs: base.faultPhaseMs - 1,
    kind: 'killAgent',
    agent: 0,
    downMs: base.recoveryPhaseMs * 2,
    atWrite: false,
  });
  const plan = { ...base, faults };
  const { failure } = simulate(plan);
  assert.equal(failure?.invariant, 'all agents and schedulers are connected');
  const { selection } = shrink(plan, 'all agents and schedulers are connected');
  assert.deepEqual([...(selection.faults ?? [])], [last]);
  assert.deepEqual([...(selection.agents ?? [])], [0]);
  assert.deepEqual([...(selection.frameworks ?? [])], []);
});
