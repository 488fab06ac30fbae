import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { AgentInput, ConnectionId } from '@meseta/agent/core/io';
import type { ExecutorCall } from '@meseta/wire';
import { createExecutorSide } from './executor-api.js';

const SUBSCRIBE: ExecutorCall = {
  type: 'SUBSCRIBE',
  executor_id: { value: 'executor' },
  framework_id: { value: 'framework' },
  subscribe: {},
};

/** One connection of an executor, what the agent wrote to it, and what the agent's core received. */
function connectExecutor() {
  const inputs: AgentInput[] = [];
  const written: unknown[] = [];
  const side = createExecutorSide(false, (input) => void inputs.push(input));
  const { data, ended } = side.accept({
    remote: 'executor',
    write: (answer) => void written.push(answer),
    close: () => void written.push('closed'),
  });
  const subscribe = (): ConnectionId => {
    data(SUBSCRIBE);
    const input = inputs.at(-1);
    assert(input?.kind === 'executorCall');
    return input.connection;
  };
  const closedStreams = (): readonly AgentInput[] => inputs.filter(({ kind }) => kind === 'streamClosed');
  return { side, written, subscribe, ended, closedStreams };
}

const heartbeat = { type: 'HEARTBEAT' } as const;

test('SIMULATED-EXECUTOR-API-1: a request is answered by one reply, and receives no events', () => {
  const { side, written, subscribe } = connectExecutor();
  const connection = subscribe();
  side.event(connection, heartbeat);
  side.reply(connection, 400);
  side.reply(connection, 202);
  side.open(connection);
  side.event(connection, heartbeat);
  assert.deepEqual(written, [{ kind: 'reply', status: 400 }]);
});

test('SIMULATED-EXECUTOR-API-1: a request is answered by one open, and then by events', () => {
  const { side, written, subscribe } = connectExecutor();
  const connection = subscribe();
  side.event(connection, heartbeat);
  side.open(connection);
  side.open(connection);
  side.event(connection, heartbeat);
  side.reply(connection, 400);
  assert.deepEqual(written, [{ kind: 'opened' }, { kind: 'event', event: heartbeat }]);
});

test('SIMULATED-EXECUTOR-API-2: the core is notified once of a stream that its executor closed', () => {
  const { side, subscribe, ended, closedStreams } = connectExecutor();
  const connection = subscribe();
  side.open(connection);
  assert.deepEqual(closedStreams(), []);
  ended('closed');
  ended('broken');
  assert.deepEqual(closedStreams(), [{ kind: 'streamClosed', connection }]);
});

test('SIMULATED-EXECUTOR-API-2: the core is notified of a stream whose executor left before the core opened it', () => {
  const { side, written, subscribe, ended, closedStreams } = connectExecutor();
  const connection = subscribe();
  ended('closed');
  assert.deepEqual(closedStreams(), []);
  side.open(connection);
  assert.deepEqual(closedStreams(), [{ kind: 'streamClosed', connection }]);
  assert.deepEqual(written, []);
});

test('SIMULATED-EXECUTOR-API-2: the core is not notified of a stream that it closed, nor of a request that it replied to', () => {
  const { side, written, subscribe, ended, closedStreams } = connectExecutor();
  const streaming = subscribe();
  side.open(streaming);
  side.close(streaming);
  side.reply(subscribe(), 202);
  ended('closed');
  assert.deepEqual(closedStreams(), []);
  assert.deepEqual(written, [{ kind: 'opened' }, 'closed', { kind: 'reply', status: 202 }]);
});
