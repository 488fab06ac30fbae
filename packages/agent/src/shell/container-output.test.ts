// The streams of the output of containers, over HTTP.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtemp, rm, truncate, writeFile } from 'node:fs/promises';
import { createServer, type ServerResponse } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { type ContainerId, LIMITS } from '@meseta/base';
import { createFiles } from '@meseta/platform/files';
import { createLocalAuthorizer } from '@meseta/security';
import type { AgentCall, AgentProcessIO } from '@meseta/wire';
import { AgentProcessIOCodec } from '@meseta/wire/codecs';
import { recordReader } from '@meseta/wire/recordio';
import type { ConnectionId } from '../core/io.js';
import { registeredWorld } from '../core/testing.js';
import { createAttachments } from './attachments.js';
import { type CallReply, type ContainerCallOptions, serveContainerCall } from './container-calls.js';

const container_id = { value: 'dbg', parent: { value: 'p' } };
const containerId = 'c' as ContainerId;
const session: AgentCall = {
  type: 'LAUNCH_NESTED_CONTAINER_SESSION',
  launch_nested_container_session: { container_id },
};

const ACCEPTED: CallReply = { kind: 'callReply', connection: 'call 0' as ConnectionId, status: 200, text: '' };

/**
 * Serves sessions of a container that wrote `stdout`. `ask` is called with the type of each call to the core, which answers
 * calls that wait with `waitStatus`.
 */
