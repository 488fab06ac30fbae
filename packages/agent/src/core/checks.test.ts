// Health checks and checks: their times, what they probe, and what a result means (Mesos: docs/health-checks.md).
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ProbeResult } from '@meseta/containers/types';
import type { CheckInfo, CheckStatusInfo, CommandInfo, HealthCheck } from '@meseta/wire';
import { checkProbe, checkStatus, healthProbe, initialCheck, judgeHealth, sameCheckStatus, timesOf } from './checks.js';
import { taskOf } from './testing.js';

const exited = (code: number): ProbeResult => ({ kind: 'command', status: { kind: 'exited', code } });
const signaled: ProbeResult = { kind: 'command', status: { kind: 'signaled', signal: 9 } };
const http = (statusCode: number): ProbeResult => ({ kind: 'http', statusCode });
const tcp = (succeeded: boolean): ProbeResult => ({ kind: 'tcp', succeeded });
const failed: ProbeResult = { kind: 'failed', message: 'x' };

test('times are given in seconds, have defaults, and a probe without a time limit has none', () => {
  const most = Number.MAX_SAFE_INTEGER;
  const table: readonly (readonly [
    check: HealthCheck,
    wanted: [delayMs: number, intervalMs: number, timeoutMs: number],
  ])[] = [
    [{}, [15_000, 10_000, 20_000]],
    [{ delay_seconds: 1, interval_seconds: 2, timeout_seconds: 3 }, [1_000, 2_000, 3_000]],
    [{ delay_seconds: 0, interval_seconds: 0.5, timeout_seconds: 0 }, [0, 500, most]],
  ];
  for (const [check, [delayMs, intervalMs, timeoutMs]] of table)
    assert.deepEqual(timesOf(check), { delayMs, intervalMs, timeoutMs });
});

test('a probe is healthy with exit status 0, an HTTP status from 200 to 399, or a connection', () => {
  const table: readonly (readonly [ProbeResult, healthy: boolean])[] = [
    [exited(0), true],
    [exited(1), false],
    [signaled, false],
    [http(199), false],
    [http(200), true],
    [http(399), true],
    [http(400), false],
    [tcp(true), true],
    [tcp(false), false],
    [failed, false],
    [{ kind: 'timedOut' }, false],
  ];
  for (const [result, healthy] of table) {
    const verdict = judgeHealth({ grace_period_seconds: 0 }, initialCheck(0), result, 0);
    assert.equal(verdict.healthy, healthy, JSON.stringify(result));
    assert.equal(verdict.state.failures, healthy ? 0 : 1);
  }
});

test('CHECKS-2: the first success, failures and recoveries are reported, success after success is not', () => {
  let state = initialCheck(0);
  const verdicts = [exited(0), exited(0), exited(1), exited(1), exited(0), exited(0), exited(1)].map((result) => {
    const verdict = judgeHealth({ consecutive_failures: 3 }, state, result, 0);
    state = verdict.state;
    return [verdict.healthy, verdict.kill];
  });
  const unreported = [undefined, false];
  const unhealthy = [false, false];
  assert.deepEqual(verdicts, [[true, false], unreported, unhealthy, unhealthy, [true, false], unreported, unhealthy]);
  assert.deepEqual(judgeHealth({}, initialCheck(0, true), exited(0), 0).healthy, undefined, 'it was healthy before');
});

test('the number of consecutive failures that ends a task is given by the check, three by default', () => {
  for (const [check, most] of [
    [{}, 3],
    [{ consecutive_failures: 1 }, 1],
    [{ consecutive_failures: 5 }, 5],
  ] as const) {
    let state = initialCheck(0, true);
    for (let failures = 1; failures <= most; failures++) {
      const verdict = judgeHealth(check, state, exited(1), 1e9);
      state = verdict.state;
      assert.deepEqual([verdict.kill, state.failures], [failures === most, failures]);
    }
  }
});

test('failures within the grace period count only after a success', () => {
  const table: readonly (readonly [check: HealthCheck, wasHealthy: boolean, monoMs: number, counts: boolean])[] = [
    [{}, false, 1_000 + 10_000, false],
    [{}, false, 1_000 + 10_001, true],
    [{}, true, 1_000, true],
    [{ grace_period_seconds: 2 }, false, 3_000, false],
    [{ grace_period_seconds: 2 }, false, 3_001, true],
    [{ grace_period_seconds: 0 }, false, 1_000, true],
    [{ grace_period_seconds: 0 }, false, 900, true],
  ];
  for (const [check, wasHealthy, monoMs, counts] of table) {
    const state = initialCheck(1_000, wasHealthy);
    const verdict = judgeHealth(check, state, failed, monoMs);
    assert.equal(verdict.healthy, counts ? false : undefined, JSON.stringify([check, wasHealthy, monoMs]));
    assert.deepEqual(verdict.state, counts ? { ...state, failures: 1 } : state);
  }
});

