import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtemp, rm, truncate, writeFile } from 'node:fs/promises';
import { createServer, IncomingMessage, ServerResponse } from 'node:http';
import { type AddressInfo, connect, Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { createFiles } from '@meseta/platform/files';
import { createLocalAuthorizer, principalOf } from '@meseta/security';
import type { ACLs, AgentCall } from '@meseta/wire';
import type { AgentInput, ConnectionId } from '../core/io.js';
import { registeredWorld, runToRunning, taskOf } from '../core/testing.js';
import {
  answerContainerCall,
  type CallReply,
  type ContainerCallOptions,
  createContainerCalls,
} from './container-calls.js';

const container_id = { value: 'dbg', parent: { value: 'p' } };
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
): Promise<{ readonly port: number; readonly nextResponse: Promise<ServerResponse> }> {
  const sandbox = await mkdtemp(join(tmpdir(), 'session-'));
  t.after(() => rm(sandbox, { recursive: true }));
  await stdout(join(sandbox, 'stdout'));
  const answer = async ({ type }: AgentCall): Promise<CallReply> => {
    await ask(type ?? '');
    return { ...ACCEPTED, sandbox, status: type === 'WAIT_CONTAINER' ? waitStatus : 200 };
  };
  const options: ContainerCallOptions = {
    files: createFiles(),
    core: registeredWorld().core,
    gate: { authorizer: createLocalAuthorizer({}) },
    containerCalls: { ask: answer, askWhileConnected: answer },
  };
  const server = createServer();
  const nextResponse = new Promise<ServerResponse>((resolve) => {
    server.on('request', (request, response) => {
      void answerContainerCall(options, { request, response, principal: undefined }, session);
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

test('CONTAINER-CALLS-2: a session ends with its output, and its ended container is not removed', async (t) => {
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

test('CONTAINER-CALLS-1: the container is killed whose client closed the connection during the launch', async (t) => {
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

test('CONTAINER-CALLS-1: a session for whose end the agent can wait no more is cut, and its container is killed', async (t) => {
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

test('CONTAINER-CALLS-4: a WAIT call is forgotten when its client disconnects, not when it is answered', async () => {
  const inputs: AgentInput[] = [];
  const calls = createContainerCalls((input) => inputs.push(input));
  const wait: AgentCall = { type: 'WAIT_CONTAINER', wait_container: { container_id } };
  const clients = [1, 2].map(() => new ServerResponse(new IncomingMessage(new Socket())));
  const replies = clients.map((client) => calls.askWhileConnected(wait, client));
  calls.reply(ACCEPTED);
  for (const client of clients) client.emit('close');
  assert.deepEqual(await Promise.all(replies), [ACCEPTED, undefined]);
  assert.deepEqual(inputs.slice(2), [{ kind: 'containerCallClosed', connection: 'call 1', id: container_id }]);
  const [closed] = clients;
  closed?.destroy();
  assert.equal(closed && (await calls.askWhileConnected(wait, closed)), undefined);
});

test('CONTAINER-CALLS-3: output that a client does not read is not buffered', async (t) => {
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

test('a nested launch is authorized for the user that its command will run as, named or inherited', async () => {
  const world = registeredWorld({ switchUser: true });
  const nobody = runToRunning(world, taskOf('n', { command: { value: 'sleep 60', user: 'nobody' } }));
  const root = runToRunning(world, taskOf('r', { command: { value: 'sleep 60', user: 'root' } }));
  const anybody = { principals: { type: 'ANY' }, users: { type: 'ANY' } } as const;
  const acls: ACLs = {
    permissive: false,
    launch_nested_containers_under_parent_with_user: [anybody],
    launch_nested_containers_as_user: [{ principals: { type: 'ANY' }, users: { values: ['nobody'] } }],
  };
  const options: ContainerCallOptions = {
    files: createFiles(),
    core: world.core,
    gate: { authorizer: createLocalAuthorizer(acls) },
    containerCalls: { ask: async () => ACCEPTED, askWhileConnected: async () => ACCEPTED },
  };
  const statusOf = async (parent: string, user?: string): Promise<number> => {
    const command = { value: 'true', ...(user === undefined ? {} : { user }) };
    const launch = { container_id: { value: 'c', parent: { value: parent } }, command };
    const call: AgentCall = { type: 'LAUNCH_NESTED_CONTAINER', launch_nested_container: launch };
    const request = new IncomingMessage(new Socket());
    request.headers.accept = 'application/json';
    const response = new ServerResponse(request);
    await answerContainerCall(options, { request, response, principal: principalOf('x') }, call);
    return response.statusCode;
  };
  assert.equal(await statusOf(nobody), 200);
  assert.equal(await statusOf(nobody, 'nobody'), 200);
  assert.equal(await statusOf(nobody, 'root'), 403);
  assert.equal(await statusOf(root), 403);
  assert.equal(await statusOf(root, 'nobody'), 200);
});
