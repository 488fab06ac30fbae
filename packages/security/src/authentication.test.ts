import assert from 'node:assert/strict';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { pidOf } from '@meseta/base';
import type { LibprocessMessage } from '@meseta/wire';
import { createCramMd5Client, createCramMd5Server } from './cram-md5.js';
import { parseCredential, parseCredentials, readCredentials, readKey } from './credentials.js';
import { createHttpAuthentication } from './http-authentication.js';
import { makeToken, readToken } from './jwt.js';
import { createPeerAuthentication } from './peer-authentication.js';

const directory = mkdtempSync(join(tmpdir(), 'meseta-security-'));
after(() => rmSync(directory, { recursive: true }));

const secrets = new Map([
  ['alice', 'a:secret'],
  ['bob builder', 'b'],
]);
const key = Buffer.from('a key');

test('credentials: both formats, and errors that name the field and quote nothing', () => {
  const json = parseCredentials('{"credentials":[{"principal":"a","secret":"s"},{"principal":"b"}]}');
  const lines = parseCredentials('a s\n\n b\tt \n');
  assert.ok(json.ok && lines.ok);
  assert.deepEqual([...json.value.value], [['a', 's']]);
  assert.deepEqual(
    [...lines.value.value],
    [
      ['a', 's'],
      ['b', 't'],
    ],
  );
  assert.equal(json.value.warnings.length, 1);
  assert.deepEqual(parseCredential('{"principal":"a","secret":"s"}'), {
    ok: true,
    value: { principal: 'a', secret: 's' },
  });
  assert.deepEqual(parseCredential('a s\n'), { ok: true, value: { principal: 'a', secret: 's' } });
  const wrong: readonly (readonly [string, RegExp])[] = [
    ['', /at least one/],
    ['{}', /'credentials'/],
    ['a hunter2\nb hunter2 x', /line 2/],
    ['{"credentials":[{"secret":"hunter2"}]}', /credentials\[0\]\.principal/],
    ['{"credentials":[{"principal":"a","secret":["hunter2"]}]}', /credentials\[0\]\.secret/],
    ['{"credentials":[{"principal":"a","secret":"x"},{"principal":"a","secret":"hunter2"}]}', /credentials\[1\]/],
    ['{"credentials": hunter2', /JSON/],
  ];
  for (const [text, expected] of wrong) {
    const parsed = parseCredentials(text);
    assert.ok(!parsed.ok, text);
    assert.match(parsed.error, expected);
    assert.doesNotMatch(parsed.error, /hunter2/);
  }
});

test('files that others may read are told of', () => {
  const path = join(directory, 'credentials');
  writeFileSync(path, 'a s', { mode: 0o600 });
  const closed = readCredentials(`file://${path}`);
  assert.ok(closed.ok);
  assert.deepEqual(closed.value.warnings, []);
  chmodSync(path, 0o644);
  const open = readCredentials(path);
  assert.ok(open.ok);
  assert.match(open.value.warnings[0] ?? '', /mode 644/);
  assert.ok(!readCredentials(join(directory, 'nowhere')).ok);
  writeFileSync(path, 'key\n');
  const read = readKey(path);
  assert.ok(read.ok && Buffer.from(read.value.value).toString() === 'key\n');
});

test('tokens: the example of RFC 7515, A.1', () => {
  const rfcKey = Buffer.from(
    'AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow',
    'base64url',
  );
  const token =
    'eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk';
  const claims = { iss: 'joe', exp: 1300819380, 'http://example.com/is_root': true };
  assert.deepEqual(readToken(token, rfcKey, 1300819380_000), { ok: true, value: claims });
  assert.ok(!readToken(token, rfcKey, 1300819381_000).ok);
  assert.ok(!readToken(`${token.slice(0, -2)}AA`, rfcKey, 0).ok);
});

const encode = (json: unknown): string => Buffer.from(JSON.stringify(json)).toString('base64url');

