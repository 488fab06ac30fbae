import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type AgentId, type Pid, pidOf } from '@meseta/base';
import { createTestClock } from '@meseta/base/testing/clock';
import { createLogger, type PeerConnection } from '@meseta/platform';
import { LINES_PER_INTERVAL } from '@meseta/platform/log-limit';
import { createCramMd5Client, parseRateLimits } from '@meseta/security';
import type { LibprocessMessage, SchedulerV0Call } from '@meseta/wire';
import { decodeMessage, encodeMessage } from '@meseta/wire/libprocess-codec';
import type { MasterInput } from '../core/io.js';
import { createWorld } from '../core/testing.js';
import { createPeerGate } from './peer-gate.js';
import type { PeerSecurity } from './security.js';

const driver = pidOf('scheduler(1)', '10.0.0.2:9000');
const newcomer = pidOf('scheduler(2)', '10.0.0.2:9000');
const agent = pidOf('slave(1)', '10.0.0.3:5051');
const open: PeerSecurity = {
  secrets: new Map([['p', 's']]),
  authenticateAgents: false,
  authenticateFrameworks: false,
  authenticationTimeoutMs: 15_000,
  limits: undefined,
  maxAgentsPerAddress: 1_000,
};
const both = { ...open, authenticateAgents: true, authenticateFrameworks: true };
const subscribe: LibprocessMessage = {
  name: 'SchedulerCall',
  body: { type: 'SUBSCRIBE', subscribe: { framework_info: { user: 'u', name: 'n' } } },
};
const register: LibprocessMessage = {
  name: 'RegisterAgentMessage',
  body: { agent: { hostname: 'h' }, version: '1.0.0' },
};
const revive: LibprocessMessage = { name: 'SchedulerCall', body: { type: 'REVIVE', framework_id: { value: 'f' } } };

/** A gate whose master has one registered driver, with the principal `p`. */
function gateWith(security: PeerSecurity, write: (line: string) => void = () => {}) {
  const clock = createTestClock();
  const pushed: MasterInput[] = [];
  const world = createWorld();
  const subscribeAs = (from: Pid, principal: string, id?: string): void => {
    const info = { user: 'u', name: 'n', ...(id === undefined ? {} : { id: { value: id } }), principal };
    const body: SchedulerV0Call = {
      type: 'SUBSCRIBE',
      ...(id === undefined ? {} : { framework_id: { value: id } }),
      subscribe: { framework_info: info },
    };
    world.feed({ kind: 'message', from, message: { name: 'SchedulerCall', body } });
  };
  subscribeAs(driver, 'p', 'f');
  const { state } = world.master;
  const { byPid } = state.agents;
  const sent: { readonly to: Pid; readonly from: string; readonly message: LibprocessMessage }[] = [];
  const gate = createPeerGate({
    security,
    state,
    host: {
      address: '10.0.0.1:5050',
      send(to, from, wireName, body) {
        const decoded = decodeMessage(wireName, body);
        if (decoded.ok) sent.push({ to, from, message: decoded.value });
      },
    },
    clock,
    log: createLogger({ component: 'test', write }),
    push: (input) => pushed.push(input),
  });
  const over = (id: number): PeerConnection => ({ id, ip: '10.0.0.9', certifiedIps: undefined });
  const deliver = (from: Pid, message: LibprocessMessage, to = 'master', connection = 1) => {
    const { wireName, bytes } = encodeMessage(message);
    return gate.onMessage({ to, from, wireName, body: bytes, connection: over(connection) });
  };
  /** The whole of CRAM-MD5, over one connection. */
  const authenticate = (pid: Pid, connection: number, secret = 's') => {
    const client = createCramMd5Client({ principal: 'p', secret }, pid);
    const authenticatee = pidOf('crammd5-authenticatee(x)', pid.slice(pid.indexOf('@') + 1));
    deliver(authenticatee, client.begin(), 'master', connection);
    for (let at = sent.length - 1; at < sent.length; at++) {
      const { from, message } = sent[at] as (typeof sent)[number];
      for (const reply of client.receive(message).replies) deliver(authenticatee, reply, from, connection);
    }
  };
  const close = (connection: number) => gate.onConnectionClosed(over(connection));
  const dropped = () => gate.counters().get('meseta/unauthenticated_messages');
  const messages = (what: 'received' | 'processed') => gate.counters().get(`frameworks/p/messages_${what}`);
  const names = () => pushed.map((it) => (it.kind === 'message' ? it.message.name : it.kind));
  return { clock, pushed, subscribeAs, byPid, sent, gate, deliver, authenticate, close, dropped, messages, names };
}

