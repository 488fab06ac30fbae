import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Pid, pidOf } from '@meseta/base';
import { createLogger } from '@meseta/platform';
import type { LibprocessMessage } from '@meseta/wire';
import { encodeMessage } from '@meseta/wire/libprocess-codec';
import type { AgentInput } from '../core/io.js';
import { createAgentPeerGate } from './peer-gate.js';

const master = pidOf('master', '10.0.0.1:5050');
const observer = pidOf('slave-observer(1)', '10.0.0.1:5050');
const executor = pidOf('executor(1)', '10.0.0.2:40000');
const ids = { framework_id: { value: 'f' }, executor_id: { value: 'e' } };
const shutdown: LibprocessMessage = { name: 'ShutdownMessage', body: { message: 'bye' } };
const ping: LibprocessMessage = { name: 'PingAgentMessage', body: { connected: true } };
const register: LibprocessMessage = { name: 'RegisterExecutorMessage', body: ids };
const direct: LibprocessMessage = {
  name: 'FrameworkToExecutorMessage',
  body: { ...ids, agent_id: { value: 'a' }, data: 'AAAA' },
};
const status: LibprocessMessage = {
  name: 'StatusUpdateMessage',
  body: {
    update: {
      framework_id: { value: 'f' },
      status: { task_id: { value: 't' }, state: 'TASK_FINISHED' },
      timestamp: 1,
    },
  },
};

/** A gate of an agent for which connection 1 is proven to be the master's, or which has no credential. */
function gateWith({ checksPeers = true, executorsHaveTokens = false, proves = true } = {}) {
  const pushed: string[] = [];
  let asked = 0;
  let masters = 1;
  const gate = createAgentPeerGate({
    actor: 'slave(1)',
    checksPeers,
    executorsHaveTokens,
    log: createLogger({ component: 'test', level: 'silent' }),
    master: () => master,
    push: (input: AgentInput) => pushed.push(input.kind === 'message' ? input.message.name : input.kind),
    sender: {
      send: () => {},
      receive: (to) => to.startsWith('crammd5-authenticatee('),
      isMasterConnection: (connection) => !proves || connection === masters,
      requestProof: () => {
        asked++;
      },
      peerLost: () => {},
      connectionClosed: () => {},
      close: () => {},
    },
  });
  const connectionOf = (id: number, certifiedIps?: readonly string[]) => ({ id, ip: '10.0.0.9', certifiedIps });
  const say = (from: Pid, message: LibprocessMessage, connection = 1, certifiedIps?: readonly string[]) => {
    const { wireName, bytes } = encodeMessage(message);
    return gate.onMessage({
      to: 'slave(1)',
      from,
      wireName,
      body: bytes,
      connection: connectionOf(connection, certifiedIps),
    });
  };
  return {
    gate,
    pushed,
    say,
    asked: () => asked,
    dropped: () => gate.metrics().get('meseta/unauthenticated_messages')?.value,
    close: (id: number) => gate.onConnectionClosed(connectionOf(id)),
    prove(connection: number) {
      masters = connection;
      gate.proven(connection);
    },
  };
}

test("AGENT-GATE-1: messages in the master's name are accepted only over the connection proven to be the master's", () => {
  const at = gateWith();
  assert.equal(at.say(master, ping), 'registered');
  at.say(observer, ping);
  for (const from of [master, observer]) at.say(from, shutdown, 2);
  assert.deepEqual([at.pushed, at.asked()], [['PingAgentMessage', 'PingAgentMessage'], 2]);
  at.prove(1);
  assert.deepEqual([at.pushed.length, at.dropped()], [2, 2]);
  at.say(master, shutdown, 2);
  at.close(2);
  assert.deepEqual([at.pushed.length, at.dropped()], [2, 3]);
});

test('AGENT-GATE-1: messages over a new connection are passed on in order once it is proven to belong to the master', () => {
  const at = gateWith();
  at.say(observer, ping, 2);
  at.say(master, shutdown, 2);
  at.say(master, ping, 3);
  at.prove(2);
  assert.deepEqual(at.pushed, ['PingAgentMessage', 'ShutdownMessage']);
  assert.equal(at.dropped(), 1);
  at.say(master, ping, 1);
  assert.equal(at.pushed.length, 2, "the former connection is not the master's any more");
});

test("AGENT-GATE-1: an agent without a credential accepts every connection from the master's address", () => {
  const at = gateWith({ proves: false, checksPeers: false });
  for (const connection of [1, 2, 3]) at.say(master, ping, connection);
  assert.equal(at.pushed.length, 3);
});

test("AGENT-GATE-2: an executor's driver is bound to the connection over which it registered", () => {
  const at = gateWith();
  at.say(executor, status, 2);
  at.say(executor, register, 2);
  at.say(executor, register, 3);
  at.say(executor, status, 3);
  assert.deepEqual([at.pushed, at.dropped()], [['RegisterExecutorMessage'], 3]);
  at.say(executor, status, 2);
  at.close(2);
  at.say(executor, register, 3);
  at.say(executor, status, 3);
  assert.deepEqual(at.pushed.slice(1), ['StatusUpdateMessage', 'RegisterExecutorMessage', 'StatusUpdateMessage']);
  const open = gateWith({ checksPeers: false, proves: false });
  open.say(executor, register, 2);
  open.say(executor, status, 3);
  assert.equal(open.pushed.length, 2);
});

test('AGENT-GATE-2: the number of drivers of a connection is limited', () => {
  const at = gateWith();
  for (let number = 0; number < 100; number++) at.say(pidOf(`executor(${number})`, '10.0.0.5:1'), register, 2);
  assert.deepEqual([at.pushed.length, at.dropped()], [64, 36]);
  at.close(2);
  at.say(pidOf('executor(0)', '10.0.0.5:1'), register, 3);
  assert.equal(at.pushed.length, 65);
});

test('AGENT-GATE-3: where executors must present a token no driver can register', () => {
  const at = gateWith({ executorsHaveTokens: true });
  for (const message of [register, status]) at.say(executor, message, 2);
  assert.deepEqual([at.pushed, at.dropped()], [[], 2]);
});

test("AGENT-GATE-4: a scheduler's driver sends directly only with a client certificate, or where no peers are checked", () => {
  const scheduler = pidOf('scheduler(1)', '10.0.0.9:9000');
  const at = gateWith();
  at.say(scheduler, direct, 2);
  assert.deepEqual([at.pushed, at.dropped()], [[], 1]);
  at.say(scheduler, direct, 2, ['10.0.0.9']);
  const open = gateWith({ checksPeers: false, proves: false });
  open.say(scheduler, direct, 2);
  assert.deepEqual([at.pushed.length, open.pushed.length], [1, 1]);
});

test('AGENT-GATE-5: the number of waiting messages is limited, and dropped ones are counted', () => {
  const at = gateWith();
  for (let n = 0; n < 1_000; n++) at.say(master, ping, 2);
  for (let connection = 10; connection < 1_000; connection++) at.say(master, ping, connection);
  const dropped = at.dropped() ?? 0;
  assert.ok(dropped >= 1_990 - 64 - 16, String(dropped));
  at.say(master, ping, 5_000);
  at.prove(5_000);
  assert.equal(at.pushed.length, 1);
});