test('tokens that are not to be trusted', () => {
  const good = makeToken({ cid: 'c' }, key);
  const [, body = '', signature = ''] = good.split('.');
  const bad: readonly (readonly [string, RegExp])[] = [
    [makeToken({ cid: 'c' }, Buffer.from('another')), /signature/],
    [`${encode({ alg: 'none' })}.${body}.`, /alg/],
    [`${encode({ alg: 'RS256' })}.${body}.${signature}`, /alg/],
    [`${encode({ alg: 'HS256', crit: ['x'] })}.${body}.${signature}`, /crit/],
    [`${encode({ alg: 'HS256', typ: 1 })}.${body}.${signature}`, /typ/],
    [`${encode({ alg: 'HS256', typ: 'JWT' })}.${encode({ cid: 'other' })}.${signature}`, /signature/],
    [makeToken({ exp: '1' }, key), /exp/],
    [makeToken({ exp: 9 }, key), /expired/],
    [`${body}.${signature}`, /three/],
    [`${good}.x`, /three/],
    ['!.!.!', /base64url/],
  ];
  for (const [token, expected] of bad) {
    const read = readToken(token, key, 10_000);
    assert.ok(!read.ok, token);
    assert.match(read.error, expected);
  }
});

test('realms: who is let in, and how the others are asked', () => {
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
  const unsaid = authenticate('executor', undefined, 0);
  assert.ok(!unsaid.ok);
  assert.equal(
    unsaid.error.headers?.['WWW-Authenticate'],
    'Basic realm="mesos-agent-executor",Bearer realm="mesos-agent-executor"',
  );
  const expired = authenticate('executor', `Bearer ${makeToken({ exp: 1 }, key)}`, 5_000);
  assert.match(expired.ok ? '' : (expired.error.headers?.['WWW-Authenticate'] ?? ''), /error="invalid_token".*expired/);
  assert.ok(!createHttpAuthentication({ component: 'master', realms: { readonly: 'basic' } }).ok);
  assert.ok(!createHttpAuthentication({ component: 'master', realms: { readonly: 'kerberos' }, secrets }).ok);
});

const dataOf = (text: string): string => Buffer.from(text).toString('base64');

test('CRAM-MD5: the example of RFC 2195, both sides', () => {
  const challenge = '<1896.697170952@postoffice.reston.mci.net>';
  const client = createCramMd5Client({ principal: 'tim', secret: 'tanstaaftanstaaf' }, 'agent@h:1');
  const server = createCramMd5Server(new Map([['tim', 'tanstaaftanstaaf']]), challenge);
  assert.deepEqual(client.begin(), { name: 'AuthenticateMessage', body: { pid: 'agent@h:1' } });
  const said: LibprocessMessage[] = [server.begin()];
  let message = said[0];
  let outcome: unknown;
  for (const side of [client, server, client, server, client]) {
    if (message === undefined) break;
    const { replies, end } = side.receive(message);
    message = replies[0];
    outcome = end;
    said.push(...replies);
  }
  assert.deepEqual(
    said.map(({ name }) => name),
    [
      'AuthenticationMechanismsMessage',
      'AuthenticationStartMessage',
      'AuthenticationStepMessage',
      'AuthenticationStepMessage',
      'AuthenticationCompletedMessage',
    ],
  );
  assert.deepEqual(said[2]?.body, { data: dataOf(challenge) });
  assert.deepEqual(said[3]?.body, { data: dataOf('tim b913a602c7eda7a495b4e6e7334d3890') });
  assert.deepEqual(outcome, { kind: 'authenticated', principal: 'tim' });
});

