import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { agentEndpoints, masterEndpoints } from '@meseta/api';
import fc from 'fast-check';
import { createSecurity, type SecurityFlags } from './setup.js';

const open: SecurityFlags = {
  acls: undefined,
  authorizer: 'local',
  credentials: undefined,
  jwtSecretKey: undefined,
  firewallRules: undefined,
  trustedHosts: [],
  realms: {},
};
const plain = { rest: '', jsonp: false, certified: false };
const acls = JSON.stringify({
  permissive: false,
  get_endpoints: [{ principals: { type: 'ANY' }, paths: { values: ['/metrics/snapshot'] } }],
});

test('a request is stopped where the first rule stops it', () => {
  const firewallRules = '{"disabled_endpoints":{"paths":["/teardown"]}}';
  const made = createSecurity('master', { ...open, acls, firewallRules });
  assert.ok(made.ok);
  const admit = (name: keyof typeof masterEndpoints, method: string, headers = {}) => {
    const endpoint = masterEndpoints[name];
    const admitted = made.value.gate.admit({ ...plain, method, endpoint, headers }, 0);
    return admitted.ok ? 'admitted' : admitted.error.text;
  };
  assert.equal(admit('metrics', 'GET'), 'admitted');
  assert.match(admit('logging', 'POST'), /may not ask \/logging\/toggle/);
  assert.match(admit('flags', 'GET'), /flags/);
  assert.match(admit('teardown', 'POST'), /disabled/);
  assert.match(admit('weights', 'PUT', { origin: 'http://evil.example', host: 'localhost' }), /another site/);
  assert.equal(admit('weights', 'PUT'), 'admitted');
});

test('flags that cannot be followed are named', () => {
  const wrong: readonly (readonly [Partial<SecurityFlags>, keyof SecurityFlags])[] = [
    [{ authorizer: 'mine' }, 'authorizer'],
    [{ credentials: '/nowhere/at/all' }, 'credentials'],
    [{ jwtSecretKey: '/nowhere/at/all' }, 'jwtSecretKey'],
    [{ acls: '[' }, 'acls'],
    [{ firewallRules: '[]' }, 'firewallRules'],
    [{ acls: '/nowhere/at/all' }, 'acls'],
    [{ rateLimits: '{"limits":[{}]}' }, 'rateLimits'],
    [{ realms: { readonly: 'basic' } }, 'realms'],
  ];
  for (const [flags, flag] of wrong) {
    const made = createSecurity('agent', { ...open, ...flags });
    assert.ok(!made.ok);
    assert.equal(made.error.flag, flag);
  }
});

test('no header, however odd, is more than admitted or refused', () => {
  const directory = mkdtempSync(join(tmpdir(), 'meseta-gate-'));
  try {
    const credentials = join(directory, 'credentials');
    const jwtSecretKey = join(directory, 'key');
    writeFileSync(credentials, 'alice a', { mode: 0o600 });
    writeFileSync(jwtSecretKey, 'k', { mode: 0o600 });
    const realms = { readonly: 'basic,jwt', readwrite: undefined };
    const made = createSecurity('agent', { ...open, acls, credentials, jwtSecretKey, realms });
    assert.ok(made.ok);
    const { gate } = made.value;
    const authorization = fc.oneof(
      fc.string(),
      fc.base64String().map((text) => `Basic ${text}`),
      fc.tuple(fc.base64String(), fc.base64String(), fc.base64String()).map((parts) => `Bearer ${parts.join('.')}`),
    );
    const text = fc.option(fc.oneof(fc.string(), fc.webUrl(), fc.domain()), { nil: undefined });
    const headers = fc.record({ authorization, host: text, origin: text, referer: text, 'sec-fetch-site': text });
    const endpoint = fc.constantFrom(...Object.values(agentEndpoints));
    fc.assert(
      fc.property(endpoint, fc.constantFrom('GET', 'POST', 'HEAD', 'X'), headers, (asked, method, sent) => {
        const admitted = gate.admit({ ...plain, method, endpoint: asked, headers: sent }, 0);
        if (asked.realm === 'readonly') assert.ok(!admitted.ok && /unauthorized|forbidden/.test(admitted.error.code));
        else assert.ok(admitted.ok || admitted.error.code === 'forbidden');
      }),
      { numRuns: 2_000 },
    );
  } finally {
    rmSync(directory, { recursive: true });
  }
});
