import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ok } from '@meseta/base';
import { MasterCallCodec, MasterResponseCodec, SchedulerEventCodec } from '@meseta/wire/codecs';
import { encodeRecord } from '@meseta/wire/recordio';
import {
  agentEndpoints,
  answerType,
  checkCall,
  checkSchedulerCall,
  createMasterClient,
  createRouter,
  createSchedulerClient,
  decodeBody,
  jsonWrapping,
  masterCalls,
  masterEndpoints,
  methodsOf,
  type OutgoingRequest,
  statusOf,
  type Transport,
} from './index.js';

const masterRoute = createRouter('master', masterEndpoints);
const agentRoute = createRouter('agent', agentEndpoints);

/** As libprocess routes them: slashes count before the name of a process, and nowhere else but within an endpoint's path. */
const slashes: readonly (readonly [path: string, master: string | undefined, agent: string | undefined])[] = [
  ['/state', 'state', 'state'],
  ['/state/', 'state', 'state'],
  ['//state', 'state', 'state'],
  ['///state//', 'state', 'state'],
  ['/master/state', 'state', undefined],
  ['/master//state', 'state', undefined],
  ['/master///state/', 'state', undefined],
  ['//master/state', undefined, undefined],
  ['/slave(1)//state', undefined, 'state'],
  ['//slave(1)/state', undefined, undefined],
  ['//api/v1', 'operator', 'operator'],
  ['//api//v1', undefined, undefined],
  ['//health', 'health', 'health'],
  ['/version//', 'version', 'version'],
  ['//version', undefined, undefined],
  ['/metrics//snapshot', 'metrics', 'metrics'],
  ['//metrics/snapshot', undefined, undefined],
  ['/maintenance//schedule', undefined, undefined],
  ['//containers', undefined, 'containers'],
];
for (const [path, master, agent] of slashes) {
  test(`slashes in ${path}`, () => {
    assert.deepEqual([masterRoute(path)?.name, agentRoute(path)?.name], [master, agent]);
  });
}

test('a path of any length leads to the endpoint that it begins with, or to none', () => {
  const parts = '/a'.repeat(30_000);
  assert.equal(masterRoute(`/quota${parts}`)?.name, 'quota');
  assert.equal(masterRoute(`/quota${parts}`)?.rest, parts.slice(1));
  assert.equal(masterRoute(parts), undefined);
  assert.equal(masterRoute(`/${'quota'.repeat(10_000)}`), undefined);
});

test('a path leads to its endpoint, under its alias and with slashes behind it too', () => {
  const table: readonly (readonly [path: string, name: string | undefined, rest?: string])[] = [
    ['/state', 'state'],
    ['/state/', 'state'],
    ['/master/state', 'state'],
    ['/master/state//', 'state'],
    ['/state.json', undefined],
    ['/metrics/snapshot', 'metrics'],
    ['/master/metrics/snapshot', undefined],
    ['/api/v1', 'operator'],
    ['/api/v1/scheduler', 'scheduler'],
    ['/api/v1/operator', 'operator', 'operator'],
    ['/quota/web', 'quota', 'web'],
    ['/master/quota/a%20b', 'quota', 'a b'],
    ['/system/stats.json', 'systemStats'],
    ['/', undefined],
    ['/nothing-here', undefined],
    ['/%', undefined],
    ['/statesman', undefined],
  ];
  for (const [path, name, rest = ''] of table) {
    const match = masterRoute(path);
    assert.equal(match?.name, name, path);
    if (match !== undefined) assert.equal(match.rest, rest, path);
  }
  assert.equal(agentRoute('/slave(1)/state')?.name, 'state');
  assert.equal(agentRoute('/slave(1)/api/v1/executor')?.name, 'executor');
  assert.equal(agentRoute('/master/state'), undefined);
});

test('every endpoint has methods, and calls are POST', () => {
  for (const endpoint of [...Object.values(masterEndpoints), ...Object.values(agentEndpoints)]) {
    assert.ok(methodsOf(endpoint).length > 0, endpoint.path);
    if ('calls' in endpoint) assert.deepEqual(methodsOf(endpoint), ['POST']);
  }
});

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

test('a body is read as its Content-Type says, and refused with the status that Mesos gives', () => {
  const table: readonly (readonly [type: string | undefined, body: Uint8Array, status: number])[] = [
    [undefined, bytes('{"type":"GET_HEALTH"}'), 400],
    ['text/plain', bytes('{"type":"GET_HEALTH"}'), 415],
    ['application/json; charset=utf-8', bytes('{"type":"GET_HEALTH"}'), 415],
    ['application/json', bytes(''), 400],
    ['application/json', bytes('x'), 400],
    ['application/json', bytes('[]'), 400],
    ['application/json', bytes('7'), 400],
    ['application/json', bytes('{"type":"GET_HEALTH"}'), 200],
    ['application/x-protobuf', MasterCallCodec.encode({ type: 'GET_HEALTH' }), 200],
    ['application/x-protobuf', Uint8Array.of(255, 255), 400],
  ];
  for (const [type, body, status] of table) {
    const decoded = decodeBody(type, body, MasterCallCodec);
    assert.equal(decoded.ok ? 200 : statusOf(decoded.error.code), status, `${type} ${body}`);
    if (!decoded.ok) assert.notEqual(decoded.error.text, '');
  }
});

