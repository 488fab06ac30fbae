import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Fault, planOf } from './plan.js';
import { simulate } from './simulation.js';
import { frameworkPlan, planWith } from './testing.js';

test('a framework that was removed while its agent was down is torn down when the agent brings it back', () => {
  const { restMs, stormMs } = planOf(1);
  const faults: readonly Fault[] = [
    // Back after the operator's first look, which is at half of the rest.
    { atMs: 20_000, kind: 'killAgent', agent: 0, downMs: stormMs + restMs * 0.7, atWrite: false },
    { atMs: stormMs - 1, kind: 'killMaster', master: 0, downMs: 5_000, atWrite: false },
  ];
  const { failure, counts } = simulate(planWith([frameworkPlan({ kind: 'failover', failoverTimeoutMs: 0 })], faults));
  assert.deepEqual(failure?.story ?? [], []);
  assert.equal(failure, undefined);
  assert.equal(counts.get('recovered frameworks torn down'), 1);
});