const errors = (sent: readonly { readonly message: LibprocessMessage }[]): readonly string[] =>
  sent.flatMap(({ message }) => (message.name === 'FrameworkErrorMessage' ? [message.body.message] : []));

test('PEER-GATE-1: registrations of senders that must authenticate and have not do not reach the core', () => {
  const strict = gateWith(both);
  strict.deliver(agent, register);
  strict.deliver(newcomer, subscribe);
  assert.deepEqual(strict.pushed, []);
  assert.match(errors(strict.sent).join(), /not authenticated/);
  const lenient = gateWith(open);
  lenient.deliver(agent, register);
  lenient.deliver(driver, subscribe);
  assert.equal(lenient.pushed.length, 2);
  assert.equal(lenient.deliver(agent, register, 'crammd5-authenticator-session(9)'), 'unknown');
  assert.equal(lenient.deliver(agent, register, 'other'), 'unknown');
});

test('PEER-GATE-1: a registration that waited for the authentication reaches the core unchanged, with the principal', () => {
  const { authenticate, pushed, deliver } = gateWith(both);
  const authenticatee = pidOf('crammd5-authenticatee(x)', agent.slice(agent.indexOf('@') + 1));
  deliver(authenticatee, { name: 'AuthenticateMessage', body: { pid: agent } });
  deliver(agent, register);
  const registrations = () => pushed.filter((input) => input.kind === 'message' && input.from === agent);
  assert.deepEqual(registrations(), []);
  authenticate(agent, 1);
  const { wireName, bytes } = encodeMessage(register);
  const message = decodeMessage(wireName, bytes);
  assert.ok(message.ok);
  assert.deepEqual(registrations(), [{ kind: 'message', from: agent, message: message.value, principal: 'p' }]);
});

test('a connection counts as that of a registered peer only where the peer has authenticated', () => {
  const strict = gateWith(both);
  const ping: LibprocessMessage = { name: 'PingAgentMessage', body: { connected: true } };
  assert.equal(strict.deliver(driver, ping), 'accepted');
  strict.authenticate(driver, 2);
  assert.deepEqual(
    [strict.deliver(driver, ping, 'master', 2), strict.deliver(driver, ping, 'master', 1)],
    ['registered', 'accepted'],
  );
  assert.equal(gateWith(open).deliver(driver, ping), 'registered');
});

test('PEER-GATE-3: a peer that is authenticated on two connections is lost when both have closed', () => {
  const { authenticate, close, names, deliver } = gateWith(both);
  authenticate(driver, 1);
  authenticate(driver, 2);
  // The attempt of another process in its name is not an authentication.
  deliver(driver, { name: 'AuthenticateMessage', body: { pid: driver } }, 'master', 3);
  const isLost = () => names().includes('peerLost');
  close(1);
  assert.equal(isLost(), false);
  close(2);
  assert.equal(isLost(), true);
});

test('LOG-2: messages that cannot be decoded are logged at a limited rate', () => {
  const lines: string[] = [];
  const { gate } = gateWith(open, (line) => lines.push(line));
  const connection = { id: 1, ip: '10.0.0.9', certifiedIps: undefined };
  const message = { to: 'master', from: driver, wireName: 'mesos.internal.PingSlaveMessage', connection };
  for (let i = 0; i < 100; i++) gate.onMessage({ ...message, body: Buffer.from([255]) });
  assert.equal(lines.length, LINES_PER_INTERVAL.warning);
});