test('the answer is JSON where that is allowed', () => {
  const table: readonly (readonly [accept: string | undefined, type: string | undefined])[] = [
    [undefined, 'application/json'],
    ['*/*', 'application/json'],
    ['application/x-protobuf', 'application/x-protobuf'],
    ['application/x-protobuf, application/json', 'application/json'],
    ['application/json;q=0, application/*', 'application/x-protobuf'],
    ['text/html', undefined],
  ];
  for (const [accept, type] of table) {
    const answer = answerType(accept);
    assert.equal(answer.ok ? answer.value : undefined, type, accept);
    if (!answer.ok) assert.equal(statusOf(answer.error.code), 406);
  }
});

test('a call needs a known type and the field of that type', () => {
  const field = (call: object) => {
    const checked = checkCall(masterCalls, call);
    return checked.ok ? undefined : [statusOf(checked.error.code), checked.error.text];
  };
  assert.equal(field({ type: 'GET_HEALTH' }), undefined);
  assert.equal(field({ type: 'GET_METRICS', get_metrics: {} }), undefined);
  assert.deepEqual(field({ type: 'GET_METRICS' }), [400, "Field 'get_metrics' is required by GET_METRICS but missing"]);
  assert.equal(field({})?.[0], 400);
  assert.equal(field({ type: 'UNKNOWN' })?.[0], 501);
  assert.equal(field({ type: 'toString' })?.[0], 501);
});

const uuid = (version: number): string => {
  const raw = Buffer.alloc(16, 7);
  raw[6] = version << 4;
  return raw.toString('base64');
};

test("a scheduler's call names what is wrong with it", () => {
  const info = { user: 'root', name: 'f' };
  const id = { value: 'a' };
  const acknowledge = (text: string) => ({ agent_id: id, task_id: id, uuid: text });
  const table: readonly (readonly [call: Parameters<typeof checkSchedulerCall>[0], wrong: string | undefined])[] = [
    [{ type: 'SUBSCRIBE', subscribe: { framework_info: info } }, undefined],
    [{ type: 'SUBSCRIBE', framework_id: { value: '' }, subscribe: { framework_info: info } }, undefined],
    [{ type: 'SUBSCRIBE' }, "'subscribe'"],
    [{ type: 'SUBSCRIBE', framework_id: id, subscribe: { framework_info: info } }, 'framework_info.id'],
    [{ type: 'SUBSCRIBE', subscribe: { framework_info: { ...info, id } } }, 'framework_info.id'],
    [{ type: 'SUBSCRIBE', subscribe: { framework_info: { ...info, principal: 'other' } } }, 'principal'],
    [{ type: 'REVIVE' }, "'framework_id'"],
    [{ type: 'REVIVE', framework_id: id }, undefined],
    [{ type: 'UNKNOWN' }, "'framework_id'"],
    [{ type: 'ACCEPT', framework_id: id }, "'accept'"],
    [{ type: 'ACKNOWLEDGE', framework_id: id, acknowledge: acknowledge(uuid(4)) }, undefined],
    [{ type: 'ACKNOWLEDGE', framework_id: id, acknowledge: acknowledge(uuid(9)) }, 'acknowledge.uuid'],
    [{ type: 'ACKNOWLEDGE', framework_id: id, acknowledge: acknowledge('AAAA') }, 'acknowledge.uuid'],
  ];
  for (const [call, wrong] of table) {
    const checked = checkSchedulerCall(call, 'me');
    const text = checked.ok ? undefined : checked.error.text;
    if (wrong === undefined) assert.equal(text, undefined);
    else assert.ok(text?.includes(wrong), `${JSON.stringify(call)}: ${text}`);
  }
});

test('JSONP wraps in functions and in nothing else', () => {
  assert.deepEqual(jsonWrapping(undefined), { before: '', after: '', contentType: 'application/json' });
  assert.equal(jsonWrapping('angular.callbacks._0')?.before, 'angular.callbacks._0(');
  assert.equal(jsonWrapping('alert(1);f'), undefined);
  assert.equal(jsonWrapping('<script>'), undefined);
});

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

test('a client says the call and answers with its field, in both media types', async () => {
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

test('a refusal carries the status and the text; a client remembers where the leader is', async () => {
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

test('events come from records, however they are cut', async () => {
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
