import assert from 'node:assert/strict';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { pidOf } from '@meseta/base';
import type { LibprocessMessage } from '@meseta/wire';
import { createAuthenticator } from './authenticator.js';
import { createCramMd5Client, createCramMd5Server } from './cram-md5.js';
import { parseCredential, parseCredentials, readCredentials, readKey } from './credentials.js';
import { createHttpAuthentication } from './http-authentication.js';
import { makeToken, readToken } from './jwt.js';

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
  // What answers nothing is ignored.
  for (const name of ['AuthenticationCompletedMessage', 'AuthenticationFailedMessage'] as const) {
    assert.deepEqual(client.receive({ name, body: {} }), { replies: [] });
  }
});

/** The master's side, with what it sends and resumes. */
function createPeers() {
  const sent: { to: string; from: string; message: LibprocessMessage }[] = [];
  const resumed: string[] = [];
  const peers = createAuthenticator<string>({
    secrets,
    timeoutMs: 15_000,
    host: 'h',
    random: () => String(sent.length),
    send: (to, from, message) => sent.push({ to, from, message }),
    resume: (held) => resumed.push(held),
    log: () => {},
  });
  return { peers, sent, resumed };
}

const ownPid = pidOf('slave(1)', '10.0.0.1:5051');
/** The agent on its connection, and the actor that speaks for it there. */
const agent = { from: ownPid, connection: 1 };
const speaker = { from: pidOf('crammd5-authenticatee(1)', '10.0.0.1:5051'), connection: 1 };

/** Goes on with the authentication that was begun last. */
function run({ peers, sent }: ReturnType<typeof createPeers>, secret: string, by = speaker): void {
  const client = createCramMd5Client({ principal: 'alice', secret }, ownPid);
  for (let at = sent.length - 1; at < sent.length; at++) {
    const { from, message } = sent[at] as (typeof sent)[number];
    for (const reply of client.receive(message).replies) peers.receive(from, by, reply);
  }
}

test('AUTHENTICATOR-1, AUTHENTICATOR-3: registrations wait for authentication, the last one counts', () => {
  const at = createPeers();
  const { peers, resumed } = at;
  assert.deepEqual(peers.admit(agent, 'before'), { principal: undefined });
  peers.begin(speaker, ownPid, 0);
  assert.equal(peers.admit(agent, 'first'), 'waiting');
  peers.begin(speaker, ownPid, 1_000);
  assert.equal(peers.admit(agent, 'second'), 'waiting');
  const pong: LibprocessMessage = { name: 'PongAgentMessage', body: {} };
  assert.equal(peers.receive('crammd5-authenticator-session(1)', speaker, pong), false);
  run(at, 'a:secret');
  assert.deepEqual(resumed.splice(0), ['first', 'second']);
  assert.deepEqual(peers.admit(agent, 'after'), { principal: 'alice' });
  peers.begin(speaker, ownPid, 2_000);
  run(at, 'wrong');
  assert.deepEqual(peers.admit(agent, 'refused'), { principal: undefined });
  peers.begin(speaker, ownPid, 3_000);
  assert.equal(peers.nextMs(), 18_000);
  assert.equal(peers.admit(agent, 'late'), 'waiting');
  peers.tick(17_999);
  assert.deepEqual(resumed, []);
  peers.tick(18_000);
  assert.deepEqual(resumed, ['late']);
  peers.begin(speaker, ownPid, 4_000);
  run(at, 'a:secret');
  assert.ok(peers.isKnown(ownPid));
  assert.deepEqual(peers.connectionClosed(1), [ownPid]);
  assert.deepEqual(peers.admit(agent, 'lost'), { principal: undefined });
  assert.ok(!peers.isKnown(ownPid));
});

test('AUTHENTICATOR-2: who has authenticated stays so until another authentication has come to its end', () => {
  const at = createPeers();
  at.peers.begin(speaker, ownPid, 0);
  run(at, 'a:secret');
  at.peers.begin(speaker, ownPid, 0);
  assert.equal(at.peers.principalOf(agent), 'alice');
  run(at, 'wrong');
  assert.equal(at.peers.principalOf(agent), undefined);
});

test('AUTHENTICATOR-4: nothing that comes over another connection or from another address counts', () => {
  const at = createPeers();
  const { peers, sent } = at;
  const elsewhere = { ...speaker, connection: 2 };
  peers.begin(speaker, ownPid, 0);
  for (let n = 0; n < 100; n++) {
    assert.ok(peers.begin(elsewhere, ownPid, 0));
    assert.ok(!peers.begin({ from: pidOf('x', '10.0.0.2:1'), connection: 3 }, ownPid, 0));
  }
  const start: LibprocessMessage = { name: 'AuthenticationStartMessage', body: { mechanism: 'CRAM-MD5' } };
  const before = sent.length;
  peers.receive('crammd5-authenticator-session(1)', elsewhere, start);
  peers.receive('crammd5-authenticator-session(1)', { ...speaker, from: ownPid }, start);
  assert.equal(sent.length, before);
  // The session of the agent's own connection has gone on as if nothing had come.
  sent.push(sent[0] as (typeof sent)[number]);
  run(at, 'a:secret');
  assert.equal(peers.principalOf(agent), 'alice');
  assert.equal(peers.principalOf({ ...agent, connection: 2 }), undefined);
  assert.deepEqual(peers.connectionClosed(2), []);
  assert.equal(peers.principalOf(agent), 'alice');
});

test('AUTHENTICATOR-5: strangers can make it hold only so much', () => {
  const { peers, resumed } = createPeers();
  const numbered = (at: number) => ({ from: pidOf(`slave(${at})`, '10.0.0.1:5051'), connection: at });
  for (let at = 0; at <= 10_000; at++) peers.begin(numbered(at), numbered(at).from, 0);
  assert.deepEqual(peers.admit(numbered(0), ''), { principal: undefined });
  for (let held = 1; held <= 20; held++) assert.equal(peers.admit(numbered(10_000), String(held)), 'waiting');
  peers.tick(15_000);
  assert.deepEqual(resumed.map(Number), [13, 14, 15, 16, 17, 18, 19, 20]);
  for (let at = 0; at <= 64; at++) {
    assert.equal(peers.begin({ ...numbered(at), connection: 1 }, numbered(at).from, 20_000), at < 64);
  }
  assert.equal(peers.admit({ ...numbered(0), connection: 1 }, ''), 'waiting');
  assert.deepEqual(peers.admit({ ...numbered(64), connection: 1 }, ''), { principal: undefined });
});

test('AUTHENTICATOR-5: many connections with many attempts take no place from one that has one', () => {
  const { peers } = createPeers();
  const numbered = (at: number, connection: number) => ({ from: pidOf(`slave(${at})`, '10.0.0.1:5051'), connection });
  const own = numbered(1, 1_000);
  peers.begin(own, own.from, 0);
  for (let connection = 0; connection < 400; connection++) {
    for (let at = 0; at < 64; at++) peers.begin(numbered(at, connection), numbered(at, connection).from, 0);
  }
  assert.equal(peers.admit(own, ''), 'waiting');
});