test('PEER-GATE-1: drivers that send RegisterFrameworkMessage must authenticate like drivers that send calls', () => {
  const older: LibprocessMessage = { name: 'RegisterFrameworkMessage', body: { framework: { user: 'u', name: 'n' } } };
  const strict = gateWith({ ...open, authenticateFrameworks: true });
  strict.deliver(newcomer, older);
  assert.deepEqual(strict.pushed, []);
  assert.match(errors(strict.sent).join(), /not authenticated/);
  const lenient = gateWith(open);
  lenient.deliver(driver, older);
  assert.deepEqual(lenient.pushed, [{ kind: 'message', from: driver, message: subscribe, principal: undefined }]);
  lenient.deliver(driver, {
    name: 'ReregisterFrameworkMessage',
    body: { framework: { user: 'u', name: 'n' }, failover: true },
  });
  assert.match(errors(lenient.sent).join(), /framework\.id/);
});

test('a registration waits while its sender authenticates, and is processed when that times out', () => {
  const { clock, pushed, deliver } = gateWith(open);
  deliver(agent, { name: 'AuthenticateMessage', body: { pid: agent } });
  deliver(agent, register);
  assert.deepEqual(
    pushed.map((input) => input.kind === 'message' && input.message.name),
    ['AuthenticateMessage'],
  );
  clock.advance(15_000);
  assert.equal(pushed.length, 2);
  assert.equal(clock.timerCount(), 0);
});

test('PEER-GATE-2: messages beyond the rate wait in order with the loss of their connection; beyond the capacity they fail', () => {
  const limits = parseRateLimits('{"limits":[{"principal":"p","qps":1,"capacity":1}]}');
  assert.ok(limits.ok);
  const { clock, pushed, sent, gate, deliver, messages } = gateWith({ ...open, limits: limits.value });
  deliver(driver, revive);
  deliver(driver, revive);
  deliver(driver, revive);
  gate.onPeerLost('10.0.0.2:9000');
  gate.onPeerLost('10.0.0.3:5051');
  deliver(agent, register);
  const kinds = () => pushed.map(({ kind }) => kind);
  assert.deepEqual(kinds(), ['message', 'message']);
  assert.match(errors(sent).join(), /capacity\(1\) exceeded/);
  assert.deepEqual([messages('received'), messages('processed')], [3, 1]);
  clock.advance(1_000);
  assert.deepEqual(kinds().slice(2), ['message']);
  assert.equal(messages('processed'), 2);
  clock.advance(1_000);
  assert.deepEqual(kinds().slice(3), ['peerLost']);
  assert.equal(clock.timerCount(), 0);
});

test('PEER-GATE-2: drivers at one address with limits of their own are each lost after their own messages', () => {
  const limits = parseRateLimits('{"limits":[{"principal":"p","qps":1},{"principal":"q","qps":0.5}]}');
  assert.ok(limits.ok);
  const { clock, pushed, gate, deliver, subscribeAs } = gateWith({ ...open, limits: limits.value });
  subscribeAs(newcomer, 'q');
  for (let i = 0; i < 3; i++) deliver(newcomer, revive);
  deliver(driver, revive);
  gate.onPeerLost('10.0.0.2:9000');
  clock.advance(10_000);
  const lastOf = (pid: Pid) =>
    pushed.filter((it) => (it.kind === 'message' ? it.from : 'pid' in it && it.pid) === pid).at(-1);
  assert.deepEqual([lastOf(driver)?.kind, lastOf(newcomer)?.kind], ['peerLost', 'peerLost']);
  assert.equal(pushed.length, 6);
});

const status: LibprocessMessage = {
  name: 'StatusUpdateMessage',
  body: {
    update: {
      framework_id: { value: 'f' },
      agent_id: { value: 'a' },
      status: { task_id: { value: 't' }, state: 'TASK_FINISHED' },
      timestamp: 1,
    },
  },
};
const ofAgents: readonly LibprocessMessage[] = [
  status,
  { name: 'PongAgentMessage', body: {} },
  { name: 'UnregisterAgentMessage', body: { agent_id: { value: 'a' } } },
  { name: 'UpdateAgentMessage', body: { agent_id: { value: 'a' } } },
];
const ofDrivers: readonly LibprocessMessage[] = [
  revive,
  { name: 'SchedulerCall', body: { type: 'TEARDOWN', framework_id: { value: 'f' } } },
  { name: 'KillTaskMessage', body: { framework_id: { value: 'f' }, task_id: { value: 't' } } },
  { name: 'DeactivateFrameworkMessage', body: { framework_id: { value: 'f' } } },
];

