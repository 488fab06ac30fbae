// What both sides of CRAM-MD5 hold, say and wait for, step by step.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Pid, pidOf } from '@meseta/base';
import type { LibprocessMessage } from '@meseta/wire';
import { type AuthenticateeOptions, createAuthenticatee } from './authenticatee.js';
import { createAuthenticator } from './authenticator.js';
import { createCramMd5Client, createCramMd5Server } from './cram-md5.js';

const MASTER_ADDRESS = '10.0.0.9:5050';
const master = pidOf('master', MASTER_ADDRESS);
const session = pidOf('crammd5-authenticator-session(1)', MASTER_ADDRESS);
const agent = pidOf('slave(1)', '10.0.0.1:5051');
const registration = (hostname: string): LibprocessMessage => ({
  name: 'RegisterAgentMessage',
  body: { agent: { hostname }, version: '1' },
});

/** An agent whose messages nobody hears, with what it does as text. */
function ownSide(options: Partial<AuthenticateeOptions> = {}) {
  const done: string[] = [];
  let secrets = 0;
  const own = createAuthenticatee({
    credential: { principal: 'agent', secret: 'right' },
    pid: agent,
    timeoutMinMs: 5_000,
    timeoutMaxMs: 60_000,
    backoffFactorMs: 1_000,
    random: () => 0.5,
    createSessionId: () => `s${++secrets}`,
    deliver: (to, from, { name, body }) => {
      const what =
        name === 'RegisterAgentMessage' ? body.agent?.hostname : name === 'AuthenticateMessage' ? body.pid : '';
      done.push(`${from} to ${to}: ${name} ${what}`.trim());
    },
    refused: () => done.push('refused'),
    connectionProven: (connection) => done.push(`proven ${connection}`),
    log: (level) => done.push(level),
    ...options,
  });
  return {
    own,
    did: () => done.splice(0),
    /** The master's side of the agent's attempt, over a connection. */
    answer(attempt: number, connection: number, secret = 'right', from: Pid = session): void {
      const side = createCramMd5Server(new Map([['agent', secret]]), '<1.2@m>');
      const client = createCramMd5Client({ principal: 'agent', secret: 'right' }, agent);
      const actor = `crammd5-authenticatee(s${attempt})`;
      let say: readonly LibprocessMessage[] = [side.begin()];
      while (say.length > 0) {
        for (const message of say) own.receive(actor, from, message, connection);
        say = say.flatMap((message) => client.receive(message).replies).flatMap((reply) => side.receive(reply).replies);
      }
    },
  };
}

const asks = (attempt: number): string =>
  `crammd5-authenticatee(s${attempt}) to ${master}: AuthenticateMessage slave(1)@10.0.0.1:5051`;
const replies = (attempt: number): string[] => [
  `crammd5-authenticatee(s${attempt}) to ${session}: AuthenticationStartMessage`,
  `crammd5-authenticatee(s${attempt}) to ${session}: AuthenticationStepMessage`,
];
const registers = (hostname: string): string => `slave(1) to ${master}: RegisterAgentMessage ${hostname}`;

test('AUTHENTICATEE-3: the time of an attempt is the least one and a part of a bound that doubles', () => {
  const cases: readonly (readonly [Partial<AuthenticateeOptions>, readonly number[]])[] = [
    [{}, [5_500, 6_000, 7_000, 9_000, 13_000, 21_000, 32_500, 32_500]],
    [{ random: () => 0 }, [5_000, 5_000, 5_000]],
    [{ random: () => 1, timeoutMaxMs: 8_000 }, [6_000, 7_000, 8_000, 8_000]],
    [{ random: () => 1, timeoutMaxMs: 5_000 }, [5_000, 5_000]],
    [{ random: () => 1, timeoutMaxMs: 1_000 }, [5_000, 5_000]],
  ];
  for (const [options, waits] of cases) {
    const { own, did } = ownSide(options);
    assert.equal(own.nextMs(), undefined);
    own.tick(1_000_000);
    own.send(master, 'slave(1)', registration('h'), 100);
    assert.deepEqual(did(), [asks(1)]);
    let now = 100;
    for (const [at, wait] of waits.entries()) {
      assert.equal(own.nextMs(), now + wait, `attempt ${at} of ${JSON.stringify(waits)}`);
      own.tick(now + wait - 1);
      assert.deepEqual(did(), [], 'before its time nothing is tried again');
      now += wait;
      own.tick(now);
      assert.deepEqual(did(), ['warning', asks(at + 2)]);
    }
  }
});

