import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Pid, pidOf } from '@meseta/base';
import type { LibprocessMessage } from '@meseta/wire';
import { createAuthenticatee } from './authenticatee.js';
import { createAuthenticator } from './authenticator.js';

const address = '10.0.0.1:5051';
const agent = pidOf('slave(1)', address);
const master = pidOf('master', '10.0.0.9:5050');
const register: LibprocessMessage = {
  name: 'RegisterAgentMessage',
  body: { agent: { hostname: 'h' }, version: '1' },
};

/** An agent and a master with nothing but their authentication between them. */
function world(secret: string) {
  const got: string[] = [];
  const refused: string[] = [];
  const proven: number[] = [];
  let secrets = 0;
  let deaf = false;
  /** Over which connection the master speaks. */
  let masters = 7;
  const own = createAuthenticatee({
    credential: { principal: 'agent', secret },
    pid: agent,
    timeoutMinMs: 5_000,
    timeoutMaxMs: 60_000,
    backoffFactorMs: 1_000,
    random: () => 1,
    deliver(to, from, message) {
      if (deaf) return;
      const sender = { from: pidOf(from, address), connection: 1 };
      if (message.name === 'AuthenticateMessage') peers.begin(sender, message.body.pid as Pid, 0);
      else if (to !== master) peers.receive(to.slice(0, to.indexOf('@')), sender, message);
      else got.push(`${message.name} of ${JSON.stringify(peers.admit({ from: agent, connection: 1 }, ''))}`);
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
      own.receive(to.slice(0, to.indexOf('@')), pidOf(from, '10.0.0.9:5050'), message, masters),
    resume: () => {},
    log: () => {},
  });
  return {
    own,
    got,
    refused,
    proven,
    hear: (yes: boolean) => {
      deaf = !yes;
    },
    masterSpeaksOver: (connection: number) => {
      masters = connection;
    },
  };
}

const known = 'RegisterAgentMessage of {"principal":"agent"}';

test('AUTHENTICATEE-1: a registration leaves after an authentication, which serves until the answer', () => {
  const { own, got } = world('right');
  own.send(master, 'slave(1)', { name: 'PongAgentMessage', body: {} }, 0);
  assert.deepEqual(got.splice(0), ['PongAgentMessage of {}']);
  own.send(master, 'slave(1)', register, 0);
  own.send(master, 'slave(1)', register, 0);
  assert.deepEqual(got.splice(0), [known, known]);
  const answer: LibprocessMessage = { name: 'AgentRegisteredMessage', body: { agent_id: { value: 'a' } } };
  assert.equal(own.receive('slave(1)', master, answer, 7), false);
  own.send(master, 'slave(1)', register, 0);
  assert.deepEqual(got.splice(0), [known]);
  own.peerLost('10.0.0.9:5050');
  own.send(master, 'slave(1)', register, 0);
  assert.deepEqual(got, [known]);
  assert.equal(own.nextMs(), undefined);
});

test('a refusal is told, and nothing is registered', () => {
  const { own, got, refused } = world('wrong');
  own.send(master, 'slave(1)', register, 0);
  assert.deepEqual([got, refused], [[], ['refused']]);
});

test('AUTHENTICATEE-2, AUTHENTICATEE-3: without an end it tries again, later each time, and the last registration leaves', () => {
  const { own, got, hear } = world('right');
  hear(false);
  own.send(master, 'slave(1)', register, 0);
  own.send(master, 'slave(1)', { name: 'ReregisterAgentMessage', body: { agent: { hostname: 'h' } } }, 10);
  const waits: number[] = [];
  let now = 0;
  for (let attempt = 0; attempt < 8; attempt++) {
    const next = own.nextMs() as number;
    waits.push(next - now);
    now = next;
    own.tick(now);
  }
  assert.deepEqual(waits, [6_000, 7_000, 9_000, 13_000, 21_000, 37_000, 60_000, 60_000]);
  hear(true);
  own.tick(own.nextMs() as number);
  assert.deepEqual(got, ['ReregisterAgentMessage of {"principal":"agent"}']);
});

test('AUTHENTICATEE-4: what answers nothing that was said changes nothing', () => {
  const { own, got, refused, proven, hear } = world('right');
  const speaker = pidOf('x', '10.0.0.9:5050');
  hear(false);
  own.send(master, 'slave(1)', register, 0);
  for (const actor of ['crammd5-authenticatee(1)', 'crammd5-authenticatee(secret-0)']) {
    for (const name of ['AuthenticationFailedMessage', 'AuthenticationCompletedMessage'] as const) {
      assert.equal(own.receive(actor, speaker, { name, body: {} }, 9), true);
    }
    own.receive(actor, speaker, { name: 'AuthenticationStepMessage', body: { data: '' } }, 9);
  }
  // It speaks for the master, but it is not at the master's address.
  const elsewhere = pidOf('x', '10.0.0.8:5050');
  own.receive('crammd5-authenticatee(secret-0)', elsewhere, { name: 'AuthenticationErrorMessage', body: {} }, 9);
  assert.deepEqual([got, refused, proven], [[], [], []]);
  hear(true);
  own.tick(own.nextMs() as number);
  assert.deepEqual([got, refused, proven], [[known], [], [7]]);
});

test("AUTHENTICATEE-5: the connection over which an authentication came to its end is the master's", () => {
  const { own, proven, masterSpeaksOver } = world('right');
  assert.equal(own.isMasterConnection(7, master), false);
  own.send(master, 'slave(1)', register, 0);
  assert.deepEqual([own.isMasterConnection(7, master), own.isMasterConnection(8, master)], [true, false]);
  assert.equal(own.isMasterConnection(7, pidOf('master', '10.0.0.8:5050')), false);
  masterSpeaksOver(8);
  own.requestProof(master, 10_000);
  assert.deepEqual(
    [own.isMasterConnection(7, master), own.isMasterConnection(8, master), proven],
    [false, true, [7, 8]],
  );
  masterSpeaksOver(9);
  own.requestProof(master, 14_999);
  assert.equal(own.isMasterConnection(9, master), false, 'strangers can make it ask only so often');
  own.connectionClosed(7);
  assert.equal(own.isMasterConnection(8, master), true);
  own.connectionClosed(8);
  assert.equal(own.isMasterConnection(8, master), false);
});