test('PEER-IDENTITY-1: messages of an authenticated sender are accepted on that connection and dropped on others', () => {
  const at = gateWith(both);
  at.authenticate(agent, 1);
  at.authenticate(driver, 2);
  at.pushed.splice(0);
  for (const message of [...ofAgents, register]) at.deliver(agent, message, 'master', 3);
  for (const message of [...ofDrivers, subscribe]) at.deliver(driver, message, 'master', 1);
  assert.deepEqual([at.names(), errors(at.sent), at.dropped()], [[], [], 10]);
  for (const message of [...ofAgents, register]) at.deliver(agent, message, 'master', 1);
  for (const message of [...ofDrivers, subscribe]) at.deliver(driver, message, 'master', 2);
  assert.equal(at.pushed.length, 10);
  assert.equal(at.dropped(), 10);
  at.close(1);
  at.deliver(agent, status, 'master', 1);
  assert.equal(at.dropped(), 11);
});

test('PEER-IDENTITY-1: a wrong secret does not authenticate, and a peer cannot authenticate another address', () => {
  const at = gateWith(both);
  at.authenticate(agent, 1, 'wrong');
  at.deliver(agent, register);
  const elsewhere = pidOf('x', '10.0.0.66:1');
  at.deliver(elsewhere, { name: 'AuthenticateMessage', body: { pid: agent } });
  assert.deepEqual(at.names(), ['AuthenticateMessage']);
  assert.equal(at.dropped(), 2);
});

test('PEER-IDENTITY-2: an address at the limit cannot register another agent; registered agents stay', () => {
  const at = gateWith({ ...open, maxAgentsPerAddress: 2 });
  const numbered = [1, 2, 3].map((n) => pidOf(`slave(${n})`, '10.0.0.3:5051'));
  for (const pid of numbered.slice(0, 2)) at.byPid.set(pid, 'id' as AgentId);
  for (const pid of numbered) at.deliver(pid, register);
  for (const pid of numbered) at.deliver(pid, register);
  assert.deepEqual(
    at.pushed.map((it) => it.kind === 'message' && it.from),
    [...numbered.slice(0, 2), ...numbered.slice(0, 2)],
  );
  assert.equal(at.gate.counters().get('meseta/agents_over_address_limit'), 2);
  at.byPid.delete(numbered[0] as Pid);
  at.deliver(numbered[2] as Pid, register);
  assert.equal(at.pushed.length, 5);
});

test('PEER-IDENTITY-3: a driver gets no error for a message that another peer sent in its name', () => {
  const at = gateWith({ ...both, authenticateAgents: false });
  at.authenticate(newcomer, 2);
  for (const victim of [driver, newcomer]) at.deliver(victim, subscribe, 'master', 3);
  at.deliver(driver, {
    name: 'ReregisterFrameworkMessage',
    body: { framework: { user: 'u', name: 'n' }, failover: true },
  });
  assert.deepEqual(errors(at.sent), []);
  at.deliver(pidOf('scheduler(3)', '10.0.0.4:1'), subscribe, 'master', 3);
  assert.equal(errors(at.sent).length, 1);
});

test('PEER-GATE-3: a registered peer is lost with the connection on which it had authenticated', () => {
  const at = gateWith(both);
  at.authenticate(driver, 2);
  at.authenticate(newcomer, 3);
  at.close(3);
  assert.ok(!at.names().includes('peerLost'), 'no peer was registered on that connection');
  at.close(2);
  assert.deepEqual(at.pushed.at(-1), { kind: 'peerLost', address: '10.0.0.2:9000' });
});
