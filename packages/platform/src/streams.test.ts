// The three ways in which bytes are bounded (streams, shared logs, request bodies), over real sockets.
import assert from 'node:assert/strict';
import { createServer, type IncomingMessage, request, type ServerResponse } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { after, test } from 'node:test';
import { createTestClock } from '@meseta/base/testing/clock';
import { createByteBudget } from './byte-budget.js';
import { realClock } from './clock.js';
import { createEventLog } from './event-log.js';
import { type BodyLimits, createBodyReader } from './read-body.js';
import { createRenderQueue } from './render-queue.js';
import { BACKLOG_BYTES, createStreamWriter, type StreamEnd, type StreamWriter } from './stream-writer.js';
import { until } from './testing/until.js';

const opened: (() => unknown)[] = [];
after(async () => {
  for (const close of opened) await close();
});

async function serve(handle: (request: IncomingMessage, response: ServerResponse) => void): Promise<number> {
  const server = createServer(handle);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  opened.push(() => {
    server.closeAllConnections();
    server.close();
  });
  return (server.address() as AddressInfo).port;
}

interface Client {
  text: string;
  ended: boolean;
  response: IncomingMessage | undefined;
  close(): void;
}

const get = (port: number, paused = false): Client => {
  const client: Client = { text: '', ended: false, response: undefined, close: () => sent.destroy() };
  const sent = request({ port, host: '127.0.0.1' }, (response) => {
    client.response = response;
    response.on('error', () => {});
    response.on('close', () => {
      client.ended = true;
    });
    if (paused) response.pause();
    else {
      response.on('data', (chunk) => {
        client.text += chunk;
      });
    }
  });
  sent.on('error', () => {});
  sent.end();
  opened.push(() => sent.destroy());
  return client;
};

test('STREAM-WRITER-1: writes arrive in order, and the end after them', async () => {
  const port = await serve((_, response) => {
    const writer = createStreamWriter(response, { clock: realClock, ended: () => assert.fail('ended by itself') });
    for (let i = 0; i < 100; i++) writer.write(Buffer.from(`${i} `));
    setTimeout(() => {
      writer.write(Buffer.from('last'));
      writer.end();
    }, 5);
  });
  const client = get(port);
  await until('the end', () => client.ended);
  assert.equal(client.text, `${Array.from({ length: 100 }, (_, i) => `${i} `).join('')}last`);
});

test('STREAM-WRITER-1, EVENT-LOG-4: each write of a turn arrives as one chunk', async () => {
  const log = createEventLog({ clock: realClock });
  const port = await serve((incoming, response) => {
    if (incoming.url === '/writer') {
      const writer = createStreamWriter(response, { clock: realClock, ended: () => {} });
      for (const event of ['one', 'two', 'three']) writer.write(Buffer.from(event));
    } else {
      log.subscribe(response, [Buffer.from('one')], () => {});
      for (const event of ['two', 'three']) log.append(Buffer.from(event));
    }
  });
  for (const path of ['/writer', '/log']) {
    const socket = connect(port, '127.0.0.1');
    opened.push(() => socket.destroy());
    let raw = '';
    socket.on('data', (chunk) => {
      raw += chunk;
    });
    socket.write(`GET ${path} HTTP/1.1\r\nHost: x\r\n\r\n`);
    await until('the events', () => raw.includes('three\r\n'));
    assert.equal(raw.slice(raw.indexOf('\r\n\r\n') + 4), '3\r\none\r\n3\r\ntwo\r\n5\r\nthree\r\n', path);
  }
});

test('STREAM-WRITER-2, STREAM-WRITER-3: the stream of a client that reads nothing is closed at the limit, and reported once', async () => {
  const ends: StreamEnd[] = [];
  const port = await serve((_, response) => {
    const writer = createStreamWriter(response, {
      clock: realClock,
      maxUnsentBytes: 1_000_000,
      ended: (why) => ends.push(why),
    });
    const timer = setInterval(() => {
      for (let i = 0; i < 50; i++) writer.write(Buffer.alloc(20_000));
      assert.ok(writer.unsentBytes <= 1_020_000);
      if (ends.length > 0) clearInterval(timer);
    }, 1);
    opened.push(() => clearInterval(timer));
  });
  get(port, true);
  await until('the cut', () => ends.length > 0);
  await new Promise((resolve) => setTimeout(resolve, 20));
  assert.deepEqual(ends, ['tooSlow']);
});

