import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { AgentInput, ConnectionId } from '@meseta/agent/core/io';
import type { ExecutorCall } from '@meseta/wire';
import { createExecutorApi } from './executor-api.js';

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
  const api = createExecutorApi(false, (input) => void inputs.push(input));
  const { data, ended } = api.accept({
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
  return { api, written, subscribe, ended, closedStreams };
}

const heartbeat = { type: 'HEARTBEAT' } as const;

test('SIMULATED-EXECUTOR-API-1: a request is answered by one reply, and receives no events', () => {
  const { api, written, subscribe } = connectExecutor();
  const connection = subscribe();
  api.event(connection, heartbeat);
  api.reply(connection, 400);
  api.reply(connection, 202);
  api.open(connection);
  api.event(connection, heartbeat);
  assert.deepEqual(written, [{ kind: 'reply', status: 400 }]);
});

test('SIMULATED-EXECUTOR-API-1: a request is answered by one open, and then by events', () => {
  const { api, written, subscribe } = connectExecutor();
  const connection = subscribe();
  api.event(connection, heartbeat);
  api.open(connection);
  api.open(connection);
  api.event(connection, heartbeat);
  api.reply(connection, 400);
  assert.deepEqual(written, [{ kind: 'opened' }, { kind: 'event', event: heartbeat }]);
});

test('SIMULATED-EXECUTOR-API-2: the core is notified once of a stream that its executor closed', () => {
  const { api, subscribe, ended, closedStreams } = connectExecutor();
  const connection = subscribe();
  api.open(connection);
  assert.deepEqual(closedStreams(), []);
  ended('closed');
  ended('broken');
  assert.deepEqual(closedStreams(), [{ kind: 'streamClosed', connection }]);
});

test('SIMULATED-EXECUTOR-API-2: the core is notified of a stream whose executor left before the core opened it', () => {
  const { api, written, subscribe, ended, closedStreams } = connectExecutor();
  const connection = subscribe();
  ended('closed');
  assert.deepEqual(closedStreams(), []);
  api.open(connection);
  assert.deepEqual(closedStreams(), [{ kind: 'streamClosed', connection }]);
  assert.deepEqual(written, []);
});

test('SIMULATED-EXECUTOR-API-2: the core is not notified of a stream that it closed, nor of a request that it replied to', () => {
  const { api, written, subscribe, ended, closedStreams } = connectExecutor();
  const streaming = subscribe();
  api.open(streaming);
  api.close(streaming);
  api.reply(subscribe(), 202);
  ended('closed');
  assert.deepEqual(closedStreams(), []);
  assert.deepEqual(written, [{ kind: 'opened' }, 'closed', { kind: 'reply', status: 202 }]);
});
