// The rules of the client and of leases, with a scripted server that answers as no etcd does.
import assert from 'node:assert/strict';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer as createTcpServer, type Server } from 'node:net';
import { test } from 'node:test';
import type { Login } from '../service-address.js';
import { createEtcdClient, type EtcdClient } from './client.js';
import { holdLease } from './lease.js';
import {
  contendCall,
  contendersCall,
  getCall,
  grantLeaseCall,
  keepLeaseCall,
  keysCall,
  writeCall,
} from './protocol.js';

const TIMEOUT_MS = 600;
const fence = { key: '/a/masters/1', createRevision: 7 };
const write = writeCall(fence, [{ kind: 'put', key: '/a/b', value: Buffer.from('v') }]);
const read = getCall(fence, '/a/b');

interface Scripted {
  readonly client: EtcdClient;
  /** Of the first server. */
  readonly port: number;
  /** The paths of the requests so far. */
  readonly requests: string[];
  close(): void;
}

const portOf = (address: ReturnType<Server['address']>): number =>
  typeof address === 'object' && address !== null ? address.port : 0;

type Answer = (request: IncomingMessage, response: ServerResponse, count: number) => void;

/** A client of several such servers, all of which answer with `answer`. */
async function scripted(answer: Answer, servers = 1, login?: Login): Promise<Scripted> {
  const requests: string[] = [];
  const opened = await Promise.all(
    Array.from({ length: servers }, async () => {
      const server = createServer((request, response) => {
        request.resume();
        requests.push(request.url ?? '');
        answer(request, response, requests.length);
      });
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
      return server;
    }),
  );
  const addresses = opened.map((server) => ({ host: '127.0.0.1', port: portOf(server.address()) }));
  const client = createEtcdClient({ servers: addresses, login, tls: undefined, timeoutMs: TIMEOUT_MS });
  return {
    client,
    port: addresses[0]?.port ?? 0,
    requests,
    close() {
      client.close();
      for (const server of opened) {
        server.closeAllConnections();
        server.close();
      }
    },
  };
}

const json =
  (value: unknown, status = 200): Answer =>
  (_request, response) =>
    void response.writeHead(status).end(typeof value === 'string' ? value : JSON.stringify(value));

const lost: readonly (readonly [what: string, answer: Answer])[] = [
  ['no answer', () => {}],
  ['a closed connection', (request) => void request.socket.destroy()],
  [
    'an answer that is cut off',
    (_request, response) => {
      response.writeHead(200).write('{"succ');
      response.destroy();
    },
  ],
  ['etcd’s own time limit', json({ message: 'etcdserver: request timed out', code: 14 }, 503)],
  ['an answer that is no JSON', json('<html>', 200)],
  ['an answer without a header', json({ succeeded: true })],
];
for (const [what, answer] of lost) {
  test(`ETCDCLIENT-1: a change with ${what} is sent once, and its outcome is unknown`, async () => {
    const { client, requests, close } = await scripted(answer, 3);
    const written = await client.call(write);
    assert.equal(!written.ok && written.error.code, 'unanswered');
    assert.equal(requests.length, 1);
    close();
  });
}

test('ETCDCLIENT-1: a change that etcd refused was not made', async () => {
  for (const code of [3, 5, 7, 8, 9, 11, 12, 16]) {
    const { client, close } = await scripted(json({ error: 'etcdserver: no', message: 'etcdserver: no', code }, 400));
    assert.deepEqual(await client.call(write), { ok: false, error: { code: 'refused', text: 'etcdserver: no' } });
    close();
  }
});

test('ETCDCLIENT-1: a change goes to the next server if no connection could be made, as nothing was sent', async () => {
  const reserved = createTcpServer();
  await new Promise<void>((resolve) => reserved.listen(0, '127.0.0.1', resolve));
  const dead = portOf(reserved.address());
  await new Promise((resolve) => reserved.close(resolve));
  const { port, requests, close } = await scripted(json({ header: {}, succeeded: true }));
  // The first server of a client is random.
  for (let n = 0; n < 8; n++) {
    const servers = [dead, port].map((each) => ({ host: '127.0.0.1', port: each }));
    const client = createEtcdClient({ servers, login: undefined, tls: undefined, timeoutMs: TIMEOUT_MS });
    assert.deepEqual(await client.call(write), { ok: true, value: 'written' });
    client.close();
  }
  assert.equal(requests.length, 8);
  close();
});

test('ETCDCLIENT-1: a read without an answer is sent to the next server', async () => {
  const answer: Answer = (_request, response, count) => {
    if (count > 1) response.end(JSON.stringify({ header: {}, succeeded: true, responses: [{ response_range: {} }] }));
  };
  const { client, requests, close } = await scripted(answer, 2);
  assert.deepEqual(await client.call(read), { ok: true, value: [] });
  assert.equal(requests.length, 2);
  close();
});

test('ETCDCLIENT-1: the time of a call includes its authentications', async () => {
  const late: Answer = (request, response) => {
    const isLogin = request.url?.endsWith('authenticate');
    const answer = isLogin ? { token: 'a' } : { message: 'etcdserver: invalid auth token', code: 16 };
    setTimeout(() => response.writeHead(isLogin ? 200 : 401).end(JSON.stringify(answer)), (2 * TIMEOUT_MS) / 3);
  };
  const { client, requests, close } = await scripted(late, 1, { user: 'me', password: 'secret' });
  const beganMs = performance.now();
  const written = await client.call(write);
  assert.equal(!written.ok && written.error.code, 'unanswered');
  assert.ok(performance.now() - beganMs < 1.5 * TIMEOUT_MS);
  assert.equal(requests.length, 2);
  close();
});

