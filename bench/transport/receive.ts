// The cost of receiving a libprocess message on the shared port. Baselines: a socket that reads the same bytes without an
// answer, and node:http with a handler that answers 202. Usage: node scripts/bench.mjs transport/receive; prints a line per
// case. Sender and receiver share the process, so the CPU per message is what to compare; the sender costs the same in each.
import { createServer as createHttpServer } from 'node:http';
import { type AddressInfo, connect, createServer } from 'node:net';
import { createHost } from '@meseta/platform';

const MESSAGES = 20_000;
const ROUNDS = 7;
const BODY_BYTES = 300;
const WRITE_MESSAGES = 100;

const message = Buffer.concat([
  Buffer.from(
    'POST /master/mesos.internal.StatusUpdateMessage HTTP/1.1\r\nUser-Agent: libprocess/slave(1)@127.0.0.1:5051\r\n' +
      'Libprocess-From: slave(1)@127.0.0.1:5051\r\nConnection: Keep-Alive\r\nHost: 127.0.0.1:5050\r\n' +
      `Transfer-Encoding: chunked\r\n\r\n${BODY_BYTES.toString(16)}\r\n`,
  ),
  Buffer.alloc(BODY_BYTES, 120),
  Buffer.from('\r\n0\r\n\r\n'),
]);
const block = Buffer.concat(Array.from({ length: WRITE_MESSAGES }, () => message));

interface Receiver {
  readonly port: number;
  /** Messages taken so far. */
  received(): number;
  close(): void;
}

/** CPU microseconds a message. */
async function cost(receiver: Receiver): Promise<number> {
  const socket = connect(receiver.port, '127.0.0.1');
  socket.resume();
  await new Promise((resolve) => socket.once('connect', resolve));
  const wanted = receiver.received() + MESSAGES;
  const before = process.cpuUsage();
  for (let sent = 0; sent < MESSAGES; sent += WRITE_MESSAGES) {
    if (!socket.write(block)) await new Promise((resolve) => socket.once('drain', resolve));
  }
  while (receiver.received() < wanted) await new Promise((resolve) => setImmediate(resolve));
  const used = process.cpuUsage(before);
  socket.destroy();
  return (used.user + used.system) / MESSAGES;
}

async function bareSocket(): Promise<Receiver> {
  let bytes = 0;
  const server = createServer((socket) => {
    socket.on('error', () => {});
    socket.on('data', (chunk) => {
      bytes += chunk.length;
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return { port, received: () => Math.floor(bytes / message.length), close: () => server.close() };
}

async function nodeHttp(): Promise<Receiver> {
  let count = 0;
  const server = createHttpServer((request, response) => {
    request.resume();
    request.on('end', () => {
      count++;
      response.writeHead(202, { 'content-length': 0 }).end();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const close = (): void => {
    server.closeAllConnections();
    server.close();
  };
  return { port, received: () => count, close };
}

async function host(): Promise<Receiver> {
  let count = 0;
  const made = await createHost({
    ip: '127.0.0.1',
    port: 0,
    onMessage() {
      count++;
      return 'accepted';
    },
    onRequest: (_, response) => response.end(),
    onPeerLost: () => {},
  });
  if (!made.ok) throw new Error(made.error.message);
  return { port: made.value.bound.port, received: () => count, close: () => void made.value.close() };
}

async function main(): Promise<void> {
  const receivers = [
    ['bare socket', await bareSocket()],
    ['shared port', await host()],
    ['node:http', await nodeHttp()],
  ] as const;
  const costs = receivers.map(() => [] as number[]);
  for (let round = 0; round < ROUNDS; round++) {
    for (const [i, [, receiver]] of receivers.entries()) costs[i]?.push(await cost(receiver));
  }
  for (const [i, [name, receiver]] of receivers.entries()) {
    const sorted = (costs[i] ?? []).sort((a, b) => a - b);
    console.log(`${name.padEnd(12)} ${(sorted[sorted.length >> 1] as number).toFixed(2)} us of CPU a message`);
    receiver.close();
  }
}

await main();
