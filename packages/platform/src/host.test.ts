import assert from 'node:assert/strict';
import { pbkdf2 } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { Agent, request as httpRequest, type IncomingMessage } from 'node:http';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { after, test } from 'node:test';
import { promisify } from 'node:util';
import { gzipSync } from 'node:zlib';
import { type Pid, pidOf } from '@meseta/base';
import { createHost, type Host, type HostNote, type HostOptions, type PeerMessage } from './host.js';
import { until } from './testing/until.js';

/** Captured between real Mesos' processes; not part of the checkout. */
const factsFile = '../shared/facts/libprocess-messages.json';
const opened: (() => unknown)[] = [];
after(async () => {
  for (const close of opened) await close();
});

interface ReceivedMessage {
  readonly to: string;
  readonly from: Pid;
  readonly wireName: string;
  readonly text: string;
}

async function hostWith(
  options: Partial<HostOptions> = {},
): Promise<{ host: Host; delivered: ReceivedMessage[]; lost: string[] }> {
  const delivered: ReceivedMessage[] = [];
  const lost: string[] = [];
  const made = await createHost({
    ip: '127.0.0.1',
    port: 0,
    onMessage(message: PeerMessage) {
      if (message.to !== 'master') return 'unknown';
      delivered.push({ ...message, text: Buffer.from(message.body).toString('latin1') } as ReceivedMessage);
      return 'accepted';
    },
    onRequest(request, response) {
      request.resume();
      request.on('end', () => response.end(`http ${request.method} ${request.url}`));
    },
    onPeerLost: (address) => lost.push(address),
    ...options,
  });
  assert.ok(made.ok);
  opened.push(() => made.value.close());
  return { host: made.value, delivered, lost };
}

const message = (to: string, body: string): string =>
  `POST /${to}/a.Name HTTP/1.1\r\nLibprocess-From: x(1)@127.0.0.1:1\r\n` +
  (body === '' ? '\r\n' : `Transfer-Encoding: chunked\r\n\r\n${body.length.toString(16)}\r\n${body}\r\n0\r\n\r\n`);
const get = 'GET /state HTTP/1.1\r\n\r\n';

const connectTo = (host: Host): { socket: Socket; received: () => string } => {
  const socket = connect(host.bound.port, '127.0.0.1');
  let text = '';
  socket.on('data', (bytes) => {
    text += bytes.toString('latin1');
  });
  opened.push(() => socket.destroy());
  return { socket, received: () => text };
};
const statuses = (text: string): string[] => [...text.matchAll(/HTTP\/1\.1 (\d+)/g)].map((found) => found[1] as string);

const mixes: readonly (readonly [name: string, bytes: string, statuses: string[], delivered: number])[] = [
  ['a message', message('master', 'abc'), ['202'], 1],
  [
    'messages in one packet',
    message('master', 'abc') + message('master', '') + message('master', 'd'),
    ['202', '202', '202'],
    3,
  ],
  ['a message to an unknown actor', message('nobody', 'abc'), ['404'], 0],
  ['plain HTTP', get + get, ['200', '200'], 0],
  ['a message, then plain HTTP', message('master', 'abc') + get, ['202', '200'], 1],
  [
    'plain HTTP, then messages',
    get + message('master', 'abc') + message('nobody', '') + get,
    ['200', '202', '404', '200'],
    1,
  ],
  ['a plain POST', 'POST /api/v1 HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}', ['200'], 0],
  ['a message without a name', 'POST /master HTTP/1.1\r\nLibprocess-From: a@1.2.3.4:5\r\n\r\n', ['400'], 0],
  ['a message without a sender', 'POST /master/x HTTP/1.1\r\nUser-Agent: libprocess/\r\n\r\n', ['400'], 0],
  [
    'a lower-case header and a length',
    'POST /master/x HTTP/1.1\r\nlibprocess-from: a@1.2.3.4:5\r\ncontent-length: 1\r\n\r\nz',
    ['202'],
    1,
  ],
  ['not HTTP at all', '\x16\x03\x01 hello\r\n\r\n', ['400'], 0],
];
for (const [name, bytes, expected, count] of mixes) {
  for (const cut of ['whole', 'byte by byte'] as const) {
    test(`INBOUND-1: ${name}, ${cut}`, async () => {
      const { host, delivered } = await hostWith();
      const { socket, received } = connectTo(host);
      if (cut === 'whole') socket.write(bytes, 'latin1');
      else {
        socket.setNoDelay(true);
        for (const byte of Buffer.from(bytes, 'latin1')) {
          if (!socket.writable) break;
          socket.write(Buffer.of(byte));
          await new Promise((resolve) => setImmediate(resolve));
        }
      }
      await until(`${expected}, got ${received()}`, () => statuses(received()).length >= expected.length);
      assert.deepEqual(statuses(received()), expected);
      assert.equal(delivered.length, count);
    });
  }
}

