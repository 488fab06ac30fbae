// The master's side of authentication.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Pid, pidOf } from '@meseta/base';
import type { LibprocessMessage } from '@meseta/wire';
import { createAuthenticator } from './authenticator.js';
import { createCramMd5Client } from './cram-md5.js';

const secrets = new Map([
  ['alice', 'a:secret'],
  ['bob builder', 'b'],
]);

/** The size that a registration has in these tests: its text is a number of MiB. */
const sizeOfText = (registration: string): number => (Number.parseInt(registration, 10) || 0) * 2 ** 20;

/** An authenticator; the messages that it sends and the registrations that it resumes are recorded. */
function createTestAuthenticator() {
  const sent: { to: string; from: string; message: LibprocessMessage }[] = [];
  const resumed: string[] = [];
  const authenticator = createAuthenticator<string>({
    secrets,
    timeoutMs: 15_000,
    host: 'h',
    random: () => String(sent.length),
    send: (to, from, message) => sent.push({ to, from, message }),
    sizeOf: sizeOfText,
    resume: (registration) => resumed.push(registration),
    log: () => {},
  });
  return { authenticator, sent, resumed };
}

const ownPid = pidOf('slave(1)', '10.0.0.1:5051');

/** The agent on its connection, and the actor that authenticates it there. */
const agent = { from: ownPid, connection: 1 };

const authenticatingActor = { from: pidOf('crammd5-authenticatee(1)', '10.0.0.1:5051'), connection: 1 };

/** Completes the authentication that was begun last. */
function completeAuthentication(
  { authenticator, sent }: ReturnType<typeof createTestAuthenticator>,
  secret: string,
  by = authenticatingActor,
): void {
  const client = createCramMd5Client({ principal: 'alice', secret }, ownPid);
  for (let at = sent.length - 1; at < sent.length; at++) {
    const { from, message } = sent[at] as (typeof sent)[number];
    for (const reply of client.receive(message).replies) authenticator.receive(from, by, reply);
  }
}

test('AUTHENTICATOR-1, AUTHENTICATOR-3: registrations wait for the last authentication of their pid, at most until its timeout', () => {
  const world = createTestAuthenticator();
  const { authenticator, resumed } = world;
  assert.deepEqual(
    authenticator.admit(agent, () => 'before'),
    { principal: undefined },
  );
  authenticator.begin(authenticatingActor, ownPid, 0);
  assert.equal(
    authenticator.admit(agent, () => 'first'),
    'waiting',
  );
  authenticator.begin(authenticatingActor, ownPid, 1_000);
  assert.equal(
    authenticator.admit(agent, () => 'second'),
    'waiting',
  );
  const pong: LibprocessMessage = { name: 'PongAgentMessage', body: {} };
  assert.equal(authenticator.receive('crammd5-authenticator-session(1)', authenticatingActor, pong), false);
  completeAuthentication(world, 'a:secret');
  assert.deepEqual(resumed.splice(0), ['first', 'second']);
  assert.deepEqual(
    authenticator.admit(agent, () => 'after'),
    { principal: 'alice' },
  );
  authenticator.begin(authenticatingActor, ownPid, 2_000);
  completeAuthentication(world, 'wrong');
  assert.deepEqual(
    authenticator.admit(agent, () => 'refused'),
    { principal: undefined },
  );
  authenticator.begin(authenticatingActor, ownPid, 3_000);
  assert.equal(authenticator.nextMs(), 18_000);
  assert.equal(
    authenticator.admit(agent, () => 'late'),
    'waiting',
  );
  authenticator.tick(17_999);
  assert.deepEqual(resumed, []);
  authenticator.tick(18_000);
  assert.deepEqual(resumed, ['late']);
  authenticator.begin(authenticatingActor, ownPid, 4_000);
  completeAuthentication(world, 'a:secret');
  assert.ok(authenticator.isKnown(ownPid));
  assert.deepEqual(authenticator.connectionClosed(1), [ownPid]);
  assert.deepEqual(
    authenticator.admit(agent, () => 'lost'),
    { principal: undefined },
  );
  assert.ok(!authenticator.isKnown(ownPid));
});

