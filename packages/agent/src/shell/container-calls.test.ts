import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtemp, rm, truncate, writeFile } from 'node:fs/promises';
import { createServer, type ServerResponse } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { createFiles } from '@meseta/platform/files';
import { createLocalAuthorizer, principalOf } from '@meseta/security';
import type { ACLs, AgentCall } from '@meseta/wire';
import { registeredWorld, runToRunning, taskOf } from '../core/testing.js';
import { answerContainerCall } from './container-calls.js';
import type { HttpOptions } from './http.js';

const container_id = { value: 'dbg', parent: { value: 'p' } };
const session: AgentCall = {
  type: 'LAUNCH_NESTED_CONTAINER_SESSION',
  launch_nested_container_session: { container_id },
};

/** Answers every request with a session whose container wrote `stdout`, and asks the core by `ask`. */
async function serveSession(
  t: TestContext,
  stdout: (path: string) => Promise<void>,
  ask: (type: string) => Promise<void>,
): Promise<{ readonly port: number; readonly nextResponse: Promise<ServerResponse> }> {
  const sandbox = await mkdtemp(join(tmpdir(), 'session-'));
  t.after(() => rm(sandbox, { recursive: true }));
  await stdout(join(sandbox, 'stdout'));
  const options = {
    files: createFiles(),
    core: { state: { runs: new Map(), frameworks: new Map() } },
    gate: { authorizer: { approverFor: () => ({ kind: 'all', key: '' }) } },
    containerCalls: {
      ask: async ({ type }: AgentCall) => {
        await ask(type ?? '');
        return { status: 200, text: '', sandbox };
      },
    },
  } as unknown as HttpOptions;
  const server = createServer();
  const nextResponse = new Promise<ServerResponse>((resolve) => {
    server.on('request', (request, response) => {
      void answerContainerCall(options, { request, response, principal: undefined } as never, session);
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

function askAndNeverRead(t: TestContext, port: number): Socket {
  const client = connect(port, '127.0.0.1');
  t.after(() => client.destroy());
  client.write('POST /api/v1 HTTP/1.1\r\nHost: x\r\nAccept: application/json\r\nContent-Length: 0\r\n\r\n');
  return client;
}

test('CONTAINER-CALLS-1, CONTAINER-CALLS-2: a session ends with its output, and its container stays for who asks for its status', async (t) => {
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

test('CONTAINER-CALLS-1: the container of a client that hung up before it was launched is killed', async (t) => {
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
  const client = askAndNeverRead(t, port);
  const response = await nextResponse;
  const closed = once(response, 'close');
  client.destroy();
  await closed;
  launched();
  await isKilled;
});

test('CONTAINER-CALLS-3: the output that a client does not read stays in its file', async (t) => {
  const { port, nextResponse } = await serveSession(
    t,
    async (path) => {
      await writeFile(path, '');
      await truncate(path, 2 ** 28);
    },
    (type) => (type === 'WAIT_CONTAINER' ? new Promise(() => {}) : Promise.resolve()),
  );
  askAndNeverRead(t, port);
  const response = await nextResponse;
  // Until the kernel takes no more.
  while (!response.writableNeedDrain) await new Promise((resolve) => setImmediate(resolve));
  for (let turns = 0; turns < 100; turns++) await new Promise((resolve) => setImmediate(resolve));
  assert.ok(response.writableLength < 2 ** 20, `${response.writableLength} bytes are kept`);
});

test('the user that is asked for is the one that a nested command will run as, named or not', async () => {
  const world = registeredWorld({ switchUser: true });
  const nobody = runToRunning(world, taskOf('n', { command: { value: 'sleep 60', user: 'nobody' } }));
  const root = runToRunning(world, taskOf('r', { command: { value: 'sleep 60', user: 'root' } }));
  const anybody = { principals: { type: 'ANY' }, users: { type: 'ANY' } } as const;
  const acls: ACLs = {
    permissive: false,
    launch_nested_containers_under_parent_with_user: [anybody],
    launch_nested_containers_as_user: [{ principals: { type: 'ANY' }, users: { values: ['nobody'] } }],
  };
  const options = {
    core: world.core,
    gate: { authorizer: createLocalAuthorizer(acls) },
    containerCalls: { ask: async () => ({ status: 200, text: '' }) },
  } as unknown as HttpOptions;
  const statusOf = async (parent: string, user?: string): Promise<number> => {
    const command = { value: 'true', ...(user === undefined ? {} : { user }) };
    const launch = { container_id: { value: 'c', parent: { value: parent } }, command };
    const call: AgentCall = { type: 'LAUNCH_NESTED_CONTAINER', launch_nested_container: launch };
    let status = 0;
    const writeHead = (code: number): void => {
      status = code;
    };
    const response = { writeHead, end() {}, setHeader() {} };
    const request = { headers: { accept: 'application/json' } };
    await answerContainerCall(options, { request, response, principal: principalOf('x') } as never, call);
    return status;
  };
  assert.equal(await statusOf(nobody), 200);
  assert.equal(await statusOf(nobody, 'nobody'), 200);
  assert.equal(await statusOf(nobody, 'root'), 403);
  assert.equal(await statusOf(root), 403);
  assert.equal(await statusOf(root, 'nobody'), 200);
});