async function serveSession(
  t: TestContext,
  stdout: (path: string) => Promise<void>,
  ask: (type: string) => Promise<void>,
  waitStatus: CallReply['status'] = 200,
  { heartbeatMs = 30_000, call = session } = {},
): Promise<{ readonly port: number; readonly nextResponse: Promise<ServerResponse> }> {
  const sandbox = await mkdtemp(join(tmpdir(), 'session-'));
  t.after(() => rm(sandbox, { recursive: true }));
  await stdout(join(sandbox, 'stdout'));
  const answer = async ({ type }: AgentCall): Promise<CallReply> => {
    await ask(type ?? '');
    return { ...ACCEPTED, container: { containerId, sandbox }, status: type === 'WAIT_CONTAINER' ? waitStatus : 200 };
  };
  const options: ContainerCallOptions = {
    files: createFiles(),
    core: registeredWorld().core,
    gate: { authorizer: createLocalAuthorizer({}) },
    containerCalls: { ask: answer, askWhileConnected: answer },
    attachments: createAttachments(),
    heartbeatMs,
  };
  const server = createServer();
  const nextResponse = new Promise<ServerResponse>((resolve) => {
    server.on('request', (request, response) => {
      void serveContainerCall(options, { request, response, principal: undefined }, call);
      resolve(response);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return { port: (server.address() as AddressInfo).port, nextResponse };
}

function requestWithoutReading(t: TestContext, port: number): Socket {
  const client = connect(port, '127.0.0.1');
  t.after(() => client.destroy());
  client.write('POST /api/v1 HTTP/1.1\r\nHost: x\r\nAccept: application/json\r\nContent-Length: 0\r\n\r\n');
  return client;
}

test('CONTAINER-OUTPUT-2: a session ends with its output, and its ended container is not removed', async (t) => {
  const asked: string[] = [];
  const { port } = await serveSession(
    t,
    (path) => writeFile(path, 'hello'),
    async (type) => void asked.push(type),
  );
  const answer = await fetch(`http://127.0.0.1:${port}/`, { headers: { accept: 'application/json' } });
  assert.match(await answer.text(), new RegExp(Buffer.from('hello').toString('base64')));
  assert.deepEqual(asked, ['LAUNCH_NESTED_CONTAINER_SESSION', 'WAIT_CONTAINER']);
});

test('CONTAINER-OUTPUT-1: the container is killed whose client closed the connection during the launch', async (t) => {
  let launched = (): void => {};
  let killed = (): void => {};
  const isKilled = new Promise<void>((resolve) => {
    killed = resolve;
  });
  const { port, nextResponse } = await serveSession(
    t,
    (path) => writeFile(path, ''),
    (type) =>
      new Promise((resolve) => {
        if (type === 'LAUNCH_NESTED_CONTAINER_SESSION') launched = resolve;
        if (type === 'KILL_NESTED_CONTAINER') killed();
      }),
  );
  const client = requestWithoutReading(t, port);
  const response = await nextResponse;
  const closed = once(response, 'close');
  client.destroy();
  await closed;
  launched();
  await isKilled;
});

test('CONTAINER-OUTPUT-1: a session for whose end the agent can wait no more is cut, and its container is killed', async (t) => {
  let killed = (): void => {};
  const isKilled = new Promise<void>((resolve) => {
    killed = resolve;
  });
  const { port } = await serveSession(
    t,
    (path) => writeFile(path, ''),
    async (type) => {
      if (type === 'KILL_NESTED_CONTAINER') killed();
    },
    500,
  );
  const answer = await fetch(`http://127.0.0.1:${port}/`, { headers: { accept: 'application/json' } });
  await assert.rejects(answer.text());
  await isKilled;
});

test('CONTAINER-OUTPUT-3: output that a client does not read is not buffered', async (t) => {
  const { port, nextResponse } = await serveSession(
    t,
    async (path) => {
      await writeFile(path, '');
      await truncate(path, 2 ** 28);
    },
    (type) => (type === 'WAIT_CONTAINER' ? new Promise(() => {}) : Promise.resolve()),
  );
  requestWithoutReading(t, port);
  const response = await nextResponse;
  // Until the buffers of the kernel are full.
  while (!response.writableNeedDrain) await new Promise((resolve) => setImmediate(resolve));
  for (let turns = 0; turns < 100; turns++) await new Promise((resolve) => setImmediate(resolve));
  assert.ok(response.writableLength < 2 ** 20, `${response.writableLength} bytes are buffered`);
});

const attach: AgentCall = { type: 'ATTACH_CONTAINER_OUTPUT', attach_container_output: { container_id } };
const never = (type: string): Promise<void> => (type === 'WAIT_CONTAINER' ? new Promise(() => {}) : Promise.resolve());

test('an output stream has heartbeats in its interval', async (t) => {
  const { port } = await serveSession(t, (path) => writeFile(path, ''), never, 200, { heartbeatMs: 20 });
  const answer = await fetch(`http://127.0.0.1:${port}/`, { headers: { accept: 'application/json' } });
  const reader = recordReader(2 ** 20);
  const seen: AgentProcessIO[] = [];
  for await (const chunk of answer.body ?? []) {
    const records = reader.push(chunk);
    assert.ok(records.ok);
    for (const record of records.value) {
      const io = AgentProcessIOCodec.parse(Buffer.from(record).toString());
      if (io.ok) seen.push(io.value);
    }
    if (seen.length >= 2) break;
  }
  const heartbeat = { interval: { nanoseconds: 20_000_000 } };
  assert.deepEqual(seen[1], { type: 'CONTROL', control: { type: 'HEARTBEAT', heartbeat } });
});

test('ATTACHMENTS-2: the clients that read the output of a container are limited, and one that leaves makes room', async (t) => {
  const { port } = await serveSession(t, (path) => writeFile(path, ''), never, 200, { call: attach });
  // A response that nothing refers to is collected, which closes its connection.
  const open = async (): Promise<{ response: Response; close(): void }> => {
    const abort = new AbortController();
    const { signal } = abort;
    const response = await fetch(`http://127.0.0.1:${port}/`, { headers: { accept: 'application/json' }, signal });
    return { response, close: () => abort.abort() };
  };
  const clients = [];
  for (let count = 0; count < LIMITS.attachedOutputs.most; count++) clients.push(await open());
  assert.ok(clients.every(({ response }) => response.status === 200));
  assert.equal((await open()).response.status, 503);
  clients[0]?.close();
  for (;;) {
    const again = await open();
    clients.push(again);
    if (again.response.status === 200) break;
  }
  for (const client of clients) client.close();
});
