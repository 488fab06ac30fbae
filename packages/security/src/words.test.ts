// What this room says and reads word by word: credentials, headers, tokens, the authentication's messages.
import assert from 'node:assert/strict';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { masterEndpoints } from '@meseta/api';
import type { LibprocessMessage } from '@meseta/wire';
import { createBrowserGuard, SAFE_HEADERS } from './browser-guard.js';
import { challengeOf, createCramMd5Client, createCramMd5Server } from './cram-md5.js';
import { parseCredential, parseCredentials, readCredential, readCredentials, readKey } from './credentials.js';
import { parseFirewall } from './firewall.js';
import { createHttpAuthentication, realmName } from './http-authentication.js';
import { forbidden } from './http-gate.js';
import { makeToken, readToken } from './jwt.js';
import { principalOf } from './principal.js';
import { createThrottle, parseRateLimits } from './rate-limits.js';
import { createSecurity } from './setup.js';

const directory = mkdtempSync(join(tmpdir(), 'meseta-words-'));
after(() => rmSync(directory, { recursive: true }));

const errorOf = (answer: { readonly ok: boolean; readonly error?: unknown }): unknown =>
  answer.ok ? 'taken' : answer.error;

test('a file of credentials: what is taken and what is said of the rest', () => {
  const credential = (...pairs: [string, string?][]) =>
    JSON.stringify({ credentials: pairs.map(([principal, secret]) => ({ principal, secret })) });
  const table: readonly (readonly [text: string, wanted: string])[] = [
    ['a s', 'taken'],
    ['  a   s  ', 'taken'],
    ['\n\n \n', 'expected at least one credential'],
    ['{}', "field 'credentials': expected at least one credential"],
    ['[]', 'expected an object'],
    ['{', 'expected JSON'],
    ['a', 'line 1: expected a principal and its secret'],
    ['a s\n\nb', 'line 3: expected a principal and its secret'],
    ['a s t', 'line 1: expected a principal and its secret'],
    ['a {s', 'taken'],
    ['a[ s', 'taken'],
    [` \n${credential(['a', 's'])}`, 'taken'],
    [credential(['', 's']), "field 'credentials[0].principal': expected a name"],
    [credential(['a', 's'], ['a', 't']), 'field \'credentials[1].principal\': "a" is there twice'],
    ['{"credentials":[{}]}', "field 'credentials[0].principal': expected a string"],
  ];
  for (const [text, wanted] of table) assert.equal(errorOf(parseCredentials(text)), wanted, JSON.stringify(text));
  const weak = parseCredentials(credential(['a', 's'], ['b'], ['c', '']));
  assert.ok(weak.ok);
  assert.deepEqual([...weak.value.value], [['a', 's']]);
  assert.deepEqual(
    weak.value.warnings,
    ['b', 'c'].map((name) => `principal "${name}" has no secret and can't authenticate`),
  );
});

test('the one credential of an agent or a framework', () => {
  const good = { ok: true, value: { principal: 'a', secret: 's' } };
  const table: readonly (readonly [text: string, wanted: unknown])[] = [
    ['a s', good],
    ['a s\n', good],
    ['{"principal":"a","secret":"s"}', good],
    [' \n {"principal":"a","secret":"s"}', good],
    ['a {s', { ok: true, value: { principal: 'a', secret: '{s' } }],
    ['a{ s', { ok: true, value: { principal: 'a{', secret: 's' } }],
    ['', { ok: false, error: 'expected one principal and its secret' }],
    ['a s\nb t', { ok: false, error: 'expected one principal and its secret' }],
    ['a', { ok: false, error: 'line 1: expected a principal and its secret' }],
    ['{"principal":"a"}', { ok: false, error: "field 'secret': expected a secret" }],
    ['{"principal":"a","secret":""}', { ok: false, error: "field 'secret': expected a secret" }],
    ['{"secret":"s"}', { ok: false, error: "field 'principal': expected a string" }],
    ['{"principal":', { ok: false, error: 'expected JSON' }],
  ];
  for (const [text, wanted] of table) assert.deepEqual(parseCredential(text), wanted, text);
});

