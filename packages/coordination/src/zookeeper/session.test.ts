// The rules of a session, with a scripted server that answers as no ZooKeeper does.
import assert from 'node:assert/strict';
import { createServer, type Socket } from 'node:net';
import { test } from 'node:test';
import { openTestSession } from '../testing/zookeeper-server.js';
import { createJuteWriter, type JuteWriter } from './jute.js';
import { childrenOperation, createOperation, getOperation } from './protocol.js';
import type { Session } from './session.js';

const TIMEOUT_MS = 8000;
const framed = (writer: JuteWriter): Buffer => createJuteWriter().buffer(writer.bytes()).bytes();
const connected = (timeoutMs = TIMEOUT_MS): Buffer =>
  framed(createJuteWriter().int(0).int(timeoutMs).long(7n).buffer(Buffer.alloc(16)));
const header = (xid: number, error = 0): JuteWriter => createJuteWriter().int(xid).long(1n).int(error);

/** Gets each frame of a connection after the first: the number of the connection, and the socket. */
type Answer = (connection: number, socket: Socket, xid: number) => void;

interface ScriptedServer {
  readonly port: number;
  /** Connections so far. */
  connections(): number;
  close(): void;
}

/** `first` is the answer to the first frame of each connection; undefined: none. */
async function scriptedServer(answer: Answer, first: () => Buffer | undefined = connected): Promise<ScriptedServer> {
  let connections = 0;
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    connections++;
    const own = connections;
    sockets.add(socket.on('error', () => {}));
    let bytes = Buffer.alloc(0);
    let frames = 0;
    socket.on('data', (chunk) => {
      bytes = Buffer.concat([bytes, chunk]);
      while (bytes.length >= 4 && bytes.length >= 4 + bytes.readInt32BE(0)) {
        const frame = bytes.subarray(4, 4 + bytes.readInt32BE(0));
        bytes = bytes.subarray(4 + frame.length);
        frames++;
        if (frames === 1) socket.write(first() ?? '');
        else answer(own, socket, frame.readInt32BE(0));
      }
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  return {
    port: typeof address === 'object' && address !== null ? address.port : 0,
    connections: () => connections,
    close() {
      for (const socket of sockets) socket.destroy();
      server.close();
    },
  };
}

interface Scripted {
  readonly session: Session;
  connections(): number;
  close(): Promise<void>;
}

/** A session at one such server. */
async function scripted(answer: Answer, first = connected()): Promise<Scripted> {
  const server = await scriptedServer(answer, () => first);
  const session = openTestSession([server.port], TIMEOUT_MS);
  return {
    session,
    connections: server.connections,
    async close() {
      server.close();
      await session.close();
    },
  };
}

const creation = createOperation({ kind: 'create', path: '/a', data: Buffer.alloc(0), access: 'open' });
test('ZKSESSION-2: a change whose connection ends before the answer is not sent again; a read is', async () => {
  const sent: string[] = [];
  const { session, close } = await scripted((connection, socket, xid) => {
    sent.push(`${connection}:${xid}`);
    if (connection === 1 && sent.length === 2) socket.destroy();
    else if (connection > 1) socket.write(framed(header(xid).int(0)));
  });
  const [changed, read] = await Promise.all([session.change(creation), session.read(childrenOperation('/', false))]);
  assert.deepEqual([changed.ok, !changed.ok && changed.error.code], [false, 'connectionLost']);
  assert.deepEqual(read, { ok: true, value: [] });
  assert.equal(sent.length, 3);
  await close();
});

const hostile: readonly (readonly [what: string, bytes: Buffer])[] = [
  ['ZKCONNECTION-1: a frame of 2 GiB', Buffer.from([0x7f, 0xff, 0xff, 0xff])],
  ['ZKCONNECTION-1: a frame of negative length', Buffer.from([0xff, 0xff, 0xff, 0xff])],
  ['ZKSESSION-3: an answer out of order', framed(header(77))],
  ['ZKSESSION-3: an answer that ends too early', framed(header(1))],
  ['ZKSESSION-3: an empty frame', framed(createJuteWriter())],
  ['ZKSESSION-3: a buffer longer than the frame', framed(header(1).int(2 ** 30))],
];
for (const [what, bytes] of hostile) {
  test(`${what} ends the connection, and nothing is answered with it`, async () => {
    const { session, connections, close } = await scripted((connection, socket) => {
      if (connection === 1) socket.write(bytes);
      else socket.write(framed(header(2, -101)));
    });
    const read = await session.read(getOperation('/a'));
    assert.deepEqual([read.ok, !read.ok && read.error.code, connections()], [false, 'noNode', 2]);
    await close();
  });
}

test('ZKSESSION-3: a list that claims 2 billion names is refused before it is made', async () => {
  const { session, connections, close } = await scripted((connection, socket) => {
    if (connection === 1) socket.write(framed(header(1).int(2 ** 31 - 1)));
    else socket.write(framed(header(2, -101)));
  });
  assert.equal((await session.read(childrenOperation('/', false))).ok, false);
  assert.equal(connections(), 2);
  await close();
});

test('ZKSESSION-4: a watch is called when its connection ends', async () => {
  const { session, close } = await scripted((_, socket) => socket.destroy());
  const called = new Promise<void>((resolve) => {
    session.onChildren('/', resolve);
  });
  void session.change(creation);
  await called;
  await close();
});

test('ZKSESSION-1: without answers the session is valid for three quarters of its timeout, counted from the request', async () => {
  const beganMs = performance.now();
  const { session, close } = await scripted(() => {});
  while (session.id() === 0n) await new Promise((resolve) => setTimeout(resolve, 5));
  const untilMs = session.validUntilMonoMs();
  assert.ok(untilMs > beganMs && untilMs <= performance.now() + 0.75 * TIMEOUT_MS);
  await new Promise((resolve) => setTimeout(resolve, 300));
  assert.equal(session.validUntilMonoMs(), untilMs);
  await close();
  assert.ok(session.validUntilMonoMs() < performance.now());
});

test('a session that the server does not know has ended', async () => {
  const { session, close } = await scripted(() => {}, connected(0));
  assert.equal(await session.ended, 'the session has expired');
  assert.equal((await session.change(creation)).ok, false);
  await close();
});

test('ZKSESSION-5: a session whose server is silent goes on at another one before its time has passed', async () => {
  const timeoutMs = 4800;
  let isSilent = false;
  const answer: Answer = (_, socket, xid) => void socket.write(framed(header(xid)));
  const alive = await scriptedServer(answer, () => connected(timeoutMs));
  // As a stopped process: the kernel accepts its connections.
  const stopped = await scriptedServer(
    (...of) => (isSilent ? undefined : answer(...of)),
    () => (isSilent ? undefined : connected(timeoutMs)),
  );
  // The first server of a session is random.
  const sessions = Array.from({ length: 8 }, () => openTestSession([stopped.port, alive.port], timeoutMs));
  const reasons: string[] = [];
  for (const session of sessions) void session.ended.then((reason) => reasons.push(reason));
  while (sessions.some((session) => session.id() === 0n)) await new Promise((resolve) => setTimeout(resolve, 5));
  isSilent = true;
  await new Promise((resolve) => setTimeout(resolve, 2 * timeoutMs));
  assert.deepEqual(reasons, []);
  await Promise.all(sessions.map((session) => session.close()));
  alive.close();
  stopped.close();
});

test('ZKSESSION-5: servers that end each connection are tried at most four times a second', async () => {
  const servers = await Promise.all([1, 2].map(() => scriptedServer((_, socket) => socket.destroy())));
  const session = openTestSession(
    servers.map(({ port }) => port),
    TIMEOUT_MS,
  );
  for (const untilMs = performance.now() + 1000; performance.now() < untilMs; ) await session.change(creation);
  const connections = servers.map((server) => server.connections());
  assert.ok(
    connections.every((count) => count > 1 && count <= 5),
    connections.join(),
  );
  await session.close();
  for (const server of servers) server.close();
});