test('AUTHENTICATOR-2: a pid keeps its principal until another authentication of it ends', () => {
  const world = createTestAuthenticator();
  world.authenticator.begin(authenticatingActor, ownPid, 0);
  completeAuthentication(world, 'a:secret');
  world.authenticator.begin(authenticatingActor, ownPid, 0);
  assert.equal(world.authenticator.principalOf(agent), 'alice');
  completeAuthentication(world, 'wrong');
  assert.equal(world.authenticator.principalOf(agent), undefined);
});

test('AUTHENTICATOR-4: messages over another connection or from another address change nothing', () => {
  const world = createTestAuthenticator();
  const { authenticator, sent } = world;
  const elsewhere = { ...authenticatingActor, connection: 2 };
  authenticator.begin(authenticatingActor, ownPid, 0);
  for (let n = 0; n < 100; n++) {
    assert.ok(authenticator.begin(elsewhere, ownPid, 0));
    assert.ok(!authenticator.begin({ from: pidOf('x', '10.0.0.2:1'), connection: 3 }, ownPid, 0));
  }
  const start: LibprocessMessage = { name: 'AuthenticationStartMessage', body: { mechanism: 'CRAM-MD5' } };
  const before = sent.length;
  authenticator.receive('crammd5-authenticator-session(1)', elsewhere, start);
  authenticator.receive('crammd5-authenticator-session(1)', { ...authenticatingActor, from: ownPid }, start);
  assert.equal(sent.length, before);
  // The session of the agent's own connection continues.
  sent.push(sent[0] as (typeof sent)[number]);
  completeAuthentication(world, 'a:secret');
  assert.equal(authenticator.principalOf(agent), 'alice');
  assert.equal(authenticator.principalOf({ ...agent, connection: 2 }), undefined);
  assert.deepEqual(authenticator.connectionClosed(2), []);
  assert.equal(authenticator.principalOf(agent), 'alice');
});

const numbered = (number: number, connection = number) => ({
  from: pidOf(`slave(${number})`, '10.0.0.1:5051'),
  connection,
});

test('AUTHENTICATOR-5: when there are too many sessions, the oldest one ends', () => {
  const { authenticator } = createTestAuthenticator();
  for (let number = 0; number <= 10_000; number++) authenticator.begin(numbered(number), numbered(number).from, 0);
  assert.deepEqual(
    authenticator.admit(numbered(0), () => ''),
    { principal: undefined },
  );
  assert.equal(
    authenticator.admit(numbered(1), () => ''),
    'waiting',
  );
});

test('AUTHENTICATOR-5: of the registrations that wait for one session the last eight are kept', () => {
  const { authenticator, resumed } = createTestAuthenticator();
  authenticator.begin(numbered(1), numbered(1).from, 0);
  for (let n = 1; n <= 20; n++)
    assert.equal(
      authenticator.admit(numbered(1), () => String(n)),
      'waiting',
    );
  authenticator.tick(15_000);
  assert.deepEqual(resumed.map(Number), [13, 14, 15, 16, 17, 18, 19, 20]);
});

test('AUTHENTICATOR-5: registrations of more than 256 MiB do not wait; those of the connection with the most are dropped', () => {
  const { authenticator, resumed } = createTestAuthenticator();
  const begin = (number: number, connection: number): void => {
    authenticator.begin(numbered(number, connection), numbered(number).from, 0);
  };
  const admit = (number: number, connection: number, registration: string): void => {
    assert.equal(
      authenticator.admit(numbered(number, connection), () => registration),
      'waiting',
    );
  };
  begin(1, 1);
  begin(1, 2);
  begin(2, 2);
  admit(1, 1, '60 of 1');
  admit(1, 2, '90 of 2');
  // Another authentication of the pid takes the waiting registration over, and it counts once.
  begin(1, 2);
  admit(2, 2, '106 of 2');
  admit(1, 1, '1 of 1');
  admit(1, 2, '1 late');
  authenticator.tick(15_000);
  assert.deepEqual(resumed.splice(0), ['60 of 1', '1 of 1', '1 late']);
  // Registrations that were resumed, dropped or ended with their connection no longer count.
  begin(1, 3);
  admit(1, 3, '256 of 3');
  authenticator.connectionClosed(3);
  begin(1, 1);
  for (let n = 0; n < 20; n++) admit(1, 1, '32 of 1');
  authenticator.tick(30_000);
  assert.deepEqual(
    resumed,
    Array.from({ length: 8 }, () => '32 of 1'),
  );
});

