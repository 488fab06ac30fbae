import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Demand } from '../cgroups/demand.js';
import { cpuSettings, cpuUsage } from './cgroups-cpu.js';

const demand = (cpus: number, cpusLimit?: number, hasRevocableCpus = false): Demand => ({
  cpus,
  memoryBytes: 0,
  hasRevocableCpus,
  gpus: 0,
  cpusLimit,
  memoryLimitBytes: undefined,
});
const flags = { enableCfs: false, lowPriorityOfRevocableCpus: true };
const withCfs = { ...flags, enableCfs: true };
const shown = (settings: ReturnType<typeof cpuSettings>): string =>
  settings.map(([controller, file, value]) => `${controller} ${file} ${value}`).join('; ');

// Shares, period, quota and minima as Mesos writes them; version 2 has the same proportions.
const period = 'cpu cpu.cfs_period_us 100000';
const table: readonly [rule: string, Demand, typeof flags, version1: string, version2: string][] = [
  ['1024 shares a processor, rounded down', demand(0.6), flags, 'cpu cpu.shares 614', 'cpu cpu.weight 60'],
  ['at least 2 shares', demand(0.001), flags, 'cpu cpu.shares 2', 'cpu cpu.weight 1'],
  ['nothing without a request', demand(0), withCfs, '', ''],
  ['at most the largest weight', demand(500), flags, 'cpu cpu.shares 512000', 'cpu cpu.weight 10000'],
  ['10 shares a revocable processor', demand(2, undefined, true), flags, 'cpu cpu.shares 20', 'cpu cpu.weight 2'],
  [
    'revocable ones as others without --revocable_cpu_low_priority',
    demand(2, undefined, true),
    { ...flags, lowPriorityOfRevocableCpus: false },
    'cpu cpu.shares 2048',
    'cpu cpu.weight 200',
  ],
  [
    'a quota of the request with --cgroups_enable_cfs',
    demand(0.6),
    withCfs,
    `cpu cpu.shares 614; ${period}; cpu cpu.cfs_quota_us 60000`,
    'cpu cpu.weight 60; cpu cpu.max 60000 100000',
  ],
  [
    'at least 1 ms of quota',
    demand(0.001),
    withCfs,
    `cpu cpu.shares 2; ${period}; cpu cpu.cfs_quota_us 1000`,
    'cpu cpu.weight 1; cpu cpu.max 1000 100000',
  ],
  [
    'the limit as quota, also without the flag',
    demand(0.6, 1.6),
    flags,
    `cpu cpu.shares 614; ${period}; cpu cpu.cfs_quota_us 160000`,
    'cpu cpu.weight 60; cpu cpu.max 160000 100000',
  ],
  [
    'no quota with an infinite limit, also with the flag',
    demand(0.6, Infinity),
    withCfs,
    `cpu cpu.shares 614; ${period}; cpu cpu.cfs_quota_us -1`,
    'cpu cpu.weight 60; cpu cpu.max max 100000',
  ],
];

for (const [rule, wanted, options, version1, version2] of table) {
  test(`processor time: ${rule}`, () => {
    assert.equal(shown(cpuSettings(wanted, options, 1)), version1);
    assert.equal(shown(cpuSettings(wanted, options, 2)), version2);
  });
}

test('the times of version 1 are in ticks and nanoseconds, those of version 2 in microseconds', () => {
  const stat1 = 'nr_periods 40\nnr_throttled 7\nthrottled_time 1500000000\n';
  const stat2 =
    'usage_usec 3500000\nuser_usec 2500000\nsystem_usec 1000000\nnr_periods 40\nnr_throttled 7\nthrottled_usec 1500000\n';
  const used = { cpus_user_time_secs: 2.5, cpus_system_time_secs: 1 };
  const throttled = { cpus_limit: 0.5, cpus_nr_periods: 40, cpus_nr_throttled: 7, cpus_throttled_time_secs: 1.5 };
  assert.deepEqual(cpuUsage(1, 'user 250\nsystem 100\n', stat1, 0.5), { ...used, ...throttled });
  assert.deepEqual(cpuUsage(2, stat2, stat2, 0.5), { ...used, ...throttled });
  assert.deepEqual(cpuUsage(2, stat2, stat2, undefined), used);
  assert.equal('cpus_limit' in cpuUsage(2, stat2, stat2, Infinity), false);
});
