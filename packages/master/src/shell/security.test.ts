import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { pidOf } from '@meseta/base';
import { createHost } from '@meseta/platform';
import { createCramMd5Client } from '@meseta/security/cram-md5';
import type { LibprocessMessage, MasterEvent } from '@meseta/wire';
import { decodeMessage, encodeMessage } from '@meseta/wire/libprocess-codec';
import { configure, startLeader } from './testing.js';

const directory = mkdtempSync(join(tmpdir(), 'meseta-security-'));
const closing: (() => unknown)[] = [];
after(async () => {
  for (const close of closing.reverse()) await close();
  rmSync(directory, { recursive: true });
});

const credentials = join(directory, 'credentials');
writeFileSync(credentials, 'alice a:b\nbob secret\n', { mode: 0o600 });
const only = (...values: string[]) => ({ values });
const ANY = { type: 'ANY' };
const acls = join(directory, 'acls');
writeFileSync(
  acls,
  JSON.stringify({
    permissive: false,
    register_frameworks: [{ principals: only('alice'), roles: only('web/%') }],
    view_frameworks: [{ principals: only('alice'), users: ANY }],
    view_roles: [{ principals: ANY, roles: only('web') }],
    update_weights: [{ principals: only('alice'), roles: ANY }],
    get_maintenance_schedules: [{ principals: only('alice'), machines: ANY }],
    teardown_frameworks: [{ principals: only('bob'), framework_principals: only('bob') }],
  }),
);

async function master(...argv: string[]): Promise<string> {
  const { address, stop } = await startLeader(['--registry=in_memory', `--credentials=${credentials}`, ...argv]);
  closing.push(stop);
  return address;
}

type Who = 'alice' | 'bob' | undefined;
const headersOf = (who: Who): Record<string, string> =>
  who === undefined ? {} : { Authorization: `Basic ${btoa(who === 'alice' ? 'alice:a:b' : 'bob:secret')}` };
const get = (address: string, path: string, who: Who) => fetch(`http://${address}${path}`, { headers: headersOf(who) });
const post = (address: string, path: string, who: Who, body: unknown, more: Record<string, string> = {}) =>
  fetch(`http://${address}${path}`, {
    method: 'POST',
    headers: { ...headersOf(who), 'Content-Type': 'application/json', Accept: 'application/json', ...more },
    body: JSON.stringify(body),
  });

const guarded = ['--authenticate_http_readonly', '--authenticate_http_readwrite', `--acls=${acls}`];

/** The records of a stream, as they come. */
async function* recordsOf(response: Response): AsyncGenerator<MasterEvent> {
  let text = '';
  assert.ok(response.body);
  for await (const bytes of response.body) {
    text += Buffer.from(bytes).toString('latin1');
    for (;;) {
      const [, length = ''] = /^(\d+)\n/.exec(text) ?? [];
      const end = length.length + 1 + Number(length);
      if (length === '' || text.length < end) break;
      yield JSON.parse(text.slice(length.length + 1, end)) as MasterEvent;
      text = text.slice(end);
    }
  }
}

const subscribeAs = (address: string, roles: readonly string[]) =>
  post(address, '/api/v1/scheduler', 'alice', {
    type: 'SUBSCRIBE',
    subscribe: {
      framework_info: { user: 'u', name: 'n', principal: 'alice', roles, capabilities: [{ type: 'MULTI_ROLE' }] },
    },
  });

test('over HTTP a principal sees and changes only what the access control lists allow', async () => {
  const address = await master(...guarded);
  const anonymous = await get(address, '/state', undefined);
  assert.deepEqual(
    [anonymous.status, anonymous.headers.get('www-authenticate'), anonymous.headers.get('x-content-type-options')],
    [401, 'Basic realm="mesos-master-readonly"', 'nosniff'],
  );
  const framework = await subscribeAs(address, ['web/a']);
  assert.equal((await recordsOf(framework).next()).value?.type, 'SUBSCRIBED');
  const seenBy = async (who: Who) =>
    ((await (await get(address, '/state', who)).json()) as { frameworks: unknown[] }).frameworks.length;
  assert.deepEqual([await seenBy('alice'), await seenBy('bob')], [1, 0]);
  const weights = {
    type: 'UPDATE_WEIGHTS',
    update_weights: { weight_infos: ['web', 'db'].map((role) => ({ role, weight: 2 })) },
  };
  assert.equal((await post(address, '/api/v1', 'bob', weights)).status, 403);
  assert.equal((await post(address, '/api/v1', 'alice', weights)).status, 200);
  const shown = await (await get(address, '/weights', 'bob')).json();
  assert.deepEqual(shown, [{ role: 'web', weight: 2 }]);
  for (const [call, status] of [
    ['GET_FLAGS', 403],
    ['GET_FRAMEWORKS', 200],
  ] as const) {
    assert.equal((await post(address, '/api/v1', 'bob', { type: call })).status, status, call);
  }
  assert.equal((await get(address, '/flags', 'alice')).status, 403);
  const evil = { Origin: 'http://evil.example' };
  assert.equal((await post(address, '/api/v1', 'alice', weights, evil)).status, 403);
});

