import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createHttpAuthentication, realmName } from './http-authentication.js';
import { makeToken } from './jwt.js';
import { errorOf } from './testing.js';

const secrets = new Map([
  ['alice', 'a:secret'],
  ['bob builder', 'b'],
]);

const key = Buffer.from('a key');

test('realms: correct credentials and tokens are accepted; all others get the challenges of the realm', () => {
  const made = createHttpAuthentication({
    component: 'agent',
    realms: { readonly: 'basic', executor: 'basic,jwt', readwrite: undefined },
    secrets,
    jwtKey: key,
  });
  assert.ok(made.ok);
  const { authenticate, guards } = made.value;
  const basic = (pair: string): string => `Basic ${Buffer.from(pair).toString('base64')}`;
  assert.deepEqual(authenticate('readwrite', undefined, 0), { ok: true, value: undefined });
  assert.deepEqual([guards('readonly'), guards('readwrite'), guards('none')], [true, false, false]);
  assert.deepEqual(authenticate('readonly', basic('alice:a:secret'), 0), {
    ok: true,
    value: { value: 'alice', claims: {} },
  });
  assert.deepEqual(authenticate('readonly', basic('bob builder:b').replace('Basic', 'basic'), 0), {
    ok: true,
    value: { value: 'bob builder', claims: {} },
  });
  for (const header of [
    undefined,
    '',
    'Basic',
    'Basic !!!',
    basic('alice'),
    basic('alice:'),
    basic(':'),
    basic('eve:'),
    'Bearer x',
  ]) {
    const answer = authenticate('readonly', header, 0);
    assert.ok(!answer.ok, header);
    assert.deepEqual(answer.error, {
      code: 'unauthorized',
      text: 'This needs authentication',
      headers: { 'WWW-Authenticate': 'Basic realm="mesos-agent-readonly"' },
    });
  }
  const token = makeToken({ cid: 'c', n: 3 }, key);
  assert.deepEqual(authenticate('executor', `Bearer ${token}`, 0), {
    ok: true,
    value: { claims: { cid: 'c', n: '3' } },
  });
  const missing = authenticate('executor', undefined, 0);
  assert.ok(!missing.ok);
  assert.equal(
    missing.error.headers?.['WWW-Authenticate'],
    'Basic realm="mesos-agent-executor",Bearer realm="mesos-agent-executor"',
  );
  const expired = authenticate('executor', `Bearer ${makeToken({ exp: 1 }, key)}`, 5_000);
  assert.match(expired.ok ? '' : (expired.error.headers?.['WWW-Authenticate'] ?? ''), /error="invalid_token".*expired/);
  assert.ok(!createHttpAuthentication({ component: 'master', realms: { readonly: 'basic' } }).ok);
  assert.ok(!createHttpAuthentication({ component: 'master', realms: { readonly: 'kerberos' }, secrets }).ok);
});

test('Basic and Bearer: the forms of the header that are read, and the challenge for all others', () => {
  const key = Buffer.from('k');
  const made = createHttpAuthentication({
    component: 'master',
    realms: { readonly: ' basic ', readwrite: 'jwt' },
    secrets: new Map([
      ['', 'x'],
      ['a', 's:t'],
    ]),
    jwtKey: key,
  });
  assert.ok(made.ok);
  const challengeOfHeader = (realm: 'readonly' | 'readwrite', header: string): unknown => {
    const answer = made.value.authenticate(realm, header, 0);
    return answer.ok ? answer.value : answer.error.headers?.['WWW-Authenticate'];
  };
  const pair = (text: string) => Buffer.from(text).toString('base64');
  const alice = { value: 'a', claims: {} };
  const basic = `Basic realm="${realmName('master', 'readonly')}"`;
  assert.equal(realmName('master', 'readonly'), 'mesos-master-readonly');
  const headers: readonly (readonly [header: string, wanted: unknown])[] = [
    [`Basic ${pair('a:s:t')}`, alice],
    [`BASIC    ${pair('a:s:t')}`, alice],
    [`xBasic ${pair('a:s:t')}`, basic],
    [`Basic ${pair('a:s:t')} x`, basic],
    [`Basic${pair('a:s:t')}`, basic],
    [`Basic ${pair(':x')}`, basic],
    [`Basic ${pair('a')}`, basic],
    [`Basic ${pair('a:s')}`, basic],
  ];
  for (const [header, wanted] of headers) assert.deepEqual(challengeOfHeader('readonly', header), wanted, header);
  const invalid = (why: string) =>
    `Bearer realm="mesos-master-readwrite", error="invalid_token", error_description="${why}"`;
  const token = makeToken({ cid: 'c', list: [1] }, key);
  const tokens: readonly (readonly [header: string, wanted: unknown])[] = [
    [`Bearer ${token}`, { claims: { cid: 'c', list: '[1]' } }],
    [`bearer ${token}`, { claims: { cid: 'c', list: '[1]' } }],
    [`Bearer ${token} x`, invalid("Malformed 'Authorization' header")],
    ['Bearer', invalid("Malformed 'Authorization' header")],
    [`Basic ${token}`, invalid('expected the scheme Bearer')],
    ['Bearer x', invalid('Invalid JWT: expected three parts separated by dots')],
    [`Bearer ${makeToken({}, key)}`, invalid('JWT claims missing')],
  ];
  for (const [header, wanted] of tokens) assert.deepEqual(challengeOfHeader('readwrite', header), wanted, header);
});

test('authenticators without a file of secrets, or with an unknown name, are refused', () => {
  const table = [
    ['basic', 'basic authentication of mesos-agent-readonly needs a file of credentials'],
    ['jwt', 'jwt authentication of mesos-agent-readonly needs --jwt_secret_key'],
    ['kerberos', 'expected basic or jwt, got "kerberos"'],
    ['', 'expected basic or jwt, got ""'],
  ] as const;
  for (const [names, wanted] of table)
    assert.equal(errorOf(createHttpAuthentication({ component: 'agent', realms: { readonly: names } })), wanted);
});