test('STREAM-WRITER-4: a backlog is reported once, and its end once the client has read', async () => {
  const reports: boolean[] = [];
  const port = await serve((_, response) => {
    const backlog = (isWaiting: boolean): void => void reports.push(isWaiting);
    const writer = createStreamWriter(response, { clock: realClock, ended: () => {}, backlog });
    for (let i = 0; i < 12; i++) writer.write(Buffer.alloc(BACKLOG_BYTES, 'x'));
    setTimeout(() => writer.write(Buffer.from('after')), 50).unref();
  });
  const client = get(port, true);
  await new Promise((resolve) => setTimeout(resolve, 200));
  assert.deepEqual(reports, [true]);
  let received = 0;
  client.response?.on('data', (chunk: Buffer) => {
    received += chunk.length;
  });
  client.response?.resume();
  await until('all', () => received === 12 * BACKLOG_BYTES + 'after'.length);
  assert.deepEqual(reports, [true, false]);
});

test('STREAM-WRITER-4: what is sent at once is a backlog that ends at once', async () => {
  const reports: boolean[] = [];
  let writer: StreamWriter | undefined;
  const port = await serve((_, response) => {
    const backlog = (isWaiting: boolean): void => void reports.push(isWaiting);
    writer = createStreamWriter(response, { clock: realClock, ended: () => {}, backlog });
    writer.write(Buffer.from('first'));
  });
  const client = get(port);
  await until('the first', () => client.text === 'first');
  writer?.write(Buffer.alloc(BACKLOG_BYTES + 1, 'x'));
  await until('all', () => client.text.length === BACKLOG_BYTES + 6);
  await until('the reports', () => reports.length === 2);
  assert.deepEqual(reports, [true, false]);
});

/** Serves a stream with a limit of 1 MB on which events of these sizes are written at once. Returns its port and its ends. */
async function serveEvents(sizes: readonly number[]): Promise<{ port: number; ends: StreamEnd[] }> {
  const ends: StreamEnd[] = [];
  const ended = (why: StreamEnd): void => void ends.push(why);
  const port = await serve((_, response) => {
    const writer = createStreamWriter(response, { clock: realClock, maxUnsentBytes: 1_000_000, ended });
    for (const size of sizes) writer.write(Buffer.alloc(size, 'x'));
  });
  return { port, ends };
}

test('STREAM-WRITER-2: an event above the limit, and the events after it, reach a client that reads', async () => {
  const { port, ends } = await serveEvents([30_000_000, 400_000, 500_000]);
  const client = get(port);
  await until('all', () => client.text.length === 30_900_000 || ends.length > 0);
  assert.deepEqual(ends, []);
});

test('STREAM-WRITER-2: beside an unsent event above the limit only the limit may wait', async () => {
  const { port, ends } = await serveEvents([30_000_000, 20_000_000]);
  get(port, true);
  await until('the cut', () => ends.length > 0);
  assert.deepEqual(ends, ['tooSlow']);
});

test('STREAM-WRITER-3: a disconnected client is reported once', async () => {
  const ends: StreamEnd[] = [];
  const port = await serve((_, response) => {
    createStreamWriter(response, { clock: realClock, ended: (why) => ends.push(why) }).write(Buffer.from('x'));
  });
  const client = get(port);
  await until('a byte', () => client.text === 'x');
  client.close();
  await until('the loss', () => ends.length > 0);
  assert.deepEqual(ends, ['closed']);
});

