import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createRouter, masterEndpoints } from '@meseta/api';
import { createBrowserGuard, type GuardedRequest } from './browser-guard.js';
import { parseFirewall } from './firewall.js';
import { createThrottle, parseRateLimits } from './rate-limits.js';

function throttleOf(json: unknown) {
  const limits = parseRateLimits(JSON.stringify(json));
  assert.ok(limits.ok);
  return createThrottle<string>(limits.value);
}

test('RATE-LIMITS-1, RATE-LIMITS-2: one message each 1/qps seconds in order, and no more than the capacity waits', () => {
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

test('RATE-LIMITS-2: a lost connection that leaves makes room for no message, as it took none', () => {
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

test('RATE-LIMITS-3: whose limit counts', () => {
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

test('rate limits that cannot be', () => {
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

const chrome = { 'user-agent': 'Mozilla/5.0' };
const evil = { origin: 'http://evil.example' };
const page = 'http://m.corp.example:5050';

/** What is asked, and whether it is answered. */
const requests: readonly (readonly [string, Partial<GuardedRequest>, boolean])[] = [
  ['a program changes', { access: 'changes', headers: { host: 'anything.example:5050' } }, true],
  ['a program with no Host', { access: 'changes', headers: {} }, true],
  [
    'the own page changes',
    { access: 'changes', headers: { ...chrome, host: 'm.corp.example:5050', origin: page } },
    true,
  ],
  [
    'behind a proxy',
    { access: 'changes', headers: { ...chrome, host: 'm.corp.example', origin: 'https://m.corp.example' } },
    true,
  ],
  ['another site changes', { access: 'changes', headers: { ...chrome, host: '10.0.0.1:5050', ...evil } }, false],
  [
    'another port changes',
    { access: 'changes', headers: { host: 'localhost:5050', origin: 'http://localhost:8080' } },
    false,
  ],
  ['a file changes', { access: 'changes', headers: { host: 'localhost:5050', origin: 'null' } }, false],
  [
    'a form of another site',
    { access: 'changes', headers: { ...chrome, host: 'localhost:5050', referer: 'http://evil.example/x' } },
    false,
  ],
  [
    'cross-site without Origin',
    { access: 'changes', headers: { host: 'localhost', 'sec-fetch-site': 'cross-site' } },
    false,
  ],
  ['typed in', { access: 'reads', headers: { ...chrome, host: 'localhost', 'sec-fetch-site': 'none' } }, true],
  [
    'another site changes, credentials or not',
    { access: 'changes', authenticates: true, headers: { host: 'localhost', ...evil } },
    false,
  ],
  ['another site reads', { access: 'reads', headers: { ...chrome, host: '10.0.0.1:5050', ...evil } }, false],
  [
    'JSONP of another site',
    { access: 'reads', jsonp: true, headers: { ...chrome, host: '10.0.0.1:5051', referer: page } },
    true,
  ],
  ['JSONP where the realm asks for credentials', { jsonp: true, authenticates: true, headers: chrome }, false],
  ['JSONP with a password', { jsonp: true, headers: { ...chrome, authorization: 'Basic YTpi' } }, false],
  ['JSONP with a cookie', { jsonp: true, headers: { ...chrome, cookie: 'a=b' } }, false],
  ['JSONP with a client certificate', { jsonp: true, certified: true, headers: chrome }, false],
  [
    'a link from another site',
    { access: 'reads', headers: { ...chrome, host: '10.0.0.1:5050', referer: 'http://wiki.example/' } },
    true,
  ],
  ['rebound name', { access: 'reads', headers: { ...chrome, host: 'evil.example:5050' } }, false],
  [
    'rebound name changes',
    { access: 'changes', headers: { ...chrome, host: 'evil.example:5050', origin: 'http://evil.example:5050' } },
    false,
  ],
  [
    'rebound name, guarded',
    { access: 'reads', authenticates: true, headers: { ...chrome, host: 'evil.example:5050' } },
    true,
  ],
  ['address', { access: 'reads', headers: { ...chrome, host: '[::1]:5050' } }, true],
  ['private name', { access: 'reads', headers: { ...chrome, host: 'master:5050' } }, true],
  ['private domain', { access: 'reads', headers: { ...chrome, host: 'Master.Internal.:5050' } }, true],
];

test('GUARD-1, GUARD-2, GUARD-3, GUARD-4, GUARD-5: what a browser may be made to do', () => {
  const guard = createBrowserGuard({ trustedHosts: ['M.corp.example'] });
  for (const [what, request, answered] of requests) {
    const defaults = { access: 'reads', authenticates: false, jsonp: false, certified: false, headers: {} } as const;
    const refused = guard.check({ ...defaults, ...request });
    assert.equal(refused === undefined, answered, what);
    if (refused !== undefined) assert.equal(refused.code, 'forbidden');
  }
});

const route = createRouter('master', masterEndpoints);

test('FIREWALL-1: an endpoint that is switched off is so under every path that the router takes for it', () => {
  const paths = ['/files/browse', '/master/state', '/quota/web', '/nowhere'];
  const parsed = parseFirewall('master', JSON.stringify({ disabled_endpoints: { paths } }));
  assert.ok(parsed.ok);
  assert.deepEqual(parsed.value.warnings, ['"/nowhere" is no endpoint of this master']);
  const isShut = (path: string): boolean => {
    const routed = route(path);
    return routed === undefined || parsed.value.firewall(routed)?.code === 'forbidden';
  };
  for (const path of [
    '/files/browse/',
    '/files/%62rowse',
    '/files%2fbrowse',
    '/state',
    '/master/state',
    '/%73tate',
    '/master/%73tate/x',
    '/state%2f',
    '/quota/web',
    '/master/quota/web/',
  ]) {
    assert.ok(isShut(path), path);
  }
  for (const path of ['/files/read', '/state-summary', '/quota', '/quota/webs']) assert.ok(!isShut(path), path);
  // Decoded once, as the router does: what is encoded twice leads nowhere.
  assert.equal(route('/%2573tate'), undefined);
  assert.ok(!parseFirewall('master', '{"disabled_endpoints":{"paths":["files"]}}').ok);
  // A misspelt field would switch nothing off without a word.
  const misspelt = parseFirewall('master', '{"disabled_endpoint":{"paths":["/files/debug"]}}');
  assert.ok(misspelt.ok);
  assert.match(misspelt.value.warnings.join(), /no endpoint is switched off/);
});
