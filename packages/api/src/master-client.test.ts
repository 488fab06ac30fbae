import assert from 'node:assert/strict';
import { getEventListeners } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import { err, ok } from '@meseta/base';
import { MasterCallCodec, MasterResponseCodec, SchedulerEventCodec } from '@meseta/wire/codecs';
import { encodeRecord } from '@meseta/wire/recordio';
import {
  createMasterClient,
  createSchedulerClient,
  fetchTransport,
  type OutgoingRequest,
  type Transport,
} from './index.js';

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

interface Scripted {
  readonly transport: Transport;
  readonly requests: OutgoingRequest[];
}

const answering = (status: number, type: string, chunks: readonly Uint8Array[], url?: string): Scripted => {
  const requests: OutgoingRequest[] = [];
  const transport: Transport = async (request) => {
    requests.push(request);
    const headers: Readonly<Record<string, string>> = { 'content-type': type, 'mesos-stream-id': 's-1' };
    async function* body() {
      yield* chunks;
    }
    return ok({ status, url: url ?? request.url, header: (name) => headers[name.toLowerCase()], body: body() });
  };
  return { transport, requests };
};

test('a client sends a call and returns the field of its response, in both media types', async () => {
  for (const mediaType of ['application/json', 'application/x-protobuf'] as const) {
    const response = { type: 'GET_LOGGING_LEVEL', get_logging_level: { level: 2 } } as const;
    const body =
      mediaType === 'application/json'
        ? bytes(MasterResponseCodec.write(response))
        : MasterResponseCodec.encode(response);
    const { transport, requests } = answering(200, mediaType, [body.subarray(0, 3), body.subarray(3)]);
    const client = createMasterClient({ address: 'http://127.0.0.1:5050/', mediaType, transport });
    const answer = await client.call('GET_LOGGING_LEVEL');
    assert.deepEqual(answer, ok({ level: 2 }));
    assert.equal(requests[0]?.url, 'http://127.0.0.1:5050/api/v1');
    assert.equal(requests[0]?.headers['Content-Type'], mediaType);
    await client.call('TEARDOWN', { framework_id: { value: 'f' } });
    const sent = requests[1]?.body;
    const call = typeof sent === 'string' ? MasterCallCodec.parse(sent) : MasterCallCodec.decode(sent ?? bytes(''));
    assert.deepEqual(call, ok({ type: 'TEARDOWN', teardown: { framework_id: { value: 'f' } } }));
  }
});

test('an error has the status and the text; after a redirect a client sends to the leader', async () => {
  const refused = answering(409, 'text/plain', [bytes('taken')]);
  const client = createMasterClient({ address: 'http://a:1', transport: refused.transport });
  const answer = await client.call('GET_HEALTH');
  assert.deepEqual(answer, { ok: false, error: { code: 'refused', status: 409, text: 'taken' } });

  const leader = answering(202, 'text/plain', [], 'http://b:2/master/api/v1/scheduler');
  const scheduler = createSchedulerClient({ address: 'http://a:1', transport: leader.transport });
  await scheduler.call({ type: 'REVIVE', framework_id: { value: 'f' } }, 's-1');
  await scheduler.call({ type: 'REVIVE', framework_id: { value: 'f' } }, 's-1');
  assert.deepEqual(
    leader.requests.map(({ url }) => url),
    ['http://a:1/api/v1/scheduler', 'http://b:2/api/v1/scheduler'],
  );
  assert.equal(leader.requests[1]?.headers['Mesos-Stream-Id'], 's-1');
});

test('events are read from records in chunks of any size', async () => {
  const events = [{ type: 'HEARTBEAT' }, { type: 'RESCIND', rescind: { offer_id: { value: 'o' } } }] as const;
  const stream = Buffer.concat(events.map((event) => encodeRecord(SchedulerEventCodec.encode(event))));
  const cut = Array.from(stream, (byte) => Uint8Array.of(byte));
  const { transport } = answering(200, 'application/x-protobuf', cut);
  const client = createSchedulerClient({ address: 'http://a:1', transport });
  const opened = await client.subscribe({
    type: 'SUBSCRIBE',
    subscribe: { framework_info: { user: 'root', name: 'f' } },
  });
  assert.ok(opened.ok);
  assert.equal(opened.value.id, 's-1');
  const seen = [];
  for await (const event of opened.value) seen.push(event);
  assert.deepEqual(seen, events);
});