test('files of secrets: read as they are, and told of where others may read them', () => {
  const path = join(directory, 'secret');
  const write = (text: string, mode: number) => {
    writeFileSync(path, text);
    chmodSync(path, mode);
  };
  const open = (mode: string) => `${path} is open to everybody (mode ${mode}): chmod 600 it`;
  write('a s', 0o640);
  assert.deepEqual(readCredential(`file://${path}`), {
    ok: true,
    value: { value: { principal: 'a', secret: 's' }, warnings: [] },
  });
  for (const mode of [0o644, 0o602, 0o601]) {
    write('{"credentials":[{"principal":"a","secret":"s"},{"principal":"b"}]}', mode);
    const read = readCredentials(path);
    const warnings = [open(mode.toString(8)), 'principal "b" has no secret and can\'t authenticate'];
    assert.deepEqual(read.ok && read.value.warnings, warnings);
  }
  write('', 0o600);
  assert.equal(errorOf(readKey(path)), `${path}: expected a key`);
  write('a', 0o600);
  assert.equal(errorOf(readCredential(path)), `${path}: line 1: expected a principal and its secret`);
  assert.match(String(errorOf(readKey(join(directory, 'nowhere')))), /ENOENT/);
});

test('tokens: payloads and headers that are no objects, numbers that are none, the second in which one expires', () => {
  const key = Buffer.from('k');
  const part = (json: unknown) => Buffer.from(JSON.stringify(json)).toString('base64url');
  const head = part({ alg: 'HS256', typ: 'JWT' });
  assert.equal(makeToken({}, key).split('.')[0], head);
  assert.deepEqual(readToken(makeToken({ exp: 10 }, key), key, 10_999), { ok: true, value: { exp: 10 } });
  const signature = (body: string) =>
    makeToken(JSON.parse(Buffer.from(body, 'base64url').toString()), key).split('.')[2];
  const table: readonly (readonly [token: string, wanted: unknown])[] = [
    [makeToken({ exp: 10 }, key), 'the token has expired'],
    [makeToken({ exp: '99' }, key), "'exp': expected a number"],
    [makeToken({ exp: null }, key), "'exp': expected a number"],
    ...[[], null, 5, 'x'].flatMap((json) => [
      [`${part(json)}.${part({})}.x`, 'the header is not a JSON object'] as const,
      [`${head}.${part(json)}.${signature(part(json))}`, 'the payload is not a JSON object'] as const,
    ]),
    [`${head}.${part({})}.`, 'the signature does not match'],
    [`${head}.${part({})}.!`, 'the signature does not match'],
    ['', 'expected three parts with dots between them'],
    ['a', 'expected three parts with dots between them'],
    ['a.b', 'expected three parts with dots between them'],
    [`${makeToken({}, key)}.`, 'expected three parts with dots between them'],
    ['..', 'the header is not a JSON object'],
    ['e30=.e30.', "'alg': expected HS256"],
    ['e30===.e30.', 'the header is not base64url'],
    [' e30.e30.', 'the header is not base64url'],
  ];
  for (const [token, wanted] of table) assert.equal(errorOf(readToken(token, key, 11_000)), wanted, token);
});

test('headers of basic and bearer: what is one, and what the challenge says', () => {
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
    ['Bearer x', invalid('Invalid JWT: expected three parts with dots between them')],
    [`Bearer ${makeToken({}, key)}`, invalid('JWT claims missing')],
  ];
  for (const [header, wanted] of tokens) assert.deepEqual(challengeOfHeader('readwrite', header), wanted, header);
});

test('authenticators that can not be', () => {
  const table = [
    ['basic', 'basic authentication of mesos-agent-readonly needs a file of credentials'],
    ['jwt', 'jwt authentication of mesos-agent-readonly needs --jwt_secret_key'],
    ['kerberos', 'expected basic or jwt, got "kerberos"'],
    ['', 'expected basic or jwt, got ""'],
  ] as const;
  for (const [names, wanted] of table)
    assert.equal(errorOf(createHttpAuthentication({ component: 'agent', realms: { readonly: names } })), wanted);
});