test('AUTHENTICATEE-1, AUTHENTICATEE-2: what leaves when, and from which actor', () => {
  const { own, did, answer } = ownSide();
  own.send(master, 'slave(1)', registration('first'), 0);
  own.tick(5_500);
  own.send(master, 'slave(1)', registration('last'), 5_600);
  assert.deepEqual(did(), [asks(1), 'warning', asks(2)], 'an attempt under way is not begun again');
  answer(1, 7);
  assert.deepEqual(did(), [], 'an attempt that was given up is over');
  answer(2, 7);
  assert.deepEqual(did(), [...replies(2), 'info', registers('last'), 'proven 7']);
  assert.equal(own.nextMs(), undefined);
  own.send(master, 'slave(1)', registration('again'), 6_000);
  assert.deepEqual(did(), [registers('again')]);

  for (const name of ['AgentRegisteredMessage', 'AgentReregisteredMessage'] as const) {
    const registered: LibprocessMessage = { name, body: { agent_id: { value: 'a' } } };
    const ignored: readonly (readonly [Pid, LibprocessMessage, number])[] = [
      [master, registered, 8],
      [pidOf('other', MASTER_ADDRESS), registered, 7],
      [master, { name: 'PingAgentMessage', body: { connected: true } }, 7],
    ];
    for (const [from, message, connection] of ignored) {
      assert.equal(own.receive('slave(1)', from, message, connection), false);
      own.send(master, 'slave(1)', registration('served'), 6_000);
      assert.deepEqual(did(), [registers('served')]);
    }
    own.receive('slave(1)', master, registered, 7);
    own.send(master, 'slave(1)', registration('next'), 7_000);
    const attempt = name === 'AgentRegisteredMessage' ? 3 : 4;
    assert.deepEqual(did(), [asks(attempt)]);
    assert.equal(own.nextMs(), 12_500, 'success makes the bound small again');
    answer(attempt, 7);
    assert.deepEqual(did(), [...replies(attempt), 'info', registers('next'), 'proven 7']);
  }

  own.peerLost('10.0.0.8:5050');
  own.send(master, 'slave(1)', registration('kept'), 8_000);
  assert.deepEqual(did(), [registers('kept')]);
  own.peerLost(MASTER_ADDRESS);
  own.send(master, 'slave(1)', registration('broken'), 8_000);
  assert.deepEqual(did(), [asks(5)]);
  const other = pidOf('master', '10.0.0.8:5050');
  own.send(other, 'slave(1)', registration('elsewhere'), 8_000);
  assert.deepEqual(did(), [asks(6).replace(MASTER_ADDRESS, '10.0.0.8:5050')], 'another master is another attempt');
  answer(6, 9);
  assert.deepEqual(did(), [], 'the one before is not at the address of the new one');
});

test('a refusal ends the attempt and drops what waited', () => {
  const { own, did, answer } = ownSide();
  own.send(master, 'slave(1)', registration('h'), 0);
  answer(1, 7, 'another');
  assert.deepEqual(did(), [asks(1), ...replies(1), 'refused']);
  assert.equal(own.nextMs(), undefined);
  assert.equal(own.isMasterConnection(7, master), false);
  own.requestProof(master, 0);
  answer(2, 7);
  assert.deepEqual(did(), [asks(2), ...replies(2), 'info', 'proven 7'], 'nothing waits any more');
});

test('an error is told, and the attempt goes on to its time', () => {
  const { own, did } = ownSide();
  own.send(master, 'slave(1)', registration('h'), 0);
  const error: LibprocessMessage = { name: 'AuthenticationErrorMessage', body: { error: 'No authenticator loaded' } };
  assert.equal(own.receive('crammd5-authenticatee(s1)', session, error, 7), true);
  assert.deepEqual(did(), [asks(1), 'warning']);
  assert.equal(own.nextMs(), 5_500);
  assert.equal(own.receive('crammd5-authenticatee(s0)', session, error, 7), true, 'an actor of ours that is gone');
  assert.equal(own.receive('crammd5', session, error, 7), false, 'no actor of ours');
  assert.deepEqual(did(), []);
});

test('AUTHENTICATEE-5: proof is asked for once in five seconds, and not while it is under way', () => {
  const { own, did, answer } = ownSide();
  own.requestProof(master, 0);
  assert.deepEqual(did(), [asks(1)]);
  own.requestProof(master, 5_400);
  assert.deepEqual(did(), [], 'one is under way');
  answer(1, 7);
  assert.deepEqual(did(), [...replies(1), 'info', 'proven 7']);
  own.requestProof(master, 4_999);
  assert.deepEqual(did(), []);
  own.requestProof(master, 5_000);
  assert.deepEqual(did(), [asks(2)]);
});

/** A master without peers, with what it sends, resumes and logs as text. */
function masterSide(more: { readonly secrets?: undefined } = {}) {
  const sent: { readonly from: string; readonly message: LibprocessMessage }[] = [];
  const done: string[] = [];
  const peers = createAuthenticator<string>({
    secrets: new Map([['agent', 'right']]),
    timeoutMs: 15_000,
    host: 'h',
    random: () => '1',
    send(to, from, message) {
      sent.push({ from, message });
      done.push(`${from} to ${to}: ${message.name}`);
    },
    resume: (held) => done.push(`resumes ${held}`),
    log: (level, text) => done.push(`${level}: ${text}`),
    ...more,
  });
  return { peers, sent, did: () => done.splice(0) };
}

