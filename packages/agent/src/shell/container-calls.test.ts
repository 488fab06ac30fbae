import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import type { AgentCall } from '@meseta/wire';
import { answerContainerCall } from './container-calls.js';
import type { HttpOptions } from './http.js';

test('N1: a session ends with its output, and its container stays for who asks for its status', async (t) => {
  const sandbox = await mkdtemp(join(tmpdir(), 'session-'));
  t.after(() => rm(sandbox, { recursive: true }));
  await writeFile(join(sandbox, 'stdout'), 'hello');
  const asked: string[] = [];
  const options = {
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
  assert.deepEqual(asked, ['LAUNCH_NESTED_CONTAINER_SESSION', 'WAIT_NESTED_CONTAINER']);
});
