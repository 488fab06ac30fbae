import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import { openInput, waitForContainer } from './agent-streams.js';
import { MesetaError } from './errors.js';

for (const status of [200, 500]) {
  test(`an endless answer of an agent with status ${status} is cut off at its limit`, {
    timeout: 30_000,
  }, async (t) => {
    const server = createServer((request, response) => {
      request.resume();
      response.writeHead(status);
      const more = (): void => {
        while (response.write(Buffer.alloc(65_536)));
        response.once('drain', more);
      };
      more();
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    t.after(() => {
      server.closeAllConnections();
      server.close();
    });
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    await assert.rejects(waitForContainer({ url, credential: undefined }, { value: 'a' }), (error) => {
      assert.ok(error instanceof MesetaError && error.code === 'invalidResponse');
      assert.match(error.message, /answered with more than 1048576 bytes/);
      return true;
    });
  });
}

test('a long input that the agent reads slowly leaves no listeners behind', { timeout: 30_000 }, async (t) => {
  const server = createServer((request, response) => {
    request.resume();
    request.on('end', () => response.end());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => server.close());
  const warnings: Error[] = [];
  const warned = (warning: Error): void => void warnings.push(warning);
  process.on('warning', warned);
  t.after(() => process.off('warning', warned));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const input = openInput({ url, credential: undefined }, { value: 'a' });
  const data = Buffer.alloc(500_000).toString('base64');
  for (let n = 0; n < 20; n++) await input.send({ type: 'DATA', data: { type: 'STDIN', data } });
  input.end();
  await input.ended;
  assert.deepEqual(warnings, []);
});
