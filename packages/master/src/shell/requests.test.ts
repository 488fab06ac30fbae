import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { after, test } from 'node:test';
import { createTestClock } from '@meseta/base/testing/clock';
import { realClock } from '@meseta/platform';
import { until } from '@meseta/platform/testing/until';
import { JSON_TYPE } from '@meseta/wire/media';
import type { Reply, RequestId, StreamId } from '../core/io.js';
import { createRequests, type Requests } from './requests.js';

const streamId = 'stream' as StreamId;
const servers: Server[] = [];
after(() => {
  for (const server of servers) {
    server.closeAllConnections();
    server.close();
  }
});

test('REQUESTS-1: a request is answered once; later replies to it are ignored', () => {
  const clock = createTestClock();
  const requests = createRequests({ clock, onStreamClosed: assert.fail, onStreamBacklog: assert.fail });
  const answers: Reply[] = [];
  const request = requests.addWithoutStream((reply) => answers.push(reply));
  requests.reply(request, { status: 202 });
  requests.reply(request, { status: 400 });
  clock.runDeferred();
  requests.reply(request, { status: 404 });
  requests.reply('unknown' as RequestId, { status: 404 });
  clock.runDeferred();
  assert.deepEqual(answers, [{ status: 202 }]);
});

test('REQUESTS-3: the replies of a step are written in the next event-loop turn, in order', () => {
  const clock = createTestClock();
  const requests = createRequests({ clock, onStreamClosed: assert.fail, onStreamBacklog: assert.fail });
  const answers: number[] = [];
  for (const status of [202, 400] as const) {
    const request = requests.addWithoutStream((reply) => answers.push(reply.status));
    requests.reply(request, { status });
  }
  assert.deepEqual(answers, []);
  clock.runDeferred();
  assert.deepEqual(answers, [202, 400]);
});

/** A stream that `requests` has opened to a client over a real socket. */
async function openStream() {
  const closed: string[] = [];
  const backlogs: boolean[] = [];
  let onClosed = (): void => {};
  const requests = createRequests({
    clock: realClock,
    onStreamClosed(stream, why) {
      closed.push(`${stream} ${why}`);
      onClosed();
    },
    onStreamBacklog: (_, isWaiting) => void backlogs.push(isWaiting),
  });
  const opened = new Promise<ServerResponse>((resolve) => {
    const server = createServer((_: IncomingMessage, response) => {
      requests.open(requests.add(response, JSON_TYPE), streamId);
      resolve(response);
    });
    servers.push(server);
    server.listen(0, '127.0.0.1');
  });
  const [server] = servers.slice(-1) as [Server];
  await once(server, 'listening');
  const client = connect((server.address() as AddressInfo).port, '127.0.0.1');
  client.on('error', () => {});
  client.write('GET / HTTP/1.1\r\nHost: test\r\n\r\n');
  const response = await opened;
  const isReported = new Promise<void>((resolve) => {
    onClosed = resolve;
  });
  return { requests, client, closed, backlogs, isReported, responseClosed: once(response, 'close') };
}

const heartbeatTo = (requests: Requests): void => requests.write([streamId], { type: 'HEARTBEAT' });

test('REQUESTS-2: a stream that its client closed is reported to the core once', async () => {
  const { requests, client, closed, isReported } = await openStream();
  client.destroy();
  await isReported;
  heartbeatTo(requests);
  requests.close(streamId);
  requests.closeAll();
  assert.deepEqual(closed, ['stream closed']);
});

test('REQUESTS-2: a stream that was cut off because its client reads too slowly is reported to the core once', async () => {
  const { requests, client, closed, isReported, responseClosed } = await openStream();
  client.pause();
  // The largest unsent event does not count.
  for (let i = 0; i < 3; i++)
    requests.write([streamId], { type: 'ERROR', error: { message: 'x'.repeat(12 * 2 ** 20) } });
  await isReported;
  heartbeatTo(requests);
  client.destroy();
  await responseClosed;
  assert.deepEqual(closed, ['stream tooSlow']);
});

test('a backlog of events is reported to the core, and its end when the client has read', async () => {
  const { requests, client, backlogs } = await openStream();
  client.pause();
  for (let i = 0; i < 12; i++) requests.write([streamId], { type: 'ERROR', error: { message: 'x'.repeat(2 ** 20) } });
  assert.deepEqual(backlogs, [true]);
  client.resume();
  await until('the end of the backlog', () => backlogs.length === 2);
  assert.deepEqual(backlogs, [true, false]);
  client.destroy();
});

test('REQUESTS-2: a stream that the core closed is not reported to the core', async () => {
  const { requests, client, closed, responseClosed } = await openStream();
  requests.close(streamId);
  client.resume();
  await responseClosed;
  client.destroy();
  assert.deepEqual(closed, []);
});