test('OPERATOR-STREAMS-3: a stream has the events that its viewer may see, and no others', async () => {
  const address = await master(...guarded);
  const streams = await Promise.all(
    (['alice', 'bob'] as const).map((who) => post(address, '/api/v1', who, { type: 'SUBSCRIBE' })),
  );
  const [alices, bobs] = streams.map(recordsOf) as [AsyncGenerator<MasterEvent>, AsyncGenerator<MasterEvent>];
  const types = async (stream: AsyncGenerator<MasterEvent>, count: number): Promise<unknown[]> => {
    const seen: unknown[] = [];
    while (seen.length < count) seen.push((await stream.next()).value?.type);
    return seen;
  };
  assert.deepEqual(await types(alices, 2), ['SUBSCRIBED', 'HEARTBEAT']);
  assert.deepEqual(await types(bobs, 2), ['SUBSCRIBED', 'HEARTBEAT']);
  const framework = await subscribeAs(address, ['web/a']);
  assert.deepEqual(await types(alices, 1), ['FRAMEWORK_ADDED']);
  await framework.body?.cancel();
  // Bob's stream has nothing by the time that a later request is answered.
  const next = bobs.next();
  assert.equal(
    await Promise.race([next.then(() => 'an event'), get(address, '/health', undefined).then(() => 'nothing')]),
    'nothing',
  );
});

/** A v0 driver that authenticates and subscribes; returns how that ended. */
async function driver(address: string, secret: string | undefined): Promise<string> {
  let onEnd: (name: string) => void = () => {};
  const ended = new Promise<string>((resolve) => {
    onEnd = resolve;
  });
  const host = await createHost({
    ip: '127.0.0.1',
    port: 0,
    onRequest: (_, response) => response.end(),
    onPeerLost: () => {},
    onMessage({ from, wireName, body }) {
      const message = decodeMessage(wireName, body);
      if (!message.ok) return 'unknown';
      const { name } = message.value;
      if (!name.startsWith('Authentication')) {
        onEnd(name);
        return 'accepted';
      }
      const { replies, end } = client.receive(message.value);
      for (const reply of replies) say(from, 'crammd5-authenticatee(1)', reply);
      if (end?.kind === 'authenticated') subscribe();
      else if (end !== undefined) onEnd(end.kind);
      return 'accepted';
    },
  });
  assert.ok(host.ok);
  closing.push(host.value.close);
  const pid = pidOf('scheduler(1)', host.value.address);
  const to = pidOf('master', address);
  const client = createCramMd5Client({ principal: 'bob', secret: secret ?? '' }, pid);
  const say = (whom: typeof to, from: string, message: LibprocessMessage): void => {
    const { wireName, bytes } = encodeMessage(message);
    host.value.send(whom, from, wireName, bytes);
  };
  const subscribe = (): void =>
    say(to, 'scheduler(1)', {
      name: 'SchedulerCall',
      body: { type: 'SUBSCRIBE', subscribe: { framework_info: { user: 'u', name: 'v0' } } },
    });
  if (secret === undefined) subscribe();
  else say(to, 'crammd5-authenticatee(1)', client.begin());
  return ended;
}

test('v0 drivers authenticate before they subscribe', async () => {
  const address = await master('--authenticate_frameworks');
  assert.equal(await driver(address, undefined), 'FrameworkErrorMessage');
  assert.equal(await driver(address, 'wrong'), 'refused');
  assert.equal(await driver(address, 'secret'), 'FrameworkRegisteredMessage');
  const { frameworks } = (await (await get(address, '/state', undefined)).json()) as {
    frameworks: { principal: string }[];
  };
  assert.deepEqual(
    frameworks.map(({ principal }) => principal),
    ['bob'],
  );
});

test('an invalid flag of authentication, authorization, rate limits or TLS is refused with an error that names it', async () => {
  const open = join(directory, 'acls-wrong');
  writeFileSync(open, '{"view_flags":[{"principals":{"type":"ANY"},"flags":{}}]}');
  for (const [flag, ...argv] of [
    ['acls', `--acls=${open}`],
    ['authenticators', '--authenticators=kerberos'],
    ['authorizers', '--authorizers=mine'],
    ['http_framework_authenticators', '--authenticate_http_frameworks'],
    ['http_authenticators', '--authenticate_http_readonly', '--http_authenticators=jwt'],
    ['rate_limits', '--rate_limits={"limits":[{"principal":"a","qps":0}]}'],
    ['ssl_key_file', '--ssl_enabled'],
  ] as const) {
    const config = await configure(['--registry=in_memory', `--credentials=${credentials}`, ...argv]);
    assert.equal(config.ok ? undefined : config.error.flag, flag);
  }
});