const start = (more = {}): LibprocessMessage => ({
  name: 'AuthenticationStartMessage',
  body: { mechanism: 'CRAM-MD5', ...more },
});
const step = (text: string): LibprocessMessage => ({
  name: 'AuthenticationStepMessage',
  body: { data: Buffer.from(text).toString('base64') },
});
const ends = (message: string) => ({
  replies: [{ name: 'AuthenticationErrorMessage', body: { error: message } }],
  end: { kind: 'failed', reason: message },
});

test('CRAM-MD5, the server: what comes out of turn ends it with an error, and says why', () => {
  const secrets = new Map([
    ['a b', 's'],
    ['e', ''],
  ]);
  const talk = (...messages: LibprocessMessage[]) => {
    const server = createCramMd5Server(secrets, '<1@h>');
    return messages.map((message) => server.receive(message)).at(-1);
  };
  const challenge = {
    replies: [{ name: 'AuthenticationStepMessage', body: { data: Buffer.from('<1@h>').toString('base64') } }],
  };
  const why = "field 'data': expected a principal and its answer to the challenge";
  assert.deepEqual(talk(start()), challenge);
  assert.deepEqual(talk(start({ data: '' })), challenge);
  assert.deepEqual(talk(start({ mechanism: 'PLAIN' })), ends("field 'mechanism': expected CRAM-MD5"));
  assert.deepEqual(
    talk(start({ data: 'YQ==' })),
    ends("field 'data': expected none, as in CRAM-MD5 the server sends first"),
  );
  assert.deepEqual(talk(start(), start()), ends("unexpected authentication 'start'"));
  assert.deepEqual(talk(start(), step('nospace'), start()), ends("unexpected authentication 'start'"));
  assert.deepEqual(talk(step('a x')), ends("unexpected authentication 'step'"));
  assert.deepEqual(talk(start(), step('nospace'), step('a x')), ends("unexpected authentication 'step'"));
  assert.deepEqual(talk(start(), step('nospace')), ends(why));
  assert.deepEqual(talk(start(), step(' x')), ends(why));
  assert.deepEqual(talk(start(), step(`${'x'.repeat(1023)} y`)), ends(why));
  const refused = { replies: [{ name: 'AuthenticationFailedMessage', body: {} }], end: { kind: 'refused' } };
  assert.deepEqual(talk(start(), step(`${'x'.repeat(1022)} y`)), refused);
  assert.deepEqual(talk(start(), step('unknown e4ab7ec43ec1d6d0bfb4ee5f22cd4dd1')), refused);
  const other: LibprocessMessage = { name: 'PongAgentMessage', body: {} };
  assert.deepEqual(talk(other), ends("expected 'start' or 'step', got PongAgentMessage"));
});

test('CRAM-MD5: a challenge is random, of its millisecond and of its host', () => {
  assert.equal(challengeOf('r', 1234.7, 'h'), '<r.1234@h>');
});

test('the answer to no challenge is right for a name without a secret', () => {
  const client = createCramMd5Client({ principal: 'ghost', secret: '' }, 'p@h:1');
  client.receive({ name: 'AuthenticationMechanismsMessage', body: { mechanisms: ['CRAM-MD5'] } });
  const [answer] = client.receive(step('<1@h>')).replies;
  const server = createCramMd5Server(new Map(), '<1@h>');
  server.receive(start());
  assert.deepEqual(server.receive(answer as LibprocessMessage).end, { kind: 'refused' });
});

const chrome = { 'user-agent': 'Mozilla/5.0' };

