// The agent's side of authentication.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Pid, pidOf } from '@meseta/base';
import type { LibprocessMessage } from '@meseta/wire';
import { type AuthenticateeOptions, createAuthenticatee } from './authenticatee.js';
import { createAuthenticator } from './authenticator.js';
import { createCramMd5Client, createCramMd5Server } from './cram-md5.js';

const address = '10.0.0.1:5051';

const agent = pidOf('slave(1)', address);

const MASTER_ADDRESS = '10.0.0.9:5050';
const master = pidOf('master', MASTER_ADDRESS);

const register: LibprocessMessage = {
  name: 'RegisterAgentMessage',
  body: { agent: { hostname: 'h' }, version: '1' },
};

/** An agent and a master that exchange only the messages of an authentication. */
function createPair(secret: string) {
  const got: string[] = [];
  const refused: string[] = [];
  const proven: number[] = [];
  let secrets = 0;
  let isPartitioned = false;
  /** The agent's incoming connection from the master. */
  let masterConnection = 7;
  const authenticatee = createAuthenticatee({
    credential: { principal: 'agent', secret },
    pid: agent,
    timeoutMinMs: 5_000,
    timeoutMaxMs: 60_000,
    backoffFactorMs: 1_000,
    random: () => 1,
    deliver(to, from, message) {
      if (isPartitioned) return;
      const sender = { from: pidOf(from, address), connection: 1 };
      if (message.name === 'AuthenticateMessage') peers.begin(sender, message.body.pid as Pid, 0);
      else if (to !== master) peers.receive(to.slice(0, to.indexOf('@')), sender, message);
      else got.push(`${message.name} of ${JSON.stringify(peers.admit({ from: agent, connection: 1 }, () => ''))}`);
    },
    createSessionId: () => `secret-${secrets++}`,
    connectionProven: (connection) => proven.push(connection),
    refused: () => refused.push('refused'),
    log: () => {},
  });
  const peers = createAuthenticator<string>({
    secrets: new Map([['agent', 'right']]),
    timeoutMs: 15_000,
    host: 'm',
    random: () => 'r',
    send: (to, from, message) =>
      authenticatee.receive(to.slice(0, to.indexOf('@')), pidOf(from, '10.0.0.9:5050'), message, masterConnection),
    sizeOf: ({ length }) => length,
    resume: () => {},
    log: () => {},
  });
  return {
    authenticatee,
    got,
    refused,
    proven,
    setPartitioned(value: boolean) {
      isPartitioned = value;
    },
    setMasterConnection(connection: number) {
      masterConnection = connection;
    },
  };
}

const registeredAsAgent = 'RegisterAgentMessage of {"principal":"agent"}';

test('AUTHENTICATEE-1: a registration is sent after an authentication, which serves until the registration is answered', () => {
  const { authenticatee, got } = createPair('right');
  authenticatee.send(master, 'slave(1)', { name: 'PongAgentMessage', body: {} }, 0);
  assert.deepEqual(got.splice(0), ['PongAgentMessage of {}']);
  authenticatee.send(master, 'slave(1)', register, 0);
  authenticatee.send(master, 'slave(1)', register, 0);
  assert.deepEqual(got.splice(0), [registeredAsAgent, registeredAsAgent]);
  const answer: LibprocessMessage = { name: 'AgentRegisteredMessage', body: { agent_id: { value: 'a' } } };
  assert.equal(authenticatee.receive('slave(1)', master, answer, 7), false);
  authenticatee.send(master, 'slave(1)', register, 0);
  assert.deepEqual(got.splice(0), [registeredAsAgent]);
  authenticatee.peerLost('10.0.0.9:5050');
  authenticatee.send(master, 'slave(1)', register, 0);
  assert.deepEqual(got, [registeredAsAgent]);
  assert.equal(authenticatee.nextMs(), undefined);
});

test('a rejected authentication is reported, and no registration is sent', () => {
  const { authenticatee, got, refused } = createPair('wrong');
  authenticatee.send(master, 'slave(1)', register, 0);
  assert.deepEqual([got, refused], [[], ['refused']]);
});