test('a stream that has ended, or was never opened, leaves no listener at the signal of its caller', async () => {
  const { signal } = new AbortController();
  const listeners = (): number => getEventListeners(signal, 'abort').length;
  const call = { type: 'SUBSCRIBE', subscribe: { framework_info: { user: 'u', name: 'n' } } } as const;
  const { transport } = answering(200, 'application/x-protobuf', []);
  const stream = await createSchedulerClient({ address: 'http://a:1', transport }).subscribe(call, signal);
  assert.ok(stream.ok);
  assert.equal(listeners(), 1);
  for await (const _ of stream.value) assert.fail('no event was sent');
  assert.equal(listeners(), 0);
  const unreachable: Transport = async ({ url }) => err({ code: 'unreachable', url, text: 'refused' });
  await createSchedulerClient({ address: 'http://a:1', transport: unreachable }).subscribe(call, signal);
  assert.equal(listeners(), 0);
});

/** A client of a server that sends these chunks and then, if `breaks`, closes the connection. */
function clientOf(status: number, chunks: Iterable<Uint8Array>, breaks: boolean) {
  const transport: Transport = async ({ url }) => {
    async function* body() {
      yield* chunks;
      if (breaks) throw new TypeError('terminated');
    }
    return ok({ status, url, header: () => 'application/json', body: body() });
  };
  return createMasterClient({ address: 'http://a:1', mediaType: 'application/json', transport });
}

test('a response that breaks, or is longer than any text, is an error of the call and does not throw', async () => {
  const broken = await clientOf(200, [bytes('{"type":')], true).call('GET_HEALTH');
  assert.deepEqual(broken, err({ code: 'unreachable', url: 'http://a:1/api/v1', text: 'terminated' }));
  const refused = await clientOf(409, [bytes('taken')], true).call('GET_HEALTH');
  assert.deepEqual(refused, err({ code: 'refused', status: 409, text: 'taken' }));
  assert.deepEqual(await clientOf(202, [], true).call('TEARDOWN', { framework_id: { value: 'f' } }), ok(undefined));
  let sent = 0;
  function* endless() {
    const chunk = new Uint8Array(2 ** 24);
    for (; sent < 100; sent++) yield chunk;
  }
  const long = await clientOf(200, endless(), false).call('GET_HEALTH');
  assert.ok(!long.ok && long.error.code === 'invalidResponse' && sent < 40, `${sent} chunks read`);
  sent = 0;
  const longError = await clientOf(500, endless(), false).call('GET_HEALTH');
  assert.ok(!longError.ok && longError.error.code === 'refused' && sent < 2);
});

const refusedBy = (status: number, text: string): Awaited<ReturnType<Transport>> =>
  ok({
    status,
    url: 'http://a:1/api/v1',
    header: () => undefined,
    body: (async function* () {
      yield Buffer.from(text);
    })(),
  });
const lost = (isUnsent: boolean): Awaited<ReturnType<Transport>> =>
  err({ code: 'unreachable', url: 'http://a:1', text: 'lost', ...(isUnsent && { isUnsent: true }) });

const waits: readonly (readonly [what: string, failure: () => Awaited<ReturnType<Transport>>, isRepeated: boolean])[] =
  [
    ['that was not sent', () => lost(true), true],
    ['that a master without a leader refused', () => refusedBy(503, 'No leader elected'), true],
    ['that a master refused in its recovery', () => refusedBy(503, 'The master has not finished its recovery'), true],
    ['whose connection broke', () => lost(false), false],
    ['that a master refused for a limit', () => refusedBy(503, 'Too many'), false],
  ];