test('PEERS-1: messages between two hosts arrive complete and in order, large and empty ones too', async () => {
  const a = await hostWith();
  const b = await hostWith();
  const sizes = Array.from({ length: 300 }, (_, i) => (i % 50 === 7 ? 300_000 + i : i % 3 === 0 ? 0 : i));
  const to = pidOf('master', b.host.address);
  sizes.forEach((size, i) => {
    a.host.send(to, 'slave(1)', `m.${i}`, Buffer.alloc(size, 97 + (i % 26)));
  });
  await until('all messages', () => b.delivered.length === sizes.length);
  b.delivered.forEach((one, i) => {
    assert.equal(one.wireName, `m.${i}`);
    assert.equal(one.from, `slave(1)@${a.host.address}`);
    assert.equal(one.text, String.fromCharCode(97 + (i % 26)).repeat(sizes[i] as number));
  });
  assert.equal(a.host.stats.messagesSent, sizes.length);
});

test('a message is sent as libprocess sends it, byte for byte', { skip: !existsSync(factsFile) }, async () => {
  const captured = JSON.parse(readFileSync(factsFile, 'utf8')) as {
    to: string;
    from: string;
    name: string;
    head: string[];
    bytes: string;
  }[];
  const { host } = await hostWith({ advertise: { ip: '127.0.0.1', port: 25050 } });
  let got = '';
  const server = createServer((socket) => {
    socket.on('data', (bytes) => {
      got += bytes.toString('latin1');
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  opened.push(() => server.close());
  const address = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  let expected = '';
  for (const one of captured.filter((each) => each.from.endsWith('@127.0.0.1:25050'))) {
    const body = Buffer.from(one.bytes, 'base64');
    expected += `${one.head.join('\r\n').replace(/Host: .*/, `Host: ${address}`)}\r\n\r\n`;
    if (body.length > 0) expected += `${body.length.toString(16)}\r\n${body.toString('latin1')}\r\n0\r\n\r\n`;
    host.send(pidOf(one.to, address), one.from.split('@')[0] as string, one.name, body);
  }
  assert.ok(expected.length > 1000);
  await until('the frames', () => got.length >= expected.length);
  assert.equal(got, expected);
});

test('PEERS-2: a linked peer is reported lost once for each break, and no more after its link is gone', async () => {
  const sockets: Socket[] = [];
  const server = createServer((socket) => sockets.push(socket));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  opened.push(() => server.close());
  const address = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  const { host, lost } = await hostWith();
  for (let round = 1; round <= 2; round++) {
    host.link(pidOf('slave(1)', address));
    host.link(pidOf('other', address));
    await until('a connection', () => sockets.length === round);
    sockets[round - 1]?.destroy();
    await until('the loss', () => lost.length >= round);
  }
  host.send(pidOf('slave(1)', address), 'master', 'x', Buffer.alloc(1));
  await until('a third connection', () => sockets.length === 3);
  sockets[2]?.destroy();
  // A fourth connection shows that the end of the third was handled.
  await until('a fourth connection', () => {
    host.send(pidOf('slave(1)', address), 'master', 'x', Buffer.alloc(1));
    return sockets.length > 3;
  });
  assert.deepEqual(lost, [address, address]);
});

test('PEERS-2: a linked peer that does not listen is reported lost', async () => {
  const { host, lost } = await hostWith();
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  await new Promise((resolve) => server.close(resolve));
  host.link(pidOf('slave(1)', address));
  assert.deepEqual(lost, []);
  await until('the loss', () => lost.length === 1);
  assert.deepEqual(lost, [address]);
});

test('PEERS-3: the connection to a peer that reads nothing is closed at the limit, with a note', async () => {
  const server = createServer((socket) => {
    socket.pause();
    opened.push(() => socket.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  opened.push(() => server.close());
  const notes: string[] = [];
  const { host, lost } = await hostWith({ maxUnsentBytes: 100_000, onNote: (note) => notes.push(note.kind) });
  const to = pidOf('slave(1)', `127.0.0.1:${(server.address() as AddressInfo).port}`);
  host.link(to);
  for (let i = 0; i < 5; i++) host.send(to, 'master', 'x', Buffer.alloc(30_000));
  assert.equal(host.stats.peersOverLimit, 1);
  await until('the loss', () => lost.length === 1);
  assert.ok(notes.includes('peerOverLimit'));
  assert.equal(host.stats.messagesDropped, 4);
});

test('a port in use is a typed error', async () => {
  const { host } = await hostWith();
  const second = await createHost({
    ip: '127.0.0.1',
    port: host.bound.port,
    onMessage: () => 'unknown',
    onRequest: () => {},
    onPeerLost: () => {},
  });
  assert.ok(!second.ok);
  assert.equal(second.error.code, 'addressInUse');
});

test('a message over the limit is refused, with and without a Content-Length', async () => {
  const { host, delivered } = await hostWith({ maxBodyBytes: 1000 });
  const head = 'POST /master/x HTTP/1.1\r\nLibprocess-From: a@1.2.3.4:5\r\n';
  for (const rest of ['Content-Length: 1001\r\n\r\n', 'Transfer-Encoding: chunked\r\n\r\n3e9\r\n']) {
    const { socket, received } = connectTo(host);
    socket.write(head + rest);
    await until('the refusal', () => statuses(received()).length === 1);
    assert.deepEqual(statuses(received()), ['413']);
  }
  assert.equal(delivered.length, 0);
  assert.equal(host.stats.badMessages, 2);
});

test('an HTTP connection carries many requests, and a large chunked body', async () => {
  const { host } = await hostWith({
    onRequest(request, response) {
      let bytes = 0;
      request.on('data', (chunk: Buffer) => {
        bytes += chunk.length;
      });
      request.on('end', () => response.end(String(bytes)));
    },
  });
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  opened.push(() => agent.destroy());
  for (const size of [0, 1, 3_000_000, 5]) {
    const answer = await new Promise<string>((resolve, reject) => {
      const sent = httpRequest(
        {
          agent,
          port: host.bound.port,
          host: '127.0.0.1',
          method: 'POST',
          path: '/api/v1',
          headers: { 'transfer-encoding': 'chunked' },
        },
        (response: IncomingMessage) => {
          let text = '';
          response.on('data', (chunk) => {
            text += chunk;
          });
          response.on('end', () => resolve(text));
        },
      );
      sent.on('error', reject);
      sent.end(Buffer.alloc(size));
    });
    assert.equal(answer, String(size));
  }
});

test('close ends open streams and silent connections', async () => {
  const { host } = await hostWith({ onRequest: (_, response) => void response.write('stream') });
  const silent = connectTo(host);
  const streaming = connectTo(host);
  streaming.socket.write(get);
  await until('the stream', () => streaming.received().includes('stream'));
  let ended = 0;
  for (const { socket } of [silent, streaming]) socket.on('close', () => ended++);
  await host.close();
  await until('the ends', () => ended === 2);
});

const named = (from: string): string =>
  `POST /master/a.Name HTTP/1.1\r\nLibprocess-From: ${from}\r\nContent-Length: 0\r\n\r\n`;

test('HOST-1: with requirePeerAddressIpMatch a message comes from the address that its sender claims', async () => {
  const { host, delivered } = await hostWith({ requirePeerAddressIpMatch: true });
  const [own, elsewhere] = [named('x(1)@127.0.0.1:1'), named('master@10.0.0.1:5050')];
  const unlike = named('x@[::1]:1');
  const mapped = named('x(1)@[::ffff:127.0.0.1]:1');
  for (const first of ['', get]) {
    const { socket, received } = connectTo(host);
    socket.write(first + own + elsewhere + own + unlike + mapped);
    const expected = [...(first === '' ? [] : ['200']), '202', '400', '202', '400', '202'];
    await until('the answers', () => statuses(received()).length >= expected.length);
    assert.deepEqual(statuses(received()), expected);
    assert.match(received(), /the sender master@10\.0\.0\.1:5050 is not at 127\.0\.0\.1/);
  }
  assert.equal(delivered.length, 6);
  assert.equal(host.stats.messagesFromElsewhere, 4);
  const open = await hostWith();
  const { socket, received } = connectTo(open.host);
  socket.write(elsewhere);
  await until('the answer', () => received() !== '');
  assert.deepEqual(statuses(received()), ['202']);
});

test('INBOUND-2: a connection that floods has one read of messages a turn, and none is lost', async () => {
  const flood = message('master', 'a').repeat(40_000);
  let bytes = 0;
  let most = 0;
  let count = 0;
  const { host } = await hostWith({
    onMessage() {
      if (bytes === 0)
        setImmediate(() => {
          most = Math.max(most, bytes);
          bytes = 0;
        });
      bytes += flood.length / 40_000;
      count++;
      return 'accepted';
    },
  });
  const { socket } = connectTo(host);
  socket.resume().write(flood);
  await until('all messages', () => count === 40_000);
  assert.ok(most > 0 && most <= 4 * 65_536, `${most} bytes in one turn`);
});

test('CONNECTIONS-1: a flood of idle connections closes connections of its own address; others are answered', async () => {
  const notes: string[] = [];
  const { host } = await hostWith({
    connectionLimits: { maxConnections: 4, maxSilent: 4 },
    onMessage: () => 'registered',
    onNote: ({ kind }) => notes.push(kind),
  });
  const peer = connectTo(host);
  peer.socket.write(message('master', 'a'));
  await until('the peer', () => statuses(peer.received()).length === 1);
  const flood = Array.from({ length: 20 }, () => connectTo(host));
  const closed = (): number => flood.filter(({ socket }) => socket.closed).length;
  for (const { socket } of flood) socket.resume();
  await until('the flood to be cut', () => closed() >= 17);
  const late = connectTo(host);
  late.socket.write(get);
  await until('an answer', () => statuses(late.received()).length === 1);
  peer.socket.write(message('master', 'b'));
  await until('an answer to the peer', () => statuses(peer.received()).length === 2);
  assert.ok(host.stats.connections.open <= 4);
  assert.equal(notes.filter((kind) => kind === 'connectionCut').length, host.stats.connections.cut);
});

test('PEERS-5: of connections to addresses that are not linked the one used longest ago is closed', async () => {
  const notes: HostNote[] = [];
  const { host } = await hostWith({ maxUnlinkedPeers: 2, onNote: (note) => notes.push(note) });
  const others = await Promise.all([1, 2, 3, 4].map(() => hostWith()));
  const to = (index: number): Pid => pidOf('master', (others[index] as (typeof others)[number]).host.address);
  const deliveredBy = (index: number): number => (others[index] as (typeof others)[number]).delivered.length;
  host.link(to(0));
  for (const index of [0, 1, 2, 1]) {
    const before = deliveredBy(index);
    host.send(to(index), 'master', 'a.Name', Buffer.from('x'));
    await until('the message', () => deliveredBy(index) > before);
  }
  host.send(to(3), 'master', 'a.Name', Buffer.from('x'));
  await until('the last message', () => deliveredBy(3) === 1);
  assert.deepEqual(notes, [{ kind: 'unlinkedPeerClosed', address: to(2).slice('master@'.length) }]);
  assert.equal(host.stats.unlinkedPeersClosed, 1);
  host.send(to(0), 'master', 'a.Name', Buffer.from('x'));
  await until('the linked one', () => deliveredBy(0) === 2);
});

test('HOST-3: no message is delivered from a connection that was reported closed while its body was decompressed', async () => {
  const events: string[] = [];
  const { host } = await hostWith({
    onMessage({ connection }) {
      events.push(`message ${connection.id}`);
      return 'accepted';
    },
    onConnectionClosed: ({ id }) => events.push(`closed ${id}`),
    onRequest: () => events.push('request'),
  });
  // Decompression waits for a thread as long as all of them are occupied.
  const occupied = Array.from({ length: 8 }, () => promisify(pbkdf2)('', '', 300_000, 64, 'sha512'));
  const { socket } = connectTo(host);
  const body = gzipSync('text');
  const head = `POST /master/a.Name HTTP/1.1\r\nLibprocess-From: x(1)@127.0.0.1:1\r\nContent-Encoding: gzip\r\nContent-Length: ${body.length}\r\n\r\n`;
  socket.write(Buffer.concat([Buffer.from(head), body, Buffer.from(get)]));
  await until('the request behind the message', () => events.length === 1);
  socket.resetAndDestroy();
  await until('the end of the connection', () => events.length === 2);
  await Promise.all(occupied);
  const { socket: next, received } = connectTo(host);
  next.write(head);
  next.write(body);
  await until('an answer', () => received() !== '');
  assert.deepEqual(events, ['request', 'closed 1', 'message 2']);
});
