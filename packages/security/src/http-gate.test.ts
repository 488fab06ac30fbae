import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { type ArrivedRequest, agentEndpoints, masterEndpoints, refusal } from '@meseta/api';
import { err, ok } from '@meseta/base';
import fc from 'fast-check';
import { createLocalAuthorizer } from './authorizer.js';
import type { GuardedRequest } from './browser-guard.js';
import { createHttpGate, forbidden } from './http-gate.js';
import { principalOf } from './principal.js';
import { createSecurity } from './setup.js';
import { NO_SECURITY } from './testing.js';

const plain = { rest: '', jsonp: false, certified: false };

const acls = JSON.stringify({
  permissive: false,
  get_endpoints: [{ principals: { type: 'ANY' }, paths: { values: ['/metrics/snapshot'] } }],
});

const anyEntity = { type: 'ANY' } as const;

test('the first rule that refuses a request gives the response', () => {
  const firewallRules = '{"disabled_endpoints":{"paths":["/teardown"]}}';
  const made = createSecurity('master', { ...NO_SECURITY, acls, firewallRules });
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

test('a request with any headers is either admitted or refused', () => {
  const directory = mkdtempSync(join(tmpdir(), 'meseta-gate-'));
  try {
    const credentials = join(directory, 'credentials');
    const jwtSecretKey = join(directory, 'key');
    writeFileSync(credentials, 'alice a', { mode: 0o600 });
    writeFileSync(jwtSecretKey, 'k', { mode: 0o600 });
    const realms = { readonly: 'basic,jwt', readwrite: undefined };
    const made = createSecurity('agent', { ...NO_SECURITY, acls, credentials, jwtSecretKey, realms });
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
      fc.property(endpoint, fc.constantFrom('GET', 'POST', 'HEAD', 'X'), headers, (requested, method, sent) => {
        const admitted = gate.admit({ ...plain, method, endpoint: requested, headers: sent }, 0);
        if (requested.realm === 'readonly')
          assert.ok(!admitted.ok && /unauthorized|forbidden/.test(admitted.error.code));
        else assert.ok(admitted.ok || admitted.error.code === 'forbidden');
      }),
      { numRuns: 2_000 },
    );
  } finally {
    rmSync(directory, { recursive: true });
  }
});

/** The result for a request, and what the guard and the authentication of the gate got. Both accept it, unless it is unsafe. */
function admitRecorded(request: Partial<ArrivedRequest>, unsafe = false) {
  const checked: GuardedRequest[] = [];
  const headers: (string | undefined)[] = [];
  const gate = createHttpGate({
    authentication: {
      guards: () => true,
      authenticate(_realm, header) {
        headers.push(header);
        return ok(principalOf('p'));
      },
    },
    authorizer: createLocalAuthorizer({
      permissive: false,
      get_endpoints: [{ principals: anyEntity, paths: { values: ['/metrics/snapshot'] } }],
    }),
    guard: {
      check(guarded) {
        checked.push(guarded);
        return unsafe ? refusal('forbidden', 'unsafe') : undefined;
      },
    },
    firewall: undefined,
  });
  const endpoint = masterEndpoints.metrics;
  const all = { method: 'GET', endpoint, rest: '', jsonp: false, certified: false, headers: {}, ...request };
  return { admitted: gate.admit(all, 0), checked, headers };
}

test('the browser guard gets the access of the method; an unknown method counts as reading', () => {
  const weights = { ...masterEndpoints.weights };
  const cases: readonly (readonly [Partial<ArrivedRequest>, access: string])[] = [
    [{ method: 'GET' }, 'reads'],
    [{ method: 'BREW' }, 'reads'],
    [{ endpoint: weights, method: 'PUT' }, weights.methods.PUT as string],
    [{ endpoint: weights, method: 'GET' }, weights.methods.GET as string],
  ];
  for (const [request, access] of cases) assert.equal(admitRecorded(request).checked[0]?.access, access);
  assert.equal(weights.methods.PUT, 'changes');
});

test('a request is for JSONP only at an endpoint with JSONP', () => {
  for (const speaks of [true, false, undefined]) {
    for (const jsonp of [true, false]) {
      const { jsonp: _, ...plain } = masterEndpoints.metrics as ArrivedRequest['endpoint'];
      const endpoint = { ...plain, ...(speaks !== undefined && { jsonp: speaks }) } as ArrivedRequest['endpoint'];
      assert.equal(
        admitRecorded({ endpoint, jsonp }).checked[0]?.jsonp,
        jsonp && speaks === true,
        `${speaks} ${jsonp}`,
      );
    }
  }
});

test('the first of several Authorization headers counts; a request that the guard refuses is not authenticated', () => {
  const cases: readonly (readonly [string | readonly string[] | undefined, string | undefined])[] = [
    [undefined, undefined],
    ['Basic x', 'Basic x'],
    [['Basic y', 'Basic z'], 'Basic y'],
    [[], undefined],
  ];
  for (const [authorization, header] of cases)
    assert.deepEqual(admitRecorded({ headers: { authorization } }).headers, [header]);
  const { admitted, headers } = admitRecorded({}, true);
  assert.deepEqual([admitted, headers], [err(refusal('forbidden', 'unsafe')), []]);
});

test('an endpoint is authorized by its path or without an object, as its action requires', () => {
  assert.deepEqual(admitRecorded({}).admitted, ok(principalOf('p')));
  const flags = masterEndpoints.flags as ArrivedRequest['endpoint'];
  const refused = err(forbidden(principalOf('p'), `ask ${flags.path}`));
  assert.deepEqual(admitRecorded({ endpoint: flags }).admitted, refused);
});

test('a refusal names the principal', () => {
  assert.deepEqual(forbidden(undefined, 'x'), refusal('forbidden', 'A request without authentication may not x'));
  assert.equal(forbidden(principalOf('alice'), 'ask /flags').text, 'alice may not ask /flags');
});
