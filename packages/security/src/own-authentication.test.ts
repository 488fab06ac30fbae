import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Pid, pidOf } from '@meseta/base';
import type { LibprocessMessage } from '@meseta/wire';
import { createOwnAuthentication } from './own-authentication.js';
import { createPeerAuthentication } from './peer-authentication.js';

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
  let deaf = false;
  const own = createOwnAuthentication({
    credential: { principal: 'agent', secret },
    pid: agent,
    timeoutMinMs: 5_000,
    timeoutMaxMs: 60_000,
    backoffFactorMs: 1_000,
    random: () => 1,
    deliver(to, from, message) {
      if (deaf) return;
      if (message.name === 'AuthenticateMessage') peers.begin(pidOf(from, address), message.body.pid as Pid, 0);
      else if (to !== master) peers.receive(to.slice(0, to.indexOf('@')), pidOf(from, address), message);
      else got.push(`${message.name} of ${JSON.stringify(peers.admit(agent, ''))}`);
    },
    refused: () => refused.push('refused'),
    log: () => {},
  });
  const peers = createPeerAuthentication<string>({
    secrets: new Map([['agent', 'right']]),
    timeoutMs: 15_000,
    host: 'm',
    random: () => 'r',
    send: (to, from, message) => own.receive(to.slice(0, to.indexOf('@')), pidOf(from, '10.0.0.9:5050'), message),
    link: () => {},
    resume: () => {},
    log: () => {},
  });
  return { own, got, refused, hear: (yes: boolean) => (deaf = !yes) };
}

const known = 'RegisterAgentMessage of {"principal":"agent"}';

test('A1: a registration leaves after an authentication, which serves until the answer', () => {
  const { own, got } = world('right');
  own.send(master, 'slave(1)', { name: 'PongAgentMessage', body: {} }, 0);
  assert.deepEqual(got.splice(0), ['PongAgentMessage of {}']);
  own.send(master, 'slave(1)', register, 0);
  own.send(master, 'slave(1)', register, 0);
  assert.deepEqual(got.splice(0), [known, known]);
  const answer: LibprocessMessage = { name: 'AgentRegisteredMessage', body: { agent_id: { value: 'a' } } };
  assert.equal(own.receive('slave(1)', master, answer), false);
  own.send(master, 'slave(1)', register, 0);
  assert.deepEqual(got.splice(0), [known]);
  own.lost('10.0.0.9:5050');
  own.send(master, 'slave(1)', register, 0);
  assert.deepEqual(got, [known]);
  assert.equal(own.nextMs(), undefined);
});

test('a refusal is told, and nothing is registered', () => {
  const { own, got, refused } = world('wrong');
  own.send(master, 'slave(1)', register, 0);
  assert.deepEqual([got, refused], [[], ['refused']]);
});

test('A2, A3: without an end it tries again, later each time, and the last registration leaves', () => {
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