test('AUTHENTICATEE-2, AUTHENTICATEE-3: attempts without a result are repeated with growing timeouts; only the last registration is sent', () => {
  const { authenticatee, got, setPartitioned } = createPair('right');
  setPartitioned(true);
  authenticatee.send(master, 'slave(1)', register, 0);
  authenticatee.send(master, 'slave(1)', { name: 'ReregisterAgentMessage', body: { agent: { hostname: 'h' } } }, 10);
  const waits: number[] = [];
  let now = 0;
  for (let attempt = 0; attempt < 8; attempt++) {
    const next = authenticatee.nextMs() as number;
    waits.push(next - now);
    now = next;
    authenticatee.tick(now);
  }
  assert.deepEqual(waits, [6_000, 7_000, 9_000, 13_000, 21_000, 37_000, 60_000, 60_000]);
  setPartitioned(false);
  authenticatee.tick(authenticatee.nextMs() as number);
  assert.deepEqual(got, ['ReregisterAgentMessage of {"principal":"agent"}']);
});

test('AUTHENTICATEE-4: messages out of turn, or from another address, change nothing', () => {
  const { authenticatee, got, refused, proven, setPartitioned } = createPair('right');
  const masterActor = pidOf('x', '10.0.0.9:5050');
  setPartitioned(true);
  authenticatee.send(master, 'slave(1)', register, 0);
  for (const actor of ['crammd5-authenticatee(1)', 'crammd5-authenticatee(secret-0)']) {
    for (const name of ['AuthenticationFailedMessage', 'AuthenticationCompletedMessage'] as const) {
      assert.equal(authenticatee.receive(actor, masterActor, { name, body: {} }, 9), true);
    }
    authenticatee.receive(actor, masterActor, { name: 'AuthenticationStepMessage', body: { data: '' } }, 9);
  }
  // An actor that is not at the master's address.
  const elsewhere = pidOf('x', '10.0.0.8:5050');
  authenticatee.receive(
    'crammd5-authenticatee(secret-0)',
    elsewhere,
    { name: 'AuthenticationErrorMessage', body: {} },
    9,
  );
  assert.deepEqual([got, refused, proven], [[], [], []]);
  setPartitioned(false);
  authenticatee.tick(authenticatee.nextMs() as number);
  assert.deepEqual([got, refused, proven], [[registeredAsAgent], [], [7]]);
});

test("AUTHENTICATEE-5: the connection over which an authentication was completed is the master's", () => {
  const { authenticatee, proven, setMasterConnection } = createPair('right');
  assert.equal(authenticatee.isMasterConnection(7, master), false);
  authenticatee.send(master, 'slave(1)', register, 0);
  assert.deepEqual(
    [authenticatee.isMasterConnection(7, master), authenticatee.isMasterConnection(8, master)],
    [true, false],
  );
  assert.equal(authenticatee.isMasterConnection(7, pidOf('master', '10.0.0.8:5050')), false);
  setMasterConnection(8);
  authenticatee.requestProof(master, 10_000);
  assert.deepEqual(
    [authenticatee.isMasterConnection(7, master), authenticatee.isMasterConnection(8, master), proven],
    [false, true, [7, 8]],
  );
  setMasterConnection(9);
  authenticatee.requestProof(master, 14_999);
  assert.equal(authenticatee.isMasterConnection(9, master), false, 'strangers can make it ask only so often');
  authenticatee.connectionClosed(7);
  assert.equal(authenticatee.isMasterConnection(8, master), true);
  authenticatee.connectionClosed(8);
  assert.equal(authenticatee.isMasterConnection(8, master), false);
});

const session = pidOf('crammd5-authenticator-session(1)', MASTER_ADDRESS);

const registration = (hostname: string): LibprocessMessage => ({
  name: 'RegisterAgentMessage',
  body: { agent: { hostname }, version: '1' },
});

