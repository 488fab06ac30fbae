import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import { CommandError } from '../command.js';
import { lineOf, watch } from './watch.js';

test('watch subscribes again while the master recovers, and ends with the error when it is refused', async () => {
  const statuses = [200, 503, 200, 403];
  const answered: number[] = [];
  const server = createServer((request, response) => {
    request.resume();
    const status = statuses[answered.length] ?? 500;
    answered.push(status);
    response.writeHead(status, { 'content-type': 'application/json', connection: 'close' }).end();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  try {
    await assert.rejects(
      watch.run('watch', [`--master=127.0.0.1:${port}`]),
      (error) => error instanceof CommandError && /403/.test(error.message),
    );
    assert.deepEqual(answered, statuses);
  } finally {
    server.close();
  }
});

test('an event is one line without control characters, whatever names and messages it contains', () => {
  const framework_info = { name: 'web\u001b[2J\n2026-01-01T00:00:00.000Z  agent removed S0', user: 'root' };
  const line = lineOf({ type: 'FRAMEWORK_REMOVED', framework_removed: { framework_info } });
  assert.match(line ?? '', /web\\x1b\[2J\\n2026.* removed$/);
  assert.doesNotMatch(line ?? '', /\p{Cc}/u);
});
