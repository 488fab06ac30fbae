import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type ServerResponse } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { type TestContext, test } from 'node:test';
import type { BodyReader } from '@meseta/platform';
import type { AgentInput, ConnectionId } from '../core/io.js';
import { createExecutorApi, type ExecutorApi } from './executor-api.js';

const SUBSCRIBE = {
  type: 'SUBSCRIBE',
  executor_id: { value: 'e' },
  framework_id: { value: 'f' },
  subscribe: {},
};

interface Asked {
  readonly api: ExecutorApi;
  readonly connection: ConnectionId;
  readonly inputs: readonly AgentInput[];
  readonly client: Socket;
  readonly response: ServerResponse;
}

/** An executor on a socket has asked to be subscribed, and the core has heard of it. */
async function ask(t: TestContext): Promise<Asked> {
  const inputs: AgentInput[] = [];
  let heard = (): void => {};
  const isHeard = new Promise<void>((resolve) => {
    heard = resolve;
  });
  const api = createExecutorApi((input) => {
    inputs.push(input);
    heard();
  });
  const bodies = { read: async () => ({ ok: true, value: Buffer.from(JSON.stringify(SUBSCRIBE)) }) };
  const server = createServer();
  const asked = once(server, 'request');
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
  const [request, response] = (await asked) as [unknown, ServerResponse];
  await api.handle(bodies as unknown as BodyReader, { request, response, principal: undefined } as never);
  await isHeard;
  const [first] = inputs;
  assert.equal(first?.kind, 'executorCall');
  const { connection } = first as Extract<AgentInput, { kind: 'executorCall' }>;
  return { api, connection, inputs, client, response };
}

const kindsOf = (inputs: readonly AgentInput[]): string[] => inputs.map(({ kind }) => kind);

test('EXECUTOR-API-1: a request is answered once', async (t) => {
  const { api, connection, client } = await ask(t);
  api.reply(connection, 403, 'first');
  api.reply(connection, 200, 'second');
  api.open(connection);
  const [text] = await once(client, 'data');
  assert.match(String(text), /^HTTP\/1.1 403 [\s\S]*first$/);
});

test('EXECUTOR-API-2: the core learns once that an executor closed its stream', async (t) => {
  const { api, connection, inputs, client, response } = await ask(t);
  api.open(connection);
  const closed = once(response, 'close');
  client.destroy();
  await closed;
  api.close(connection);
  assert.deepEqual(kindsOf(inputs), ['executorCall', 'streamClosed']);
});

test('EXECUTOR-API-2: the core does not learn of a stream that it closed itself', async (t) => {
  const { api, connection, inputs, client, response } = await ask(t);
  api.open(connection);
  const closed = once(response, 'close');
  api.close(connection);
  client.resume();
  await closed;
  assert.deepEqual(kindsOf(inputs), ['executorCall']);
});