test('EVENT-LOG-1, EVENT-LOG-2: each subscriber gets its snapshot and every later event; only the stream of a stalled one is closed', async () => {
  const log = createEventLog({ clock: realClock, ringBytes: 3_000_000 });
  const ends: string[] = [];
  let count = 0;
  const port = await serve((_, response) => {
    const name = `s${count++}`;
    log.subscribe(response, [Buffer.from(`<${name}`), Buffer.from('>')], (why) => ends.push(`${name} ${why}`));
  });
  const first = get(port);
  await until('the snapshot', () => first.text === '<s0>');
  get(port, true);
  await until('the stalled one', () => log.subscribers === 2);
  log.append(Buffer.from('a'));
  const third = get(port);
  await until('the third', () => log.subscribers === 3);
  log.append(Buffer.from('b'));
  await until('the events', () => first.text === '<s0>ab' && third.text === '<s2>b');
  let sent = 0;
  while (ends.length === 0) {
    log.append(Buffer.alloc(100_000, 99));
    sent++;
    await new Promise((resolve) => setImmediate(resolve));
    await until('the reader', () => first.text.length === 6 + sent * 100_000);
    assert.ok(log.bytes <= 3_100_000);
  }
  assert.deepEqual(ends, ['s1 tooSlow']);
  await until('the others', () => third.text.length === 5 + sent * 100_000);
  assert.equal(log.subscribers, 2);
  first.close();
  await until('the first to go', () => ends.length === 2);
  assert.equal(ends[1], 's0 closed');
});

test('EVENT-LOG-3: many subscribers are served, and events that all have received are dropped', async () => {
  const log = createEventLog({ clock: realClock });
  const port = await serve((_, response) => {
    log.subscribe(response, [], () => {});
  });
  const clients = Array.from({ length: 80 }, () => get(port));
  await until('all', () => log.subscribers === 80);
  for (let i = 0; i < 10; i++) log.append(Buffer.from(`${i}`));
  await until('the events', () => clients.every((client) => client.text === '0123456789'));
  assert.equal(log.bytes, 0);
});

test('EVENT-LOG-1, EVENT-LOG-3: every event reaches each of many subscribers in order while others subscribe and leave', async () => {
  const log = createEventLog({ clock: realClock });
  const port = await serve((_, response) => {
    log.subscribe(response, [Buffer.from('<')], () => {});
  });
  const subscribe = (count: number): Client[] => Array.from({ length: count }, () => get(port));
  const [stay, leave] = [subscribe(150), subscribe(50)];
  await until('all', () => [...stay, ...leave].every(({ text }) => text === '<'));
  const events = Array.from({ length: 300 }, (_, i) => `${i};`);
  const late: Client[] = [];
  for (const [i, event] of events.entries()) {
    log.append(Buffer.from(event));
    if (i % 10 === 0) leave.pop()?.close();
    if (i % 30 === 0) late.push(get(port));
    await new Promise((resolve) => setImmediate(resolve));
  }
  await until('those who came', () => log.subscribers === stay.length + leave.length + late.length);
  log.append(Buffer.from('end'));
  const all = `${events.join('')}end`;
  await until('the events', () => [...stay, ...late].every(({ text }) => text.endsWith('end')));
  for (const { text } of stay) assert.equal(text, `<${all}`);
  for (const { text } of late) assert.ok(all.endsWith(text.slice(1)), text.slice(0, 20));
  await until('the rest', () => log.bytes === 0);
});

test('a slow reader receives the complete rendering', async () => {
  const pieces = Array.from({ length: 200 }, (_, i) => Buffer.alloc(65_536, 97 + (i % 26)));
  const bytes = pieces.length * 65_536;
  const queue = createRenderQueue({ clock: realClock });
  const port = await serve((_, response) => {
    queue.send(response, 200, { 'content-type': 'text/plain' }, { pieces, bytes, memory: undefined });
  });
  const client = get(port, true);
  await until('the head', () => client.response !== undefined);
  assert.equal(client.response?.headers['content-length'], String(bytes));
  client.response?.on('data', (chunk) => {
    client.text += chunk;
  });
  client.response?.resume();
  await until('the end', () => client.ended);
  assert.equal(client.text, Buffer.concat(pieces).toString());
});

test('RENDERINGS-6: readers receive one window per turn alternately; disconnected ones are skipped', async () => {
  const clock = createTestClock();
  const queue = createRenderQueue({ clock });
  const window = 2 ** 18;
  const piece = Buffer.alloc(window, 'x');
  const responses: ServerResponse[] = [];
  const port = await serve((_, response) => {
    responses.push(response);
    void queue.send(response, 200, {}, { pieces: [piece, piece], bytes: 2 * window, memory: undefined });
  });
  const clients: Client[] = [];
  for (let i = 0; i < 3; i++) {
    clients.push(get(port));
    await until('the request', () => responses.length === i + 1);
  }
  clients[1]?.close();
  await until('its end', () => responses[1]?.destroyed === true);
  const handedOver = (): number[] => clients.map(({ text }) => text.length / window);
  assert.deepEqual(handedOver(), [0, 0, 0]);
  const seen: number[][] = [];
  for (let total = 0; total < 4; ) {
    clock.runDeferred();
    // The turn of the closed client writes nothing.
    const before = seen.length;
    for (let i = 0; i < 100 && seen.length === before; i++) {
      await new Promise((resolve) => setTimeout(resolve, 2));
      const now = handedOver();
      const sum = now.reduce((all, one) => all + one, 0);
      assert.ok(sum <= total + 1, 'two windows in one turn');
      if (sum === total + 1) seen.push(now);
    }
    total = seen.length;
  }
  assert.deepEqual(seen, [
    [1, 0, 0],
    [1, 0, 1],
    [2, 0, 1],
    [2, 0, 2],
  ]);
});

