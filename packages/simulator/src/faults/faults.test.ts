import assert from 'node:assert/strict';
import { test } from 'node:test';
import { seededRandom } from '@meseta/base';
import { planOf } from '../run/plan.js';
import { simulate } from '../run/simulation.js';
import { frameworkPlan, planWith } from '../run/testing.js';
import { killAgent } from './agent-crashes.js';
import { agentLeaves } from './agent-leaves.js';
import { type Fault, faultsOf } from './all.js';
import { drawDownMs, drawDurationMs } from './fault.js';
import { slowDisk } from './slow-disk.js';

const SHAPE = { agents: 5, frameworks: 3, masters: 2, faultPhaseMs: 180_000 };

test('FAULT-KINDS-1: the faults of one kind are the same with and without the others', () => {
  for (let seed = 1; seed <= 50; seed++) {
    const all = faultsOf(seed, SHAPE);
    const few = faultsOf(seed, SHAPE, [killAgent, slowDisk, agentLeaves]);
    const kinds = ['killAgent', 'slowDisk', 'leave'];
    assert.deepEqual(
      all.filter(({ kind }) => kinds.includes(kind)),
      few,
    );
  }
});

test('a pause, a slow disk or a crash lasts ten minutes at most', () => {
  const random = seededRandom(1);
  for (let draw = 0; draw < 20_000; draw++) {
    assert(drawDurationMs(random) <= 600_000);
    assert(drawDownMs(random) <= 600_000);
  }
});

test('faults are injected in the order of their times, within the fault phase, and their targets exist', () => {
  for (let seed = 1; seed <= 200; seed++) {
    const faults = faultsOf(seed, SHAPE);
    const timesMs = faults.map(({ atMs }) => atMs);
    assert.deepEqual(
      timesMs,
      timesMs.toSorted((a, b) => a - b),
    );
    for (const fault of faults) {
      assert(fault.atMs >= 1_000 && fault.atMs <= SHAPE.faultPhaseMs);
      if ('agent' in fault) assert(fault.agent < SHAPE.agents);
      if ('master' in fault) assert(fault.master < SHAPE.masters);
    }
  }
});

test('some seeds have no fault, and some have many', () => {
  const counts = Array.from({ length: 300 }, (_, seed) => faultsOf(seed, SHAPE).length);
  assert(counts.filter((count) => count === 0).length >= 15);
  assert(counts.filter((count) => count >= 25).length >= 15);
});

test('a framework that was removed while its agent was down is torn down when the agent re-registers it', () => {
  const { recoveryPhaseMs, faultPhaseMs } = planOf(1);
  const faults: readonly Fault[] = [
    // It is up again after the operator's first check, which is at half of the recovery phase.
    { atMs: 20_000, kind: 'killAgent', agent: 0, downMs: faultPhaseMs + recoveryPhaseMs * 0.7, atWrite: false },
    { atMs: faultPhaseMs - 1, kind: 'killMaster', master: 0, downMs: 5_000, atWrite: false },
  ];
  const { failure, counts } = simulate(planWith([frameworkPlan({ kind: 'failover', failoverTimeoutMs: 0 })], faults));
  assert.equal(failure, undefined);
  assert.equal(counts.get('recovered frameworks torn down'), 1);
});

test('a machine that a paused master takes down long after the fault phase is brought up again', () => {
  const { faultPhaseMs } = planOf(1);
  const faults: readonly Fault[] = [
    { atMs: faultPhaseMs - 80_000, kind: 'pauseMaster', master: 0, ms: 600_000 },
    { atMs: faultPhaseMs - 20_000, kind: 'operator', action: { kind: 'takeDown', agent: 0 } },
  ];
  const { failure } = simulate(planWith([], faults));
  assert.equal(failure, undefined);
});

test('an agent that is drained and deactivated at once is deactivated by one write', () => {
  const faults: readonly Fault[] = [
    { atMs: 60_000, kind: 'pauseMaster', master: 0, ms: 20_000 },
    { atMs: 61_000, kind: 'operator', action: { kind: 'drain', agent: 0, markGone: true } },
    { atMs: 62_000, kind: 'operator', action: { kind: 'deactivate', agent: 0 } },
  ];
  const { failure } = simulate(planWith([], faults));
  assert.equal(failure, undefined);
});
