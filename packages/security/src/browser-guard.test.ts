import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createBrowserGuard, type GuardedRequest, SAFE_HEADERS } from './browser-guard.js';

const chrome = { 'user-agent': 'Mozilla/5.0' };

const evil = { origin: 'http://evil.example' };

const page = 'http://m.corp.example:5050';

/** Requests, and whether they are admitted. */
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
  ['JSONP in a realm with authentication', { jsonp: true, authenticates: true, headers: chrome }, false],
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
    'rebound name in a realm with authentication',
    { access: 'reads', authenticates: true, headers: { ...chrome, host: 'evil.example:5050' } },
    true,
  ],
  ['address', { access: 'reads', headers: { ...chrome, host: '[::1]:5050' } }, true],
  ['private name', { access: 'reads', headers: { ...chrome, host: 'master:5050' } }, true],
  ['private domain', { access: 'reads', headers: { ...chrome, host: 'Master.Internal.:5050' } }, true],
];

test('GUARD-1, GUARD-2, GUARD-3, GUARD-4, GUARD-5: the requests of programs, own pages and pages of other sites that are admitted', () => {
  const guard = createBrowserGuard({ trustedHosts: ['M.corp.example'] });
  for (const [what, request, admitted] of requests) {
    const defaults = { access: 'reads', authenticates: false, jsonp: false, certified: false, headers: {} } as const;
    const refused = guard.check({ ...defaults, ...request });
    assert.equal(refused === undefined, admitted, what);
    if (refused !== undefined) assert.equal(refused.code, 'forbidden');
  }
});

test('GUARD-1, GUARD-2, GUARD-3: the text of each refusal, and which host names a browser may use', () => {
  const guard = createBrowserGuard({ trustedHosts: ['Corp.Example:8080'] });
  const check = (more: object) =>
    guard.check({ access: 'reads', authenticates: false, jsonp: false, certified: false, headers: {}, ...more })?.text;
  const evil = { ...chrome, host: 'localhost', origin: 'http://evil.example' };
  assert.equal(check({ jsonp: true, certified: true }), "Parameter 'jsonp': not allowed with credentials");
  assert.equal(check({ access: 'changes', headers: evil }), 'A page of another site may not change anything here');
  assert.equal(check({ headers: evil }), 'A page of another site may not read anything here');
  const own = (headers: object) => check({ headers: { host: 'evil.example', 'user-agent': 'curl', ...headers } });
  assert.equal(own({}), undefined);
  assert.match(
    own({ 'accept-language': 'en' }) ?? '',
    /is not a name of this machine/,
    'a page that says it is a program',
  );
  const unnamed = (host: string) =>
    `Header 'Host': ${JSON.stringify(host)} is not a name of this machine; add it to --trusted_hosts if it is`;
  const hosts: readonly (readonly [host: string, isOurs: boolean])[] = [
    ['localhost', true],
    ['host', true],
    ['HOST:5050', true],
    ['a.local', true],
    ['a.localhost', true],
    ['a.internal', true],
    ['a.test', true],
    ['a.home.arpa.', true],
    ['1.2.3.4:5050', true],
    ['[::1]', true],
    ['[fe80::1]:5050', true],
    ['corp.example', true],
    ['corp.example.:1', true],
    ['a.corp.example', false],
    ['a.local.evil.example', false],
    ['local.example', false],
    ['1.2.3.4.example', false],
    ['a.example:5051', false],
  ];
  for (const [host, isOurs] of hosts) {
    for (const browser of [
      chrome,
      { 'sec-fetch-mode': 'cors' },
      { 'sec-fetch-site': 'none' },
      { origin: `http://${host}` },
    ])
      assert.equal(
        check({ headers: { host, ...browser } }),
        isOurs ? undefined : unnamed(host),
        `${host} ${Object.keys(browser)}`,
      );
    assert.equal(check({ headers: { host } }), undefined, 'a program is not asked');
  }
  assert.deepEqual(SAFE_HEADERS, { 'X-Content-Type-Options': 'nosniff', 'X-Frame-Options': 'SAMEORIGIN' });
});

test('GUARD-1: the source of a request by Origin, Sec-Fetch-Site and Referer', () => {
  const guard = createBrowserGuard({ trustedHosts: [] });
  const may = (headers: object) =>
    guard.check({ access: 'changes', authenticates: true, jsonp: false, certified: false, headers: { ...headers } }) ===
    undefined;
  const host = 'h:5050';
  const table: readonly (readonly [headers: object, allowed: boolean])[] = [
    [{ host }, true],
    [{ host, 'sec-fetch-site': 'same-origin' }, true],
    [{ host, 'sec-fetch-site': 'none' }, true],
    [{ host, 'sec-fetch-site': 'same-site' }, false],
    [{ host, origin: 'http://H:5050', 'sec-fetch-site': 'cross-site' }, true],
    [{ host, origin: 'http://h:5051' }, false],
    [{ host, origin: ['http://h:5050', 'http://x'] }, true],
    [{ host: 'h:80', origin: 'http://h' }, true],
    [{ host: 'h:443', origin: 'https://h' }, true],
    [{ host: 'h:8080', origin: 'http://h' }, false],
    [{ host: 'h', origin: 'http://h:8080' }, false],
    [{ host, origin: 'not a url' }, false],
    [{ origin: 'http://h:5050' }, false],
    [{ host, referer: 'http://h:5050/page' }, true],
    [{ host, referer: 'http://x/page' }, false],
    [{ host, referer: 'junk' }, false],
  ];
  for (const [headers, allowed] of table) assert.equal(may(headers), allowed, JSON.stringify(headers));
});
