import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { FrameworkPlan } from '../schedulers/framework-plan.js';
import { type Fault, type Plan, planOf } from './plan.js';
import { simulate } from './simulation.js';

const QUIET_NETWORK = { meanDelayMs: 1, breakChance: 0, stallChance: 0, repeatChance: 0, unacknowledgedMs: 20_000 };

function planWith(frameworks: readonly FrameworkPlan[], faults: readonly Fault[]): Plan {
  const numbered = <T>(items: readonly T[]): ReadonlyMap<number, T> =>
    new Map(items.map((item, index) => [index, item]));
  return {
    ...planOf(1),
    network: QUIET_NETWORK,
    masters: 1,
    masterRates: [1],
    agents: numbered([{ size: { cpus: 8, mem: 4096, disk: 8192 }, rate: 1 }]),
    frameworks: numbered(frameworks),
    faults: numbered(faults),
  };
}

test('a framework that was removed while its agent was down is torn down when the agent brings it back', () => {
  const failsOver: FrameworkPlan = {
    kind: 'failover',
    role: 'red',
    partitionAware: true,
    checkpoint: true,
    failoverTimeoutMs: 0,
    alive: 4,
    total: 8,
    longestTaskMs: 60_000,
    launches: 'commands',
    curious: false,
    speaks: 'http',
  };
  const { restMs, stormMs } = planOf(1);
  const faults: readonly Fault[] = [
    // Back after the operator's first look, which is at half of the rest.
    { atMs: 20_000, kind: 'killAgent', agent: 0, downMs: stormMs + restMs * 0.7, atWrite: false },
    { atMs: stormMs - 1, kind: 'killMaster', master: 0, downMs: 5_000, atWrite: false },
  ];
  const { failure, counts } = simulate(planWith([failsOver], faults));
  assert.deepEqual(failure?.story ?? [], []);
  assert.equal(failure, undefined);
  assert.equal(counts.get('recovered frameworks torn down'), 1);
});
