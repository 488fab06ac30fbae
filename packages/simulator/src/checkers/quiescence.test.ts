import assert from 'node:assert/strict';
import { test } from 'node:test';
import { simulate } from '../run/simulation.js';
import { frameworkPlan, planWith } from '../run/testing.js';

test('prunedRecently: a framework has two minutes to learn that the registry has pruned the agent of its tasks', () => {
  const killedAtMs = 60_000;
  const reregisterTimeoutMs = 60_000;
  const keeper = frameworkPlan({ kind: 'keeper', longestTaskMs: 200_000, total: 60 });
  const plan = planWith(
    [keeper],
    [
      // No master receives that the agent unregisters: the next one waits for it, then marks it unreachable.
      { atMs: killedAtMs, kind: 'killMaster', master: 0, downMs: 5_000, atWrite: false },
      { atMs: killedAtMs + 1_000, kind: 'leave', agent: 0 },
    ],
  );
  const endMs = plan.faultPhaseMs + plan.recoveryPhaseMs;
  const unreachableAtMs = killedAtMs + 6_000 + reregisterTimeoutMs;
  for (const [prunedBeforeEndMs, allowed] of [
    [60_000, 4],
    [400_000, undefined],
  ] as const) {
    const registryMaxAgentAgeMs = endMs - prunedBeforeEndMs - unreachableAtMs;
    const { failure, counts } = simulate({
      ...plan,
      reregisterTimeoutMs,
      registryMaxAgentAgeMs,
      registryGcIntervalMs: 10_000,
    });
    assert.equal(failure, undefined);
    assert.equal(counts.get('tasks of recently pruned agents'), allowed);
  }
});