test('GUARD-1, GUARD-2, GUARD-3: what a refusal says, and which hosts are this machine', () => {
  const guard = createBrowserGuard({ trustedHosts: ['Corp.Example:8080'] });
  const check = (more: object) =>
    guard.check({ access: 'reads', authenticates: false, jsonp: false, certified: false, headers: {}, ...more })?.text;
  const evil = { ...chrome, host: 'localhost', origin: 'http://evil.example' };
  assert.equal(check({ jsonp: true, certified: true }), "Parameter 'jsonp': not answered where there are credentials");
  assert.equal(check({ access: 'changes', headers: evil }), 'A page of another site may change nothing here');
  assert.equal(check({ headers: evil }), 'A page of another site may read nothing here');
  const own = (headers: object) => check({ headers: { host: 'evil.example', 'user-agent': 'curl', ...headers } });
  assert.equal(own({}), undefined);
  assert.match(
    own({ 'accept-language': 'en' }) ?? '',
    /is no name of this machine/,
    'a page that says it is a program',
  );
  const unnamed = (host: string) =>
    `Header 'Host': ${JSON.stringify(host)} is no name of this machine; --trusted_hosts names more`;
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

test('GUARD-1: where a request says that it comes from', () => {
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

test('FIREWALL-1: what is behind the path of a rule limits it part by part', () => {
  const rules = (...paths: string[]) => parseFirewall('master', JSON.stringify({ disabled_endpoints: { paths } }));
  const made = rules('/quota/web', '/quota/db/x', '/state');
  assert.ok(made.ok);
  const { firewall, warnings } = made.value;
  assert.deepEqual(warnings, []);
  const table: readonly (readonly [name: keyof typeof masterEndpoints, rest: string, disabled: boolean])[] = [
    ['quota', 'web', true],
    ['quota', 'web/a', true],
    ['quota', 'webs', false],
    ['quota', 'db', false],
    ['quota', 'db/x', true],
    ['quota', '', false],
    ['state', '', true],
    ['state', 'anything', true],
    ['flags', '', false],
  ];
  for (const [name, rest, disabled] of table) {
    const endpoint = masterEndpoints[name];
    const refused = firewall({ endpoint, rest });
    assert.equal(refused?.text, disabled ? `Endpoint '${endpoint.path}' is disabled` : undefined, `${name} ${rest}`);
  }
  const unknown = rules('/nothing');
  assert.deepEqual(unknown.ok && unknown.value.warnings, ['"/nothing" is no endpoint of this master']);
  assert.equal(
    errorOf(rules('state')),
    'field \'disabled_endpoints.paths\': expected paths that begin with /, got "state"',
  );
  assert.ok(parseFirewall('agent', '{}').ok);
});

test('who may not is named by the refusal', () => {
  assert.equal(forbidden(undefined, 'x').text, 'Who has not authenticated may not x');
  assert.equal(forbidden(principalOf('alice'), 'ask /flags').text, 'alice may not ask /flags');
});

test('flags as files: what is wrong in them is said with the path, and warnings of all are kept', () => {
  const write = (name: string, text: string) => {
    const path = join(directory, name);
    writeFileSync(path, text, { mode: 0o600 });
    return path;
  };
  const open = {
    acls: undefined,
    authorizer: 'local',
    credentials: undefined,
    jwtSecretKey: undefined,
    firewallRules: undefined,
    trustedHosts: [],
    realms: {},
  };
  const acls = write('acls', '{"surprise":[]}');
  const credentials = write('credentials', '{"credentials":[{"principal":"b"}]}');
  const made = createSecurity('master', {
    ...open,
    acls,
    credentials,
    firewallRules: '{"disabled_endpoints":{"paths":["/nothing"]}}',
  });
  assert.deepEqual(made.ok && made.value.warnings, [
    'principal "b" has no secret and can\'t authenticate',
    "field 'surprise' is no list of ACLs and has no effect",
    '"/nothing" is no endpoint of this master',
  ]);
  const bad = write('bad', '[]');
  const table = [
    [{ acls: bad }, { flag: 'acls', text: `${bad}: expected a JSON object` }],
    [{ acls: '[] /' }, undefined],
    [{ authorizer: 'x' }, { flag: 'authorizer', text: 'expected local, got x' }],
  ] as const;
  for (const [flags, error] of table) {
    const answer = createSecurity('master', { ...open, ...flags });
    assert.ok(!answer.ok);
    if (error !== undefined) assert.deepEqual(answer.error, error);
  }
  assert.ok(createSecurity('master', { ...open, rateLimits: write('limits', '{"limits":[]}') }).ok);
});

test('RATE-LIMITS-1, RATE-LIMITS-3: messages of all limits leave in the order of their turns, and one at its very moment', () => {
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
