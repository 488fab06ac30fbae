import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { createFiles } from '@meseta/platform/files';
import { createLocalAuthorizer, principalOf } from '@meseta/security';
import type { ACLs, AgentCall } from '@meseta/wire';
import { registeredWorld, runToRunning, taskOf } from '../core/testing.js';
import { answerContainerCall } from './container-calls.js';
import type { HttpOptions } from './http.js';

test('CONTAINER-CALLS-1, CONTAINER-CALLS-2: a session ends with its output, and its container stays for who asks for its status', async (t) => {
  const sandbox = await mkdtemp(join(tmpdir(), 'session-'));
  t.after(() => rm(sandbox, { recursive: true }));
  await writeFile(join(sandbox, 'stdout'), 'hello');
  const asked: string[] = [];
  const options = {
    files: createFiles(),
    core: { state: { runs: new Map(), frameworks: new Map() } },
    gate: { authorizer: { approverFor: () => ({ kind: 'all', key: '' }) } },
    containerCalls: {
      ask: async ({ type }: AgentCall) => {
        asked.push(type ?? '');
        return { status: 200, text: '', sandbox };
      },
    },
  } as unknown as HttpOptions;
  const container_id = { value: 'dbg', parent: { value: 'p' } };
  const call: AgentCall = {
    type: 'LAUNCH_NESTED_CONTAINER_SESSION',
    launch_nested_container_session: { container_id },
  };
  const server = createServer((request, response) => {
    void answerContainerCall(options, { request, response, principal: undefined } as never, call);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => server.close());
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  const answer = await fetch(url, { headers: { accept: 'application/json' } });
  assert.match(await answer.text(), new RegExp(Buffer.from('hello').toString('base64')));
  assert.deepEqual(asked, ['LAUNCH_NESTED_CONTAINER_SESSION', 'WAIT_CONTAINER']);
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