test('ETCDCLIENT-2: an answer above the limit is cut off', async () => {
  let sent = 0;
  const { client, close } = await scripted((_request, response) => {
    const chunk = Buffer.alloc(2 ** 20, 32);
    const more = (): void => {
      while (!response.destroyed && sent < 64 * 2 ** 20) {
        sent += chunk.length;
        if (!response.write(chunk)) return void response.once('drain', more);
      }
    };
    more();
  });
  const found = await client.call(read);
  assert.match(found.ok ? '' : found.error.text, /more than 4194304 bytes/);
  assert.ok(sent < 64 * 2 ** 20);
  close();
});

const range = (kvs: unknown) => ({ header: {}, succeeded: true, responses: [{ response_range: { kvs } }] });
const hostile: readonly unknown[] = [
  [],
  null,
  7,
  '{',
  '['.repeat(100_000),
  '{"a":'.repeat(100_000),
  range(7),
  range([7]),
  range([null]),
  range([{ key: 7, create_revision: '1', mod_revision: '1' }]),
  range([{ key: 'YQ==', create_revision: 1, mod_revision: '1' }]),
  range([{ key: 'YQ==', create_revision: '1e3', mod_revision: '1' }]),
  range([{ key: 'YQ==', create_revision: '9223372036854775807', mod_revision: '1' }]),
  range([{ key: 'YQ==', create_revision: '1', mod_revision: '1', value: {} }]),
  range([{ key: 'A'.repeat(5000), create_revision: '1', mod_revision: '1' }]),
  range([{ key: 'YQ==', create_revision: '1', mod_revision: 1 }]),
  range([{ key: 'YQ==', create_revision: '1' }]),
  { header: {}, succeeded: true, responses: 7 },
  { header: {}, succeeded: true, responses: [[]] },
  { error: { message: 7, code: 'x' } },
];
test('ETCDCLIENT-2: a malformed answer is an error of its call', async () => {
  for (const answer of hostile) {
    const { client, close } = await scripted(json(answer));
    const calls = [
      contendersCall('/a/', '/a/b'),
      contendCall('/a/b', Buffer.alloc(0), '1'),
      grantLeaseCall(1),
      keepLeaseCall('1'),
      keysCall(fence, '/a/', '/a/', 9),
    ];
    for (const call of calls) {
      const called = await client.call<unknown>(call, 50);
      assert.ok(!called.ok || called.value === 'fenced', `${call.path} ${JSON.stringify(answer).slice(0, 80)}`);
    }
    close();
  }
});

test('ETCDCLIENT-3: a server that floods a watch causes few reports', async () => {
  const { client, close } = await scripted((_request, response) => {
    const timer = setInterval(() => response.write('{}\n'.repeat(1000)), 1);
    response.on('close', () => clearInterval(timer));
  });
  let reports = 0;
  client.watch('/a/', () => {
    reports++;
  });
  await new Promise((resolve) => setTimeout(resolve, 500));
  assert.ok(reports > 0 && reports <= 11, `${reports}`);
  close();
});

test('ETCDLEASE-1: a lease counts from the sending of a renewal, and a late answer does not bring it back', async () => {
  const beganMs = performance.now();
  const { client, close } = await scripted((request, response) => {
    if (request.url?.endsWith('grant')) setTimeout(() => response.end('{"ID":"1","TTL":"1"}'), 150);
    else setTimeout(() => response.end('{"result":{"ID":"1","TTL":"1"}}'), 900);
  });
  const held = await holdLease(client, 2000);
  assert.ok(held.ok);
  assert.ok(held.value.validUntilMonoMs() <= beganMs + 900);
  assert.match(await held.value.ended, /has not answered/);
  assert.ok(performance.now() - beganMs < 1000, 'the lease outlived its time');
  await new Promise((resolve) => setTimeout(resolve, 500));
  assert.equal(held.value.validUntilMonoMs(), Number.NEGATIVE_INFINITY);
  close();
});

test('ETCDLEASE-1: a lease that etcd has ended is over', async () => {
  const { client, close } = await scripted((request, response) => {
    response.end(request.url?.endsWith('grant') ? '{"ID":"1","TTL":"9"}' : '{"result":{"ID":"1"}}');
  });
  const held = await holdLease(client, 300);
  assert.ok(held.ok);
  assert.equal(await held.value.ended, 'etcd has ended the lease');
  close();
});

test('ETCDLEASE-1: a lease is not relied on for longer than was asked for', async () => {
  const TTL = String(Number.MAX_SAFE_INTEGER);
  let onRenewed: () => void;
  const renewed = new Promise<void>((resolve) => {
    onRenewed = resolve;
  });
  const { client, close } = await scripted((_request, response, count) => {
    response.end(JSON.stringify({ ID: '1', TTL, result: { ID: '1', TTL } }));
    if (count > 2) onRenewed();
  });
  const held = await holdLease(client, 300);
  assert.ok(held.ok);
  await renewed;
  assert.ok(held.value.validUntilMonoMs() < performance.now() + 1000);
  await held.value.revoke();
  close();
});