const over = (connection: number, from: Pid = agent) => ({ from, connection });
const actor = (number: number): string => `crammd5-authenticator-session(${number})`;

test('AUTHENTICATOR-4: a peer begins for an actor at its own address', () => {
  const cases: readonly (readonly [from: string, pid: string, begins: boolean])[] = [
    ['x@10.0.0.1:5051', 'slave(1)@10.0.0.1:5051', true],
    ['x@10.0.0.1:5052', 'slave(1)@10.0.0.1:5051', false],
    ['x@10.0.0.2:5051', 'slave(1)@10.0.0.1:5051', false],
    ['x@10.0.0.1:5051', 'slave(1)', false],
    ['x', 'slave(1)', false],
  ];
  for (const [from, pid, begins] of cases) {
    const { peers, did } = masterSide();
    assert.equal(peers.begin(over(1, from as Pid), pid as Pid, 0), begins, `${from} for ${pid}`);
    assert.deepEqual(did(), begins ? [`${actor(1)} to ${from}: AuthenticationMechanismsMessage`] : []);
    assert.equal(peers.isKnown(pid as Pid), begins);
    assert.equal(peers.nextMs(), begins ? 15_000 : undefined);
  }
});

test('without secrets whoever begins is told so, and nobody waits', () => {
  const { peers, sent } = masterSide({ secrets: undefined });
  assert.equal(peers.begin(over(1), agent, 0), true);
  const body = { error: 'No authenticator loaded' };
  assert.deepEqual(sent, [{ from: 'master', message: { name: 'AuthenticationErrorMessage', body } }]);
  assert.deepEqual(peers.admit(over(1), 'at once'), { principal: undefined });
  assert.deepEqual([peers.isKnown(agent), peers.nextMs()], [false, undefined]);
});

test('AUTHENTICATOR-3: late sessions end together, what waited for them goes on as nobody’s', () => {
  const { peers, did } = masterSide();
  const others = [2, 3].map((at) => pidOf(`slave(${at})`, '10.0.0.1:5051'));
  peers.begin(over(1), agent, 0);
  for (const [at, pid] of others.entries()) peers.begin(over(at + 2, pid), pid, at + 1);
  assert.equal(peers.admit(over(1), 'a'), 'waiting');
  assert.equal(peers.admit(over(2, others[0] as Pid), 'b'), 'waiting');
  did();
  peers.tick(14_999);
  assert.deepEqual(did(), []);
  peers.tick(15_000);
  assert.deepEqual(did(), ['warning: authentication of slave(1)@10.0.0.1:5051 took longer than 15000 ms', 'resumes a']);
  assert.deepEqual([peers.isKnown(agent), peers.nextMs()], [false, 15_001]);
  peers.tick(20_000);
  assert.deepEqual(did(), [
    'warning: authentication of slave(2)@10.0.0.1:5051 and 1 others took longer than 15000 ms',
    'resumes b',
  ]);
  assert.equal(peers.nextMs(), undefined);
});

test('a pid is known while any connection has a session or a principal of it', () => {
  const { peers, sent, did } = masterSide();
  const authenticate = (connection: number, number: number, secret = 'right'): void => {
    peers.begin(over(connection), agent, 0);
    const client = createCramMd5Client({ principal: 'agent', secret }, agent);
    for (let at = sent.length - 1; at < sent.length; at++) {
      const message = sent[at]?.message as LibprocessMessage;
      for (const reply of client.receive(message).replies) {
        assert.equal(peers.receive(actor(number), over(connection), reply), true);
      }
    }
  };
  authenticate(1, 1);
  assert.deepEqual(did().slice(-2), [
    'info: authenticated slave(1)@10.0.0.1:5051 as "agent"',
    `${actor(1)} to ${agent}: AuthenticationCompletedMessage`,
  ]);
  authenticate(2, 2);
  authenticate(2, 3);
  assert.deepEqual(peers.connectionClosed(3), []);
  assert.deepEqual(peers.connectionClosed(1), [], 'it has authenticated on another one too');
  assert.equal(peers.isKnown(agent), true, 'on the other connection it still is');
  authenticate(2, 4, 'wrong');
  assert.deepEqual(did().slice(-2), [
    'warning: authentication of slave(1)@10.0.0.1:5051 failed: wrong principal or secret',
    `${actor(4)} to ${agent}: AuthenticationFailedMessage`,
  ]);
  assert.equal(peers.isKnown(agent), false, 'a failure ends what it was');
  peers.begin(over(2), agent, 0);
  assert.equal(peers.isKnown(agent), true);
  assert.deepEqual(peers.connectionClosed(2), [], 'it had authenticated as nobody');
  assert.equal(peers.isKnown(agent), false);
  assert.equal(peers.receive(actor(5), over(2), { name: 'AuthenticationErrorMessage', body: {} }), false);
  authenticate(4, 6);
  assert.deepEqual(peers.connectionClosed(4), [agent]);
  assert.deepEqual(peers.connectionClosed(4), [], 'once');
});
