import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { type TestContext, test } from 'node:test';
import { ok } from '@meseta/base';
import type { AgentInput, ConnectionId } from '../core/io.js';
import { createExecutorApi, type ExecutorApi } from './executor-api.js';

const SUBSCRIBE = {
  type: 'SUBSCRIBE',
  executor_id: { value: 'e' },
  framework_id: { value: 'f' },
  subscribe: {},
};

interface Subscription {
  readonly api: ExecutorApi;
  readonly connection: ConnectionId;
  readonly inputs: readonly AgentInput[];
  readonly client: Socket;
  readonly response: ServerResponse;
}

/** Sends the SUBSCRIBE of an executor, up to the core. */
async function subscribe(t: TestContext): Promise<Subscription> {
  const inputs: AgentInput[] = [];
  let onInput = (): void => {};
  const hasInput = new Promise<void>((resolve) => {
    onInput = resolve;
  });
  const api = createExecutorApi((input) => {
    inputs.push(input);
    onInput();
  });
  const bodies = { read: async () => ok(Buffer.from(JSON.stringify(SUBSCRIBE))) };
  const server = createServer();
  const requested = once(server, 'request');
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const client = connect((server.address() as AddressInfo).port, '127.0.0.1');
  t.after(() => {
    client.destroy();
    server.closeAllConnections();
    server.close();
  });
  client.setEncoding('utf8');
  client.write(
    'POST /api/v1/executor HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 0\r\n\r\n',
  );
  const [request, response] = (await requested) as [IncomingMessage, ServerResponse];
  await api.handle(bodies, { request, response, principal: undefined });
  await hasInput;
  const [first] = inputs;
  assert.equal(first?.kind, 'executorCall');
  const { connection } = first as Extract<AgentInput, { kind: 'executorCall' }>;
  return { api, connection, inputs, client, response };
}

const kindsOf = (inputs: readonly AgentInput[]): string[] => inputs.map(({ kind }) => kind);

test('EXECUTOR-API-1: a request is answered once', async (t) => {
  const { api, connection, client } = await subscribe(t);
  api.reply(connection, 403, 'first');
  api.reply(connection, 200, 'second');
  api.open(connection);
  const [text] = await once(client, 'data');
  assert.match(String(text), /^HTTP\/1.1 403 [\s\S]*first$/);
});

test('EXECUTOR-API-2: a stream that its executor closed is reported to the core once', async (t) => {
  const { api, connection, inputs, client, response } = await subscribe(t);
  api.open(connection);
  const closed = once(response, 'close');
  client.destroy();
  await closed;
  api.close(connection);
  assert.deepEqual(kindsOf(inputs), ['executorCall', 'streamClosed']);
});

test('EXECUTOR-API-2: a stream that the core closed is not reported to it', async (t) => {
  const { api, connection, inputs, client, response } = await subscribe(t);
  api.open(connection);
  const closed = once(response, 'close');
  api.close(connection);
  client.resume();
  await closed;
  assert.deepEqual(kindsOf(inputs), ['executorCall']);
});
