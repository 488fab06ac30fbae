import assert from 'node:assert/strict';
import { test } from 'node:test';
import { masterEndpoints } from '@meseta/api';
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
    const admitted = made.value.gate.admit({ method, path: endpoint.path, endpoint, headers }, 0);
    return admitted.ok ? 'admitted' : admitted.error.text;
  };
  assert.equal(admit('metrics', 'GET'), 'admitted');
  assert.match(admit('logging', 'POST'), /Nobody may not ask \/logging\/toggle/);
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