async function bodyServer(limits: Partial<BodyLimits>) {
  const { budget = createByteBudget(100, 0) } = limits;
  const reader = createBodyReader({ ...limits, budget });
  const port = await serve(async (incoming, response) => {
    const body = await reader.read(incoming);
    if (body.ok) response.end(String(body.value.length));
    else response.writeHead(body.error.status, { connection: 'close' }).end(body.error.code);
  });
  const post = (lines: string): { text: () => string; write: (more: string) => void; close: () => void } => {
    const socket = connect(port, '127.0.0.1');
    let text = '';
    socket.on('data', (chunk) => {
      text += chunk;
    });
    socket.on('error', () => {});
    socket.write(`POST / HTTP/1.1\r\nHost: x\r\n${lines}`);
    opened.push(() => socket.destroy());
    return { text: () => text, write: (more) => socket.write(more), close: () => socket.destroy() };
  };
  return { budget, post };
}

const bodies: readonly (readonly [name: string, lines: string, says: RegExp])[] = [
  ['none', '\r\n', /200 OK.*\r\n\r\n.*0/s],
  ['at the limit', `Content-Length: 10\r\n\r\n${'x'.repeat(10)}`, /200 OK.*10/s],
  ['announced over the limit', 'Content-Length: 11\r\n\r\n', /413.*tooLarge/s],
  ['chunked over the limit', 'Transfer-Encoding: chunked\r\n\r\nb\r\nxxxxxxxxxxx\r\n', /413.*tooLarge/s],
  ['that stalls', 'Content-Length: 5\r\n\r\nab', /408.*stalled/s],
];
for (const [name, lines, says] of bodies) {
  test(`BODIES-1: a body ${name}`, async () => {
    const { budget, post } = await bodyServer({ maxBodyBytes: 10, maxSilenceMs: 100 });
    const { text } = post(lines);
    await until('an answer', () => says.test(text()));
    assert.equal(budget.usedBytes, 0);
  });
}

test('BODIES-4: a body that arrives byte by byte is refused, although it is never silent for long', async () => {
  const { budget, post } = await bodyServer({ maxBodyBytes: 1000, maxSilenceMs: 200 });
  const slow = post('Content-Length: 1000\r\n\r\n');
  const timer = setInterval(() => slow.write('x'), 20);
  opened.push(() => clearInterval(timer));
  await until('the refusal', () => /408.*stalled/s.test(slow.text()));
  clearInterval(timer);
  assert.equal(budget.usedBytes, 0);
});

test('BODIES-1, BODIES-2: all bodies together are limited; an aborted one returns its bytes, and small ones are accepted', async () => {
  const large = 200_000;
  const { budget, post } = await bodyServer({ maxBodyBytes: large, budget: createByteBudget(large) });
  const holder = post(`Content-Length: ${large}\r\n\r\n${'x'.repeat(large - 1)}`);
  await until('the first', () => budget.usedBytes === large - 1);
  const refused = post(`Content-Length: ${large}\r\n\r\n`);
  await until('the refusal', () => /413.*busy/s.test(refused.text()));
  const small = post(`Content-Length: 100\r\n\r\n${'x'.repeat(100)}`);
  await until('the answer to a small one', () => /200 OK.*100/s.test(small.text()));
  holder.close();
  await until('the bytes', () => budget.usedBytes === 0);
  const taken = post(`Content-Length: ${large}\r\n\r\n${'x'.repeat(large)}`);
  await until('the answer', () => /200 OK/.test(taken.text()));
});