/** An agent whose messages reach no master; its actions are recorded as text. */
function createLoneAgent(options: Partial<AuthenticateeOptions> = {}) {
  const done: string[] = [];
  let secrets = 0;
  const authenticatee = createAuthenticatee({
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
    authenticatee,
    takeActions: () => done.splice(0),
    /** The master's side of the agent's attempt, over a connection. */
    answer(attempt: number, connection: number, secret = 'right', from: Pid = session): void {
      const side = createCramMd5Server(new Map([['agent', secret]]), '<1.2@m>');
      const client = createCramMd5Client({ principal: 'agent', secret: 'right' }, agent);
      const actor = `crammd5-authenticatee(s${attempt})`;
      let pending: readonly LibprocessMessage[] = [side.begin()];
      while (pending.length > 0) {
        for (const message of pending) authenticatee.receive(actor, from, message, connection);
        pending = pending
          .flatMap((message) => client.receive(message).replies)
          .flatMap((reply) => side.receive(reply).replies);
      }
    },
  };
}

const begins = (attempt: number): string =>
  `crammd5-authenticatee(s${attempt}) to ${master}: AuthenticateMessage slave(1)@10.0.0.1:5051`;

const replies = (attempt: number): string[] => [
  `crammd5-authenticatee(s${attempt}) to ${session}: AuthenticationStartMessage`,
  `crammd5-authenticatee(s${attempt}) to ${session}: AuthenticationStepMessage`,
];

const registers = (hostname: string): string => `slave(1) to ${master}: RegisterAgentMessage ${hostname}`;

test('AUTHENTICATEE-3: the timeout of an attempt is the minimum plus a random part of a bound that doubles up to the maximum', () => {
  const cases: readonly (readonly [Partial<AuthenticateeOptions>, readonly number[]])[] = [
    [{}, [5_500, 6_000, 7_000, 9_000, 13_000, 21_000, 32_500, 32_500]],
    [{ random: () => 0 }, [5_000, 5_000, 5_000]],
    [{ random: () => 1, timeoutMaxMs: 8_000 }, [6_000, 7_000, 8_000, 8_000]],
    [{ random: () => 1, timeoutMaxMs: 5_000 }, [5_000, 5_000]],
    [{ random: () => 1, timeoutMaxMs: 1_000 }, [5_000, 5_000]],
  ];
  for (const [options, waits] of cases) {
    const { authenticatee, takeActions } = createLoneAgent(options);
    assert.equal(authenticatee.nextMs(), undefined);
    authenticatee.tick(1_000_000);
    authenticatee.send(master, 'slave(1)', registration('h'), 100);
    assert.deepEqual(takeActions(), [begins(1)]);
    let now = 100;
    for (const [at, wait] of waits.entries()) {
      assert.equal(authenticatee.nextMs(), now + wait, `attempt ${at} of ${JSON.stringify(waits)}`);
      authenticatee.tick(now + wait - 1);
      assert.deepEqual(takeActions(), [], 'before its time nothing is tried again');
      now += wait;
      authenticatee.tick(now);
      assert.deepEqual(takeActions(), ['warning', begins(at + 2)]);
    }
  }
});

test('AUTHENTICATEE-1, AUTHENTICATEE-2: which messages are sent when, and from which actor', () => {
  const { authenticatee, takeActions, answer } = createLoneAgent();
  authenticatee.send(master, 'slave(1)', registration('first'), 0);
  authenticatee.tick(5_500);
  authenticatee.send(master, 'slave(1)', registration('last'), 5_600);
  assert.deepEqual(takeActions(), [begins(1), 'warning', begins(2)], 'an attempt under way is not begun again');
  answer(1, 7);
  assert.deepEqual(takeActions(), [], 'an attempt that was given up is over');
  answer(2, 7);
  assert.deepEqual(takeActions(), [...replies(2), 'info', registers('last'), 'proven 7']);
  assert.equal(authenticatee.nextMs(), undefined);
  authenticatee.send(master, 'slave(1)', registration('again'), 6_000);
  assert.deepEqual(takeActions(), [registers('again')]);

  for (const name of ['AgentRegisteredMessage', 'AgentReregisteredMessage'] as const) {
    const registered: LibprocessMessage = { name, body: { agent_id: { value: 'a' } } };
    const ignored: readonly (readonly [Pid, LibprocessMessage, number])[] = [
      [master, registered, 8],
      [pidOf('other', MASTER_ADDRESS), registered, 7],
      [master, { name: 'PingAgentMessage', body: { connected: true } }, 7],
    ];
    for (const [from, message, connection] of ignored) {
      assert.equal(authenticatee.receive('slave(1)', from, message, connection), false);
      authenticatee.send(master, 'slave(1)', registration('served'), 6_000);
      assert.deepEqual(takeActions(), [registers('served')]);
    }
    authenticatee.receive('slave(1)', master, registered, 7);
    authenticatee.send(master, 'slave(1)', registration('next'), 7_000);
    const attempt = name === 'AgentRegisteredMessage' ? 3 : 4;
    assert.deepEqual(takeActions(), [begins(attempt)]);
    assert.equal(authenticatee.nextMs(), 12_500, 'success makes the bound small again');
    answer(attempt, 7);
    assert.deepEqual(takeActions(), [...replies(attempt), 'info', registers('next'), 'proven 7']);
  }

  authenticatee.peerLost('10.0.0.8:5050');
  authenticatee.send(master, 'slave(1)', registration('kept'), 8_000);
  assert.deepEqual(takeActions(), [registers('kept')]);
  authenticatee.peerLost(MASTER_ADDRESS);
  authenticatee.send(master, 'slave(1)', registration('broken'), 8_000);
  assert.deepEqual(takeActions(), [begins(5)]);
  const other = pidOf('master', '10.0.0.8:5050');
  authenticatee.send(other, 'slave(1)', registration('elsewhere'), 8_000);
  assert.deepEqual(
    takeActions(),
    [begins(6).replace(MASTER_ADDRESS, '10.0.0.8:5050')],
    'another master is another attempt',
  );
  answer(6, 9);
  assert.deepEqual(takeActions(), [], 'the one before is not at the address of the new one');
});

test('a rejected authentication ends the attempt and drops the waiting registration', () => {
  const { authenticatee, takeActions, answer } = createLoneAgent();
  authenticatee.send(master, 'slave(1)', registration('h'), 0);
  answer(1, 7, 'another');
  assert.deepEqual(takeActions(), [begins(1), ...replies(1), 'refused']);
  assert.equal(authenticatee.nextMs(), undefined);
  assert.equal(authenticatee.isMasterConnection(7, master), false);
  authenticatee.requestProof(master, 0);
  answer(2, 7);
  assert.deepEqual(takeActions(), [begins(2), ...replies(2), 'info', 'proven 7'], 'nothing waits any more');
});

test('an error of the master is logged, and the attempt lasts until its timeout', () => {
  const { authenticatee, takeActions } = createLoneAgent();
  authenticatee.send(master, 'slave(1)', registration('h'), 0);
  const error: LibprocessMessage = { name: 'AuthenticationErrorMessage', body: { error: 'No authenticator loaded' } };
  assert.equal(authenticatee.receive('crammd5-authenticatee(s1)', session, error, 7), true);
  assert.deepEqual(takeActions(), [begins(1), 'warning']);
  assert.equal(authenticatee.nextMs(), 5_500);
  assert.equal(
    authenticatee.receive('crammd5-authenticatee(s0)', session, error, 7),
    true,
    'an actor of ours that is gone',
  );
  assert.equal(authenticatee.receive('crammd5', session, error, 7), false, 'no actor of ours');
  assert.deepEqual(takeActions(), []);
});

test('AUTHENTICATEE-5: a proof is requested at most once in five seconds, and not during an attempt', () => {
  const { authenticatee, takeActions, answer } = createLoneAgent();
  authenticatee.requestProof(master, 0);
  assert.deepEqual(takeActions(), [begins(1)]);
  authenticatee.requestProof(master, 5_400);
  assert.deepEqual(takeActions(), [], 'one is under way');
  answer(1, 7);
  assert.deepEqual(takeActions(), [...replies(1), 'info', 'proven 7']);
  authenticatee.requestProof(master, 4_999);
  assert.deepEqual(takeActions(), []);
  authenticatee.requestProof(master, 5_000);
  assert.deepEqual(takeActions(), [begins(2)]);
});