for (const [what, failure, isRepeated] of waits) {
  test(`a request ${what} is ${isRepeated ? '' : 'not '}sent again while a client waits for a leader`, async () => {
    let sent = 0;
    let reported = 0;
    const transport: Transport = async () => {
      sent++;
      return sent === 1 ? failure() : refusedBy(200, '');
    };
    const leaderWait = { timeoutMs: 5000, onWait: () => void reported++ };
    const done = await createMasterClient({ address: 'http://a:1', transport, leaderWait }).call('UPDATE_WEIGHTS', {
      weight_infos: [],
    });
    assert.deepEqual([done.ok, sent, reported], isRepeated ? [true, 2, 1] : [false, 1, 0]);
    sent = 0;
    await createMasterClient({ address: 'http://a:1', transport }).call('UPDATE_WEIGHTS', { weight_infos: [] });
    assert.equal(sent, 1, 'without leaderWait');
  });
}

test('a client waits for a leader no longer than it was told', async () => {
  const beganMs = performance.now();
  const leaderWait = { timeoutMs: 1200, onWait: () => {} };
  const transport: Transport = async () => lost(true);
  const done = await createMasterClient({ address: 'http://a:1', transport, leaderWait }).call('GET_HEALTH');
  assert.equal(!done.ok && done.error.code, 'unreachable');
  const tookMs = performance.now() - beganMs;
  assert.ok(tookMs > 900 && tookMs < 2500, `${tookMs} ms`);
});

test('a request whose connection was not made, or that was only redirected, was carried out by no server', async () => {
  const listening = async (): Promise<{ readonly url: string; close(): Promise<void> }> => {
    const server = createServer((request, response) => {
      if (request.url === '/again') response.writeHead(307, { Location: '/again' }).end();
      else request.socket.destroy();
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return {
      url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
      async close() {
        server.closeAllConnections();
        await new Promise((resolve) => server.close(resolve));
      },
    };
  };
  const isUnsent = async (url: string): Promise<boolean | undefined> => {
    const sent = await fetchTransport({ method: 'GET', url, headers: {} });
    assert.ok(!sent.ok);
    return sent.error.isUnsent;
  };
  const [server, ended] = [await listening(), await listening()];
  await ended.close();
  assert.equal(await isUnsent(`${server.url}/`), undefined);
  assert.equal(await isUnsent(`${server.url}/again`), true);
  assert.equal(await isUnsent(`${ended.url}/`), true);
  await server.close();
});

const connectError = (code: string, syscall: string): Error => Object.assign(new Error(code), { code, syscall });
const refusals = [connectError('ECONNREFUSED', 'connect'), connectError('ETIMEDOUT', 'connect')];
for (const [cause, isUnsent] of [
  [connectError('EHOSTUNREACH', 'connect'), true],
  [Object.assign(new Error('timeout'), { code: 'UND_ERR_CONNECT_TIMEOUT' }), true],
  [Object.assign(new AggregateError(refusals), { code: 'ECONNREFUSED' }), true],
  [connectError('EHOSTUNREACH', 'read'), undefined],
  [connectError('ENETUNREACH', 'write'), undefined],
  [Object.assign(new AggregateError([...refusals, connectError('EHOSTUNREACH', 'read')])), undefined],
] as const) {
  const [{ code, syscall = '' }] = [cause as { readonly code?: string; readonly syscall?: string }];
  test(`a request that fails with ${code ?? cause.name} ${syscall} counts as ${isUnsent ? 'not sent' : 'sent: the connection had been made'}`, async (t) => {
    t.mock.method(globalThis, 'fetch', async () => {
      throw new TypeError('fetch failed', { cause });
    });
    const sent = await fetchTransport({ method: 'POST', url: 'http://a:1/api/v1', headers: {} });
    assert.ok(!sent.ok);
    assert.equal(sent.error.isUnsent, isUnsent);
  });
}

test('a URL with a password is an error that does not show it, also as the target of a redirect', async (t) => {
  const login = 'http://me:s3cret@a:1/api/v1';
  t.mock.method(globalThis, 'fetch', async () => new Response(null, { status: 307, headers: { Location: login } }));
  for (const url of [login, 'http://a:1/api/v1']) {
    const sent = await fetchTransport({ method: 'POST', url, headers: {} });
    assert.deepEqual(
      sent,
      err({
        code: 'unreachable',
        url: 'http://<hidden>@a:1/api/v1',
        text: 'expected a URL without a user and a password; give the credential apart from it',
      }),
    );
  }
});
