import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Pid, pidOf } from '@meseta/base';
import { createLogger, type Host } from '@meseta/platform';
import { createTestClock } from '@meseta/platform/testing/clock';
import { parseRateLimits } from '@meseta/security';
import type { LibprocessMessage } from '@meseta/wire';
import { decodeMessage, encodeMessage } from '@meseta/wire/libprocess-codec';
import type { MasterInput } from '../core/io.js';
import type { MasterState } from '../core/state.js';
import { createPeerGate } from './peer-gate.js';
import type { PeerSecurity } from './security.js';

const driver = pidOf('scheduler(1)', '10.0.0.2:9000');
const agent = pidOf('slave(1)', '10.0.0.3:5051');
const open: PeerSecurity = {
  secrets: new Map([['p', 's']]),
  authenticateAgents: false,
  authenticateFrameworks: false,
  authenticationTimeoutMs: 15_000,
  limits: undefined,
};
const subscribe: LibprocessMessage = {
  name: 'SchedulerCall',
  body: { type: 'SUBSCRIBE', subscribe: { framework_info: { user: 'u', name: 'n' } } },
};
const register: LibprocessMessage = {
  name: 'RegisterAgentMessage',
  body: { agent: { hostname: 'h' }, version: '1.0.0' },
};
const revive: LibprocessMessage = { name: 'SchedulerCall', body: { type: 'REVIVE', framework_id: { value: 'f' } } };

/** A gate whose master knows one driver, of the principal `p`. */
function gateWith(security: PeerSecurity) {
  const clock = createTestClock();
  const pushed: MasterInput[] = [];
  const sent: { readonly to: Pid; readonly message: LibprocessMessage }[] = [];
  const gate = createPeerGate({
    security,
    state: {
      frameworkByPid: new Map([[driver, 'f']]),
      frameworks: new Map([['f', { principal: 'p' }]]),
    } as unknown as MasterState,
    host: {
      address: '10.0.0.1:5050',
      link: () => {},
      send(to: Pid, _from: string, wireName: string, body: Uint8Array) {
        const decoded = decodeMessage(wireName, body);
        if (decoded.ok) sent.push({ to, message: decoded.value });
      },
    } as unknown as Host,
    clock,
    log: createLogger({ component: 'test', level: 'silent' }),
    push: (input) => pushed.push(input),
  });
  const say = (from: Pid, message: LibprocessMessage, to = 'master') => {
    const { wireName, bytes } = encodeMessage(message);
    return gate.receive({ to, from, wireName, body: bytes });
  };
  return { clock, pushed, sent, gate, say };
}

const errors = (sent: readonly { readonly message: LibprocessMessage }[]): readonly string[] =>
  sent.flatMap(({ message }) => (message.name === 'FrameworkErrorMessage' ? [message.body.message] : []));

test('E1: who must authenticate and has not does not reach the core', () => {
  const asked = gateWith({ ...open, authenticateAgents: true, authenticateFrameworks: true });
  asked.say(agent, register);
  asked.say(driver, subscribe);
  assert.deepEqual(asked.pushed, []);
  assert.match(errors(asked.sent).join(), /not authenticated/);
  const unasked = gateWith(open);
  unasked.say(agent, register);
  unasked.say(driver, subscribe);
  assert.equal(unasked.pushed.length, 2);
  assert.equal(unasked.say(agent, register, 'crammd5-authenticator-session(9)'), 'unknown');
  assert.equal(unasked.say(agent, register, 'stranger'), 'unknown');
});

test('E1: a driver of the older messages is asked for the same as one of calls', () => {
  const older: LibprocessMessage = { name: 'RegisterFrameworkMessage', body: { framework: { user: 'u', name: 'n' } } };
  const asked = gateWith({ ...open, authenticateFrameworks: true });
  asked.say(driver, older);
  assert.deepEqual(asked.pushed, []);
  assert.match(errors(asked.sent).join(), /not authenticated/);
  const unasked = gateWith(open);
  unasked.say(driver, older);
  assert.deepEqual(unasked.pushed, [{ kind: 'message', from: driver, message: subscribe, principal: undefined }]);
  unasked.say(driver, {
    name: 'ReregisterFrameworkMessage',
    body: { framework: { user: 'u', name: 'n' }, failover: true },
  });
  assert.match(errors(unasked.sent).join(), /framework\.id/);
});

test('a registration waits while its sender authenticates, and is worked on when that takes too long', () => {
  const { clock, pushed, say } = gateWith(open);
  say(agent, { name: 'AuthenticateMessage', body: { pid: agent } });
  say(agent, register);
  assert.deepEqual(
    pushed.map((input) => input.kind === 'message' && input.message.name),
    ['AuthenticateMessage'],
  );
  clock.advance(15_000);
  assert.equal(pushed.length, 2);
  assert.equal(clock.timers(), 0);
});

test('E2: messages beyond the rate wait in order with the loss of their connection; beyond the capacity they fail', () => {
  const limits = parseRateLimits('{"limits":[{"principal":"p","qps":1,"capacity":1}]}');
  assert.ok(limits.ok);
  const { clock, pushed, sent, gate, say } = gateWith({ ...open, limits: limits.value });
  say(driver, revive);
  say(driver, revive);
  say(driver, revive);
  gate.peerLost('10.0.0.2:9000');
  gate.peerLost('10.0.0.3:5051');
  say(agent, register);
  const kinds = () => pushed.map(({ kind }) => kind);
  assert.deepEqual(kinds(), ['message', 'peerLost', 'message']);
  assert.match(errors(sent).join(), /capacity\(1\) exceeded/);
  clock.advance(1_000);
  assert.deepEqual(kinds().slice(3), ['message']);
  clock.advance(1_000);
  assert.deepEqual(kinds().slice(4), ['peerLost']);
  assert.equal(clock.timers(), 0);
});
