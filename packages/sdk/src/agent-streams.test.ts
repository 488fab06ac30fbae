import assert from 'node:assert/strict';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type TestContext, test } from 'node:test';
import { encodeRecord } from '@meseta/wire/recordio';
import { type Agent, openInput, openOutput, waitForContainer } from './agent-streams.js';
import { MesetaError } from './errors.js';

/** An agent that answers as told, until the end of the test. */
async function agentThat(t: TestContext, listener: RequestListener): Promise<Agent> {
  const server = createServer(listener);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, credential: undefined };
}

for (const status of [200, 500]) {
  test(`an endless answer of an agent with status ${status} is cut off at its limit`, {
    timeout: 30_000,
  }, async (t) => {
    const agent = await agentThat(t, (request, response) => {
      request.resume();
      response.writeHead(status);
      const more = (): void => {
        while (response.write(Buffer.alloc(65_536)));
        response.once('drain', more);
      };
      more();
    });
    await assert.rejects(waitForContainer(agent, { value: 'a' }), (error) => {
      assert.ok(error instanceof MesetaError && error.code === 'invalidResponse');
      assert.match(error.message, /answered with more than 1048576 bytes/);
      return true;
    });
  });
}

test('a long input that the agent reads slowly leaves no listeners behind', { timeout: 30_000 }, async (t) => {
  const agent = await agentThat(t, (request, response) => {
    request.resume();
    request.on('end', () => response.end());
  });
  const warnings: Error[] = [];
  const warned = (warning: Error): void => void warnings.push(warning);
  process.on('warning', warned);
  t.after(() => process.off('warning', warned));
  const input = openInput(agent, { value: 'a' });
  const data = Buffer.alloc(500_000).toString('base64');
  for (let n = 0; n < 20; n++) await input.send({ type: 'DATA', data: { type: 'STDIN', data } });
  input.end();
  await input.ended;
  assert.deepEqual(warnings, []);
});

test('a malformed record or response of an agent is an error, and not taken for silence', async (t) => {
  const malformed = Buffer.from([0xff]);
  const agent = await agentThat(t, (request, response) => {
    request.resume();
    request.on('end', () => response.end(request.headers['message-accept'] ? encodeRecord(malformed) : malformed));
  });
  const container_id = { value: 'a' };
  const output = await openOutput(agent, {
    type: 'ATTACH_CONTAINER_OUTPUT',
    attach_container_output: { container_id },
  });
  const isInvalid = { code: 'invalidResponse', message: /sent a malformed (?:record|response): mesos\.v1\.agent\./ };
  await assert.rejects(async () => {
    for await (const _ of output);
  }, isInvalid);
  await assert.rejects(waitForContainer(agent, container_id), isInvalid);
});
