import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createThrottle, parseRateLimits } from './rate-limits.js';

function throttleOf(json: unknown) {
  const limits = parseRateLimits(JSON.stringify(json));
  assert.ok(limits.ok);
  return createThrottle<string>(limits.value);
}

test('RATE-LIMITS-1, RATE-LIMITS-2: messages pass in order, one in 1/qps seconds, and at most the capacity waits', () => {
  const throttle = throttleOf({ limits: [{ principal: 'a', qps: 2, capacity: 2 }] });
  const offers = ['1', '2', '3', '4'].map((item) => throttle.offer(item, 'a', true, 1_000));
  assert.deepEqual(offers, [
    { kind: 'pass' },
    { kind: 'queued' },
    { kind: 'queued' },
    { kind: 'overCapacity', capacity: 2 },
  ]);
  assert.deepEqual(throttle.offer('lost', 'a', false, 1_000), { kind: 'queued' });
  assert.equal(throttle.nextMs(), 1_500);
  assert.deepEqual(throttle.take(1_499), []);
  assert.deepEqual(throttle.take(1_500), ['2']);
  assert.deepEqual(throttle.offer('5', 'a', true, 1_500), { kind: 'queued' });
  assert.deepEqual(throttle.take(10_000), ['3', 'lost', '5']);
  assert.equal(throttle.nextMs(), undefined);
  assert.deepEqual(throttle.offer('6', 'a', true, 10_000), { kind: 'pass' });
});

test('RATE-LIMITS-2: a lost connection takes no capacity when it is queued and frees none when it passes', () => {
  const throttle = throttleOf({ limits: [{ principal: 'a', qps: 1, capacity: 2 }] });
  const offer = (item: string, counts: boolean, nowMs: number) => throttle.offer(item, 'a', counts, nowMs).kind;
  assert.equal(offer('first', true, 0), 'pass');
  const lost = Array.from({ length: 5 }, (_, i) => offer(`lost ${i}`, false, 0));
  assert.deepEqual(lost, Array(5).fill('queued'));
  assert.equal(throttle.take(5_000).length, 5);
  assert.deepEqual(
    ['1', '2', '3', '4'].map((item) => offer(item, true, 5_000)),
    ['queued', 'queued', 'overCapacity', 'overCapacity'],
  );
  assert.deepEqual(throttle.take(6_000), ['1']);
  assert.deepEqual(
    ['5', '6'].map((item) => offer(item, true, 6_000)),
    ['queued', 'overCapacity'],
  );
});

test('RATE-LIMITS-3: a listed principal has its own limit or none; all others share the default', () => {
  const throttle = throttleOf({
    limits: [{ principal: 'free' }, { principal: 'a', qps: 1 }],
    aggregate_default_qps: 1,
    aggregate_default_capacity: 1,
  });
  const kinds = (who: string | undefined, times: number) =>
    Array.from({ length: times }, () => throttle.offer('m', who, true, 0).kind).join(' ');
  assert.equal(kinds('free', 3), 'pass pass pass');
  assert.equal(kinds('a', 3), 'pass queued queued');
  assert.equal(kinds('b', 1), 'pass');
  assert.equal(kinds(undefined, 2), 'queued overCapacity');
  assert.equal(throttleOf({}).offer('m', 'a', true, 0).kind, 'pass');
});

test('rate limits that are malformed are refused with the field', () => {
  for (const [json, expected] of [
    [{ limits: [{ principal: 'a', qps: 0 }] }, /limits\[0\]\.qps/],
    [{ limits: [{ principal: 'a' }, { principal: 'a' }] }, /limits\[1\]\.principal/],
    [{ limits: [{ qps: 1 }] }, /limits\[0\]\.principal/],
    [{ aggregate_default_qps: -1 }, /aggregate_default_qps/],
  ] as const) {
    const parsed = parseRateLimits(JSON.stringify(json));
    assert.ok(!parsed.ok);
    assert.match(parsed.error, expected);
  }
});

test('RATE-LIMITS-1, RATE-LIMITS-3: messages under different limits pass in the order of their times, a message at its exact time', () => {
  const limits = parseRateLimits(
    '{"limits":[{"principal":"a","qps":1},{"principal":"b","qps":2}],"aggregate_default_qps":4}',
  );
  assert.ok(limits.ok);
  const throttle = createThrottle<string>(limits.value);
  const offer = (item: string, who: string | undefined, nowMs: number) => throttle.offer(item, who, true, nowMs).kind;
  for (const who of ['a', 'b', undefined]) assert.equal(offer('first', who, 0), 'pass');
  assert.deepEqual(
    [offer('a1', 'a', 0), offer('b1', 'b', 0), offer('b2', 'b', 0), offer('c1', undefined, 0)],
    Array(4).fill('queued'),
  );
  assert.equal(throttle.nextMs(), 250);
  assert.deepEqual(throttle.take(1_000), ['c1', 'b1', 'a1', 'b2']);
  assert.equal(offer('late', 'b', 1_499), 'queued');
  assert.deepEqual(throttle.take(1_500), ['late']);
  assert.equal(offer('next', 'b', 2_000), 'pass');
  assert.equal(offer('again', 'b', 2_000), 'queued');
  assert.ok(parseRateLimits('{}').ok);
});