test('AUTHENTICATOR-5: of the actors that have authenticated on one connection the last 10 000 are kept', () => {
  const world = createTestAuthenticator();
  const { authenticator } = world;
  const authenticate = (number: number): void => {
    authenticator.begin({ ...authenticatingActor, connection: 1 }, numbered(number).from, 0);
    completeAuthentication(world, 'a:secret');
  };
  for (let number = 0; number <= 10_000; number++) authenticate(number);
  assert.equal(authenticator.principalOf(numbered(0, 1)), undefined);
  assert.ok(!authenticator.isKnown(numbered(0).from));
  for (const number of [1, 10_000]) assert.equal(authenticator.principalOf(numbered(number, 1)), 'alice');
  assert.equal(authenticator.connectionClosed(1).length, 10_000);
});

test('AUTHENTICATOR-5: a pid above the limit cannot begin, as its session would keep it', () => {
  const { authenticator } = createTestAuthenticator();
  assert.equal(authenticator.begin(agent, pidOf('a'.repeat(1024), '10.0.0.1:5051'), 0), false);
  assert.equal(authenticator.nextMs(), undefined);
});

test('AUTHENTICATOR-5: a connection has at most 64 sessions; a pid that has one may begin again', () => {
  const { authenticator } = createTestAuthenticator();
  const begin = (number: number): boolean => authenticator.begin(numbered(number, 1), numbered(number).from, 0);
  for (let number = 0; number <= 64; number++) assert.equal(begin(number), number < 64);
  assert.equal(begin(0), true);
  assert.equal(begin(65), false);
  assert.equal(
    authenticator.admit(numbered(0, 1), () => ''),
    'waiting',
  );
  assert.deepEqual(
    authenticator.admit(numbered(64, 1), () => ''),
    { principal: undefined },
  );
});

test('AUTHENTICATOR-5: connections with many sessions do not evict the session of a connection with one', () => {
  const { authenticator } = createTestAuthenticator();
  const own = numbered(1, 1_000);
  authenticator.begin(own, own.from, 0);
  for (let connection = 0; connection < 400; connection++) {
    for (let at = 0; at < 64; at++) authenticator.begin(numbered(at, connection), numbered(at, connection).from, 0);
  }
  assert.equal(
    authenticator.admit(own, () => ''),
    'waiting',
  );
});

/** An authenticator whose messages, resumed registrations and log lines are recorded as text. */
function createRecorded(more: { readonly secrets?: undefined } = {}) {
  const sent: { readonly from: string; readonly message: LibprocessMessage }[] = [];
  const done: string[] = [];
  const authenticator = createAuthenticator<string>({
    secrets: new Map([['agent', 'right']]),
    timeoutMs: 15_000,
    host: 'h',
    random: () => '1',
    send(to, from, message) {
      sent.push({ from, message });
      done.push(`${from} to ${to}: ${message.name}`);
    },
    sizeOf: sizeOfText,
    resume: (registration) => done.push(`resumes ${registration}`),
    log: (level, text) => done.push(`${level}: ${text}`),
    ...more,
  });
  return { authenticator, sent, takeActions: () => done.splice(0) };
}

const over = (connection: number, from: Pid = ownPid) => ({ from, connection });

const actor = (number: number): string => `crammd5-authenticator-session(${number})`;

test('AUTHENTICATOR-4: a peer can begin to authenticate only an actor at its own address', () => {
  const cases: readonly (readonly [from: string, pid: string, begins: boolean])[] = [
    ['x@10.0.0.1:5051', 'slave(1)@10.0.0.1:5051', true],
    ['x@10.0.0.1:5052', 'slave(1)@10.0.0.1:5051', false],
    ['x@10.0.0.2:5051', 'slave(1)@10.0.0.1:5051', false],
    ['x@10.0.0.1:5051', 'slave(1)', false],
    ['x', 'slave(1)', false],
  ];
  for (const [from, pid, begins] of cases) {
    const { authenticator, takeActions } = createRecorded();
    assert.equal(authenticator.begin(over(1, from as Pid), pid as Pid, 0), begins, `${from} for ${pid}`);
    assert.deepEqual(takeActions(), begins ? [`${actor(1)} to ${from}: AuthenticationMechanismsMessage`] : []);
    assert.equal(authenticator.isKnown(pid as Pid), begins);
    assert.equal(authenticator.nextMs(), begins ? 15_000 : undefined);
  }
});