test('CRAM-MD5: what ends badly', () => {
  const start: LibprocessMessage = { name: 'AuthenticationStartMessage', body: { mechanism: 'CRAM-MD5' } };
  const step = (text: string): LibprocessMessage => ({
    name: 'AuthenticationStepMessage',
    body: { data: dataOf(text) },
  });
  const talk = (...messages: LibprocessMessage[]) => {
    const server = createCramMd5Server(secrets, '<1@h>');
    const last = messages.map((message) => server.receive(message)).at(-1);
    return [last?.replies[0]?.name, last?.end?.kind];
  };
  const error = ['AuthenticationErrorMessage', 'failed'];
  const refused = ['AuthenticationFailedMessage', 'refused'];
  assert.deepEqual(talk(start, step('alice 00000000000000000000000000000000')), refused);
  assert.deepEqual(talk(start, step('eve 00000000000000000000000000000000')), refused);
  assert.deepEqual(talk(start, step('nospace')), error);
  assert.deepEqual(talk(start, step(`alice ${'0'.repeat(2000)}`)), error);
  assert.deepEqual(talk(step('alice x')), error);
  assert.deepEqual(talk(start, start), error);
  assert.deepEqual(talk({ name: 'AuthenticationStartMessage', body: { mechanism: 'PLAIN' } }), error);
  const client = createCramMd5Client({ principal: 'alice', secret: 's' }, 'p@h:1');
  assert.equal(client.receive({ name: 'AuthenticationCompletedMessage', body: {} }).end?.kind, 'failed');
  assert.equal(client.receive({ name: 'AuthenticationFailedMessage', body: {} }).end?.kind, 'refused');
});

test('P1 to P3: registrations wait for authentication, the last one counts', () => {
  const sent: { to: string; from: string; message: LibprocessMessage }[] = [];
  const resumed: string[] = [];
  const peers = createPeerAuthentication<string>({
    secrets,
    timeoutMs: 15_000,
    host: 'h',
    random: () => String(sent.length),
    send: (to, from, message) => sent.push({ to, from, message }),
    link: () => {},
    resume: (held) => resumed.push(held),
    log: () => {},
  });
  const agent = pidOf('slave(1)', '10.0.0.1:5051');
  const speaker = pidOf('crammd5-authenticatee(1)', '10.0.0.1:5051');
  const run = (secret: string): void => {
    const client = createCramMd5Client({ principal: 'alice', secret }, agent);
    for (let at = sent.length - 1; at < sent.length; at++) {
      const { from, message } = sent[at] as (typeof sent)[number];
      for (const reply of client.receive(message).replies) peers.receive(from, speaker, reply);
    }
  };
  assert.deepEqual(peers.admit(agent, 'before'), { principal: undefined });
  peers.begin(speaker, agent, 0);
  assert.equal(peers.admit(agent, 'first'), 'waiting');
  peers.begin(speaker, agent, 1_000);
  assert.equal(peers.admit(agent, 'second'), 'waiting');
  assert.equal(
    peers.receive('crammd5-authenticator-session(1)', speaker, { name: 'PongAgentMessage', body: {} }),
    false,
  );
  run('a:secret');
  assert.deepEqual(resumed.splice(0), ['first', 'second']);
  assert.deepEqual(peers.admit(agent, 'after'), { principal: 'alice' });
  peers.begin(speaker, agent, 2_000);
  run('wrong');
  assert.deepEqual(peers.admit(agent, 'refused'), { principal: undefined });
  peers.begin(speaker, agent, 3_000);
  assert.equal(peers.nextMs(), 18_000);
  assert.equal(peers.admit(agent, 'late'), 'waiting');
  peers.tick(17_999);
  assert.deepEqual(resumed, []);
  peers.tick(18_000);
  assert.deepEqual(resumed, ['late']);
  peers.begin(speaker, agent, 4_000);
  run('a:secret');
  peers.lost('10.0.0.1:5051');
  assert.deepEqual(peers.admit(agent, 'lost'), { principal: undefined });
});

test('P4: strangers can make it hold only so much', () => {
  const resumed: number[] = [];
  const peers = createPeerAuthentication<number>({
    secrets,
    timeoutMs: 15_000,
    host: 'h',
    random: () => '',
    send: () => {},
    link: () => {},
    resume: (held) => resumed.push(held),
    log: () => {},
  });
  const pidOfNumber = (at: number) => pidOf(`slave(${at})`, '10.0.0.1:5051');
  for (let at = 0; at <= 10_000; at++) peers.begin(pidOfNumber(at), pidOfNumber(at), 0);
  assert.deepEqual(peers.admit(pidOfNumber(0), 0), { principal: undefined });
  for (let held = 1; held <= 20; held++) assert.equal(peers.admit(pidOfNumber(10_000), held), 'waiting');
  peers.tick(15_000);
  assert.deepEqual(resumed, [13, 14, 15, 16, 17, 18, 19, 20]);
});
