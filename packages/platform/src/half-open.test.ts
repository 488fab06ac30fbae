// A client that ends its sending side after its request, as `printf '...' | nc -N` does, still waits for the answer.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import { connect } from 'node:net';
import { after, test } from 'node:test';
import { realClock } from './clock.js';
import { createEventLog } from './event-log.js';
import { createHost, type HostOptions } from './host.js';
import { createStreamWriter, type StreamEnd } from './stream-writer.js';
import { until } from './testing/until.js';

const opened: (() => unknown)[] = [];
after(async () => {
  for (const close of opened) await close();
});

async function startHost(onRequest: HostOptions['onRequest']): Promise<number> {
  const made = await createHost({
    ip: '127.0.0.1',
    port: 0,
    onMessage: () => 'accepted',
    onRequest,
    fastPath: {
      targets: new Set(['/plain']),
      headers: {},
      tryHandle(_, body, answer) {
        setTimeout(() => answer({ status: 200, text: `plain ${body.length}` }), 20);
        return true;
      },
    },
    onPeerLost: () => {},
  });
  assert.ok(made.ok);
  opened.push(() => made.value.close());
  return made.value.bound.port;
}

interface Client {
  received(): string;
  readonly closed: Promise<unknown>;
}

/** Sends the bytes and ends the client's side. */
function sendAndEnd(port: number, bytes: string): Client {
  const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
  let text = '';
  socket.on('data', (part) => {
    text += part.toString('latin1');
  });
  socket.on('error', () => {});
  opened.push(() => socket.destroy());
  const closed = once(socket, 'close');
  socket.end(bytes, 'latin1');
  return { received: () => text, closed };
}

const statuses = (text: string): string[] => [...text.matchAll(/HTTP\/1\.1 (\d+) /g)].map(([, status]) => status ?? '');

const GET = 'GET /health HTTP/1.1\r\nHost: a\r\n\r\n';
const POST = 'POST /api HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc';
const PLAIN = 'POST /plain HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc';
const MESSAGE = 'POST /master/a.Name HTTP/1.1\r\nLibprocess-From: x(1)@127.0.0.1:1\r\n\r\n';

const exchanges: readonly (readonly [what: string, sent: string, answered: readonly string[]])[] = [
  ['a request', GET, ['200']],
  ['requests in one packet', GET + GET + POST, ['200', '200', '200']],
  ['a fast-path call', PLAIN, ['200']],
  ['a fast-path call, then a request', PLAIN + GET, ['200', '200']],
  ['a message, then a request', MESSAGE + GET, ['202', '200']],
  ['a request, then a message', GET + MESSAGE, ['200', '202']],
];
for (const [what, sent, answered] of exchanges) {
  test(`HOST-2: a client that ends its side after ${what} gets every answer, and the connection closes`, async () => {
    const port = await startHost((_, response) => {
      setTimeout(() => response.end('answered late'), 50);
    });
    const { closed, received } = sendAndEnd(port, sent);
    await closed;
    assert.deepEqual(statuses(received()), answered, received());
  });
}

test('PIPELINING-4: the end of the client after more requests than node:http takes at once loses none of them', async () => {
  const port = await startHost((_, response) => {
    setTimeout(() => response.end(), 5);
  });
  const { closed, received } = sendAndEnd(port, GET.repeat(200));
  await closed;
  assert.equal(statuses(received()).length, 200);
});

test('HOST-2: a large answer reaches a client that ended its side', async () => {
  const body = 'x'.repeat(20_000_000);
  const port = await startHost((_, response) => void response.end(body));
  const { closed, received } = sendAndEnd(port, GET);
  await closed;
  assert.equal(received().split('\r\n\r\n')[1]?.length, body.length);
});

test('HOST-2: half a request and the end of the client is answered 400', async () => {
  const port = await startHost((_, response) => void response.end());
  const { closed, received } = sendAndEnd(port, GET.slice(0, -2));
  await closed;
  assert.deepEqual(statuses(received()), ['400']);
});

const streams: readonly (readonly [
  what: string,
  open: (response: ServerResponse, ended: (why: StreamEnd) => void) => void,
])[] = [
  ['stream', (response, ended) => void createStreamWriter(response, { clock: realClock, ended })],
  ['subscription', (response, ended) => void createEventLog({ clock: realClock }).subscribe(response, [], ended)],
];
for (const [what, open] of streams) {
  test(`HOST-2: a ${what} ends when its client ends its side, as it cannot know that the client still reads`, async () => {
    const ends: StreamEnd[] = [];
    const port = await startHost((request, response) => {
      request.resume();
      response.writeHead(200);
      open(response, (why) => ends.push(why));
    });
    await sendAndEnd(port, GET).closed;
    await until('the stream of a client that ended its side at once has ended', () => ends.length === 1);
    const late = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
    opened.push(() => late.destroy());
    late.write(GET);
    await once(late, 'data');
    late.end();
    await until('the stream has ended', () => ends.length === 2);
    assert.deepEqual(ends, ['closed', 'closed']);
  });
}