test('without secrets every authentication is answered with an error, and no registration waits', () => {
  const { authenticator, sent } = createRecorded({ secrets: undefined });
  assert.equal(authenticator.begin(over(1), ownPid, 0), true);
  const body = { error: 'No authenticator loaded' };
  assert.deepEqual(sent, [{ from: 'master', message: { name: 'AuthenticationErrorMessage', body } }]);
  assert.deepEqual(
    authenticator.admit(over(1), () => 'at once'),
    { principal: undefined },
  );
  assert.deepEqual([authenticator.isKnown(ownPid), authenticator.nextMs()], [false, undefined]);
});

test('AUTHENTICATOR-3: sessions past their timeout end together; the registrations that waited go on without a principal', () => {
  const { authenticator, takeActions } = createRecorded();
  const others = [2, 3].map((at) => pidOf(`slave(${at})`, '10.0.0.1:5051'));
  authenticator.begin(over(1), ownPid, 0);
  for (const [at, pid] of others.entries()) authenticator.begin(over(at + 2, pid), pid, at + 1);
  assert.equal(
    authenticator.admit(over(1), () => 'a'),
    'waiting',
  );
  assert.equal(
    authenticator.admit(over(2, others[0] as Pid), () => 'b'),
    'waiting',
  );
  takeActions();
  authenticator.tick(14_999);
  assert.deepEqual(takeActions(), []);
  authenticator.tick(15_000);
  assert.deepEqual(takeActions(), [
    'warning: authentication of slave(1)@10.0.0.1:5051 took longer than 15000 ms',
    'resumes a',
  ]);
  assert.deepEqual([authenticator.isKnown(ownPid), authenticator.nextMs()], [false, 15_001]);
  authenticator.tick(20_000);
  assert.deepEqual(takeActions(), [
    'warning: authentication of slave(2)@10.0.0.1:5051 and 1 others took longer than 15000 ms',
    'resumes b',
  ]);
  assert.equal(authenticator.nextMs(), undefined);
});

test('a pid is known while any connection has a session or a principal for it', () => {
  const { authenticator, sent, takeActions } = createRecorded();
  const authenticate = (connection: number, number: number, secret = 'right'): void => {
    authenticator.begin(over(connection), ownPid, 0);
    const client = createCramMd5Client({ principal: 'agent', secret }, ownPid);
    for (let at = sent.length - 1; at < sent.length; at++) {
      const message = sent[at]?.message as LibprocessMessage;
      for (const reply of client.receive(message).replies) {
        assert.equal(authenticator.receive(actor(number), over(connection), reply), true);
      }
    }
  };
  authenticate(1, 1);
  assert.deepEqual(takeActions().slice(-2), [
    'info: authenticated slave(1)@10.0.0.1:5051 as "agent"',
    `${actor(1)} to ${ownPid}: AuthenticationCompletedMessage`,
  ]);
  authenticate(2, 2);
  authenticate(2, 3);
  assert.deepEqual(authenticator.connectionClosed(3), []);
  assert.deepEqual(authenticator.connectionClosed(1), [], 'the pid has authenticated on another connection too');
  assert.equal(authenticator.isKnown(ownPid), true, 'the pid is known on the other connection');
  authenticate(2, 4, 'wrong');
  assert.deepEqual(takeActions().slice(-2), [
    'warning: authentication of slave(1)@10.0.0.1:5051 failed: wrong principal or secret',
    `${actor(4)} to ${ownPid}: AuthenticationFailedMessage`,
  ]);
  assert.equal(authenticator.isKnown(ownPid), false, 'a failed authentication removes the principal');
  authenticator.begin(over(2), ownPid, 0);
  assert.equal(authenticator.isKnown(ownPid), true);
  assert.deepEqual(authenticator.connectionClosed(2), [], 'the pid had no principal');
  assert.equal(authenticator.isKnown(ownPid), false);
  assert.equal(authenticator.receive(actor(5), over(2), { name: 'AuthenticationErrorMessage', body: {} }), false);
  authenticate(4, 6);
  assert.deepEqual(authenticator.connectionClosed(4), [ownPid]);
  assert.deepEqual(authenticator.connectionClosed(4), [], 'once');
});
