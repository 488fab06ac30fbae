import assert from 'node:assert/strict';
import { test } from 'node:test';
import { findOverload, loadThresholds, oversubscriptionOf } from './oversubscription.js';

const FIXED = 'org_apache_mesos_FixedResourceEstimator';
const LOAD = 'org_apache_mesos_LoadQoSController';

const modules = (name: string, parameters: Readonly<Record<string, string>>): string =>
  JSON.stringify({
    libraries: [
      {
        file: '/usr/lib/libany.so',
        modules: [{ name, parameters: Object.entries(parameters).map(([key, value]) => ({ key, value })) }],
      },
    ],
  });

test('the fixed estimator offers the resources of its parameter as revocable ones', () => {
  assert.deepEqual(oversubscriptionOf(undefined, undefined, 1000), { ok: true, value: undefined });
  assert.deepEqual(oversubscriptionOf(FIXED, modules(FIXED, { resources: 'cpus:14' }), 1000), {
    ok: true,
    value: {
      resources: [{ name: 'cpus', type: 'SCALAR', scalar: { value: 14 }, revocable: {} }],
      intervalMs: 1000,
    },
  });
});

const badEstimators: readonly (readonly [estimator: string, modules: string | undefined, expected: RegExp])[] = [
  ['other', undefined, /^Flag --resource_estimator: expected org_apache_mesos_Fixed/],
  [FIXED, undefined, /needs the parameter resources/],
  [FIXED, modules(FIXED, { resources: 'cpus:x' }), /the parameter resources of org_apache_mesos_Fixed/],
  [FIXED, '{', /^Flag --modules: expected JSON/],
  [FIXED, '{"libraries": [null]}', /^Flag --modules: expected JSON/],
];

for (const [estimator, given, expected] of badEstimators) {
  test(`--resource_estimator=${estimator} with --modules=${given} is refused`, () => {
    const answer = oversubscriptionOf(estimator, given, 1000);
    assert.match(answer.ok ? '' : answer.error, expected);
  });
}

test('the thresholds of the load controller are its parameters', () => {
  assert.deepEqual(loadThresholds(undefined, undefined), { ok: true, value: undefined });
  assert.deepEqual(loadThresholds(LOAD, modules(LOAD, { load_threshold_5min: '6', load_threshold_15min: '4.5' })), {
    ok: true,
    value: { fiveMinutes: 6, fifteenMinutes: 4.5 },
  });
  for (const [controller, given] of [
    ['other', undefined],
    [LOAD, modules(LOAD, { load_threshold_5min: 'six' })],
    [LOAD, modules(LOAD, { load_threshold_15min: '-1' })],
    [LOAD, modules(LOAD, { load_threshold_15min: ' ' })],
  ] as const) {
    assert.equal(loadThresholds(controller, given).ok, false, `${controller} ${given}`);
  }
});

test('an overload is a load average above its threshold', () => {
  const both = { fiveMinutes: 6, fifteenMinutes: 4 };
  assert.equal(findOverload(both, [99, 6, 4]), undefined);
  assert.match(findOverload(both, [0, 6.1, 0]) ?? '', /5 minutes is 6.1, above 6/);
  assert.match(findOverload(both, [0, 0, 4.1]) ?? '', /15 minutes is 4.1, above 4/);
  assert.equal(findOverload({ fiveMinutes: undefined, fifteenMinutes: undefined }, [99, 99, 99]), undefined);
});