test('the status of a check has its type and the result, and is empty if the probe failed', () => {
  const table: readonly (readonly [type: CheckInfo['type'], ProbeResult | undefined, wanted: CheckStatusInfo])[] = [
    ['COMMAND', exited(3), { type: 'COMMAND', command: { exit_code: 3 } }],
    ['COMMAND', signaled, { type: 'COMMAND', command: {} }],
    ['COMMAND', failed, { type: 'COMMAND', command: {} }],
    ['COMMAND', undefined, { type: 'COMMAND', command: {} }],
    ['HTTP', http(503), { type: 'HTTP', http: { status_code: 503 } }],
    ['HTTP', failed, { type: 'HTTP', http: {} }],
    ['HTTP', undefined, { type: 'HTTP', http: {} }],
    ['TCP', tcp(true), { type: 'TCP', tcp: { succeeded: true } }],
    ['TCP', failed, { type: 'TCP', tcp: {} }],
    ['TCP', undefined, { type: 'TCP', tcp: {} }],
    ['UNKNOWN', exited(0), { type: 'UNKNOWN' }],
    [undefined, exited(0), { type: 'UNKNOWN' }],
  ];
  for (const [type, result, wanted] of table) {
    const check: CheckInfo = type === undefined ? {} : { type };
    assert.deepEqual(checkStatus(check, result), wanted);
  }
});

test('CHECKS-2: check statuses are equal if every result in them is', () => {
  const all: readonly (CheckStatusInfo | undefined)[] = [
    undefined,
    { type: 'COMMAND', command: { exit_code: 0 } },
    { type: 'COMMAND', command: { exit_code: 1 } },
    { type: 'HTTP', http: { status_code: 200 } },
    { type: 'HTTP', http: { status_code: 500 } },
    { type: 'TCP', tcp: { succeeded: true } },
    { type: 'TCP', tcp: { succeeded: false } },
  ];
  for (const a of all) for (const b of all) assert.equal(sameCheckStatus(a, b && { ...b }), a === b);
  assert.ok(sameCheckStatus(undefined, { type: 'COMMAND', command: {} }));
  assert.ok(sameCheckStatus({ type: 'HTTP', http: {} }, { type: 'TCP', tcp: {} }));
});

const command: CommandInfo = { value: 'true' };
const environmentOf = (of: CommandInfo) => ({ OF: of.value ?? '' });
const asked = { kind: 'command', command, environment: { OF: 'true' } };

test('the probe of a health check is that of its type, or of the field that is set', () => {
  const port = { port: 80 };
  const page = { kind: 'http', scheme: 'http', port: 80, path: '/', ipv6: false };
  const table: readonly (readonly [check: HealthCheck | undefined, wanted: unknown])[] = [
    [undefined, undefined],
    [{}, undefined],
    [{ command }, asked],
    [{ http: port }, page],
    [{ tcp: port }, undefined],
    [{ type: 'COMMAND', command, http: port }, asked],
    [{ type: 'COMMAND', http: port }, undefined],
    [{ type: 'HTTP', command, http: port }, page],
    [{ type: 'HTTP', command }, undefined],
    [
      { type: 'HTTP', http: { port: 80, scheme: 'https', path: '/x', protocol: 'IPv6' } },
      { ...page, scheme: 'https', path: '/x', ipv6: true },
    ],
    [{ type: 'HTTP', http: { port: 80, scheme: 'http', protocol: 'IPv4' } }, page],
    [
      { type: 'TCP', tcp: port },
      { kind: 'tcp', port: 80, ipv6: false },
    ],
    [
      { type: 'TCP', tcp: { port: 80, protocol: 'IPv6' } },
      { kind: 'tcp', port: 80, ipv6: true },
    ],
    [{ type: 'TCP', http: port }, undefined],
    [{ type: 'UNKNOWN', command }, undefined],
  ];
  for (const [check, wanted] of table) {
    const info = taskOf('t', check === undefined ? {} : { health_check: check });
    assert.deepEqual(healthProbe(info, environmentOf), wanted, JSON.stringify(check));
  }
});

test('the probe of a check is that of its type', () => {
  const port = { port: 80 };
  const page = { kind: 'http', scheme: 'http', port: 80, path: '/', ipv6: false };
  const table: readonly (readonly [check: CheckInfo | undefined, wanted: unknown])[] = [
    [undefined, undefined],
    [{}, undefined],
    [{ command: { command } }, undefined],
    [{ type: 'COMMAND', command: { command }, http: port }, asked],
    [{ type: 'COMMAND', http: port }, undefined],
    [{ type: 'HTTP', http: port, command: { command } }, page],
    [
      { type: 'HTTP', http: { port: 80, path: '/x' } },
      { ...page, path: '/x' },
    ],
    [{ type: 'HTTP', tcp: port }, undefined],
    [
      { type: 'TCP', tcp: port, http: port },
      { kind: 'tcp', port: 80, ipv6: false },
    ],
    [{ type: 'TCP', http: port }, undefined],
    [{ type: 'UNKNOWN', tcp: port }, undefined],
  ];
  for (const [check, wanted] of table) {
    const info = taskOf('t', check === undefined ? {} : { check });
    assert.deepEqual(checkProbe(info, environmentOf), wanted, JSON.stringify(check));
  }
});
