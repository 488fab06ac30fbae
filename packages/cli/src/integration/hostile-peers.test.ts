// Hostile peers: malformed bytes, messages of unknown senders, endless bodies and heads, and subscribers that do not read.
// The state does not change, other clients are not delayed, and each kind is logged.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { request } from 'node:http';
import { connect, type Socket } from 'node:net';
import { after, before, test } from 'node:test';
import { until } from '@meseta/platform/testing/until';
import { encodeMessage } from '@meseta/wire/libprocess-codec';
import { hostileBytes } from '@meseta/wire/testing/hostile-bytes';
import { createSchemaPlaces } from '@meseta/wire/testing/schema-places';
import { digestOf } from './testing/digest.js';
import { sendAll } from './testing/pipeline.js';
import type { Witness } from './testing/witness.js';
import { startWitnessedCluster } from './testing/witnessed-cluster.js';
import type { TestCluster } from './testing.js';

const places = createSchemaPlaces();
let cluster: TestCluster;
let witness: Witness;

before(async () => {
  ({ cluster, witness } = await startWitnessedCluster(false));
});

after(async () => {
  witness?.close();
  await cluster?.stop();
});

const addresses = (): readonly string[] => [cluster.master, cluster.agent];

function open(address: string): Socket {
  const [host = '', port = ''] = address.split(':');
  const socket = connect({ host, port: Number(port) });
  // What was refused may be reset.
  socket.on('error', () => {});
  return socket;
}

/** Everything that the peer sends until it closes the connection. */
function exchange(address: string, ...parts: readonly (Buffer | string)[]): Promise<string> {
  return new Promise((resolve) => {
    const socket = open(address);
    let received = '';
    socket.on('data', (bytes) => {
      received += bytes.toString('latin1');
    });
    socket.on('close', () => resolve(received));
    for (const part of parts) socket.write(part);
    socket.end();
  });
}

const logOf = (name: 'master' | 'agent'): string => readFileSync(cluster.logFileOf(name), 'utf8');

async function metric(name: string): Promise<number | undefined> {
  const answer = await fetch(`http://${cluster.master}/metrics/snapshot`);
  return ((await answer.json()) as Record<string, number>)[name];
}

/** How long the slowest of some requests took. */
async function slowestHealthMs(): Promise<number> {
  let slowest = 0;
  for (let i = 0; i < 20; i++) {
    const began = performance.now();
    assert.equal((await fetch(`http://${cluster.master}/health`)).status, 200);
    slowest = Math.max(slowest, performance.now() - began);
  }
  return slowest;
}

const libprocess = { 'Libprocess-From': 'slave(1)@127.0.0.1:1', 'User-Agent': 'libprocess/slave(1)@127.0.0.1:1' };
const head = `Libprocess-From: ${libprocess['Libprocess-From']}\r\n`;

test('malformed bytes and incomplete requests are refused', async () => {
  const beforehand = await digestOf(cluster);
  const garbage: readonly (Buffer | string)[] = [
    Buffer.from(Array.from({ length: 5_000 }, (_, i) => (i * 31 + (i >> 3)) & 0xff)),
    '\r\n\r\n\r\n',
    'POST\r\n\r\n',
    'POST /master/mesos.internal.RegisterSlaveMessage HTTP/9.9\r\n\r\n',
    `POST / HTTP/1.1\r\n${head}\r\n`,
    `POST /master HTTP/1.1\r\n${head}\r\n`,
    `POST /%zz/x HTTP/1.1\r\n${head}\r\n`,
    `POST /master/x HTTP/1.1\r\nLibprocess-From: nobody\r\n\r\n`,
    `POST /master/x HTTP/1.1\r\n${head}Content-Length: 99999999999999\r\n\r\n`,
    `POST /master/x HTTP/1.1\r\n${head}Content-Length: -1\r\n\r\n`,
    `POST /master/x HTTP/1.1\r\n${head}Transfer-Encoding: chunked\r\n\r\nzz\r\n`,
    `POST /master/x HTTP/1.1\r\n${head}Transfer-Encoding: chunked\r\n\r\nffffffffff\r\n`,
    `POST /master/x HTTP/1.1\r\n${head}Content-Length: 10\r\n\r\nabc`,
    `GET /${'x'.repeat(100_000)} HTTP/1.1\r\n\r\n`,
    `GET / HTTP/1.1\r\n${'x'.repeat(100_000)}: 1\r\n\r\n`,
  ];
  for (const address of addresses()) {
    for (const bytes of garbage) assert.doesNotMatch(await exchange(address, bytes), /^HTTP\/1.1 (2|5)\d\d/);
  }
  assert.equal(await digestOf(cluster), beforehand);
  assert.match(logOf('master'), /bad message from 127\.0\.0\.1/);
});

test('messages of unknown peers with malformed bodies change nothing', async () => {
  const beforehand = await digestOf(cluster);
  const internal = places.messages.filter(({ fullName }) => /^mesos\.(internal|scheduler)\./.test(fullName));
  assert.ok(internal.length > 40);
  for (const [address, actor] of [
    [cluster.master, 'master'],
    [cluster.agent, 'slave(1)'],
  ] as const) {
    const requests = internal.flatMap(({ fullName, name }) =>
      places.placesOf(name, 1).flatMap((place) =>
        hostileBytes(place).map((body) => ({
          method: 'POST',
          target: `/${actor}/${fullName.replace('Agent', 'Slave')}`,
          headers: libprocess,
          body,
        })),
      ),
    );
    await sendAll(address, requests, ({ target }, { status }) => assert.match(String(status), /^(202|404)$/, target));
    const nobody = { method: 'POST', target: `/nobody/mesos.internal.PingSlaveMessage`, headers: libprocess, body: '' };
    await sendAll(address, [nobody], (_, { status }) => assert.equal(status, 404));
  }
  assert.equal(await digestOf(cluster), beforehand);
  assert.ok(logOf('master').includes('message from slave(1)@127.0.0.1:1: '), 'a bad message is logged');
});

test('LOG-2: a flood of messages that the core refuses adds few lines to the log', async () => {
  const FLOOD = 5_000;
  const counted = 'master/messages_unregister_slave';
  const [lengthBefore, countBefore] = [logOf('master').length, (await metric(counted)) ?? 0];
  const requests = Array.from({ length: FLOOD }, (_, i) => {
    const body = { agent_id: { value: `unknown-${i}` } };
    const { wireName, bytes } = encodeMessage({ name: 'UnregisterAgentMessage', body });
    return { method: 'POST', target: `/master/${wireName}`, headers: libprocess, body: bytes };
  });
  await sendAll(cluster.master, requests, (_, { status }) => assert.equal(status, 202));
  await until('all messages were counted', async () => ((await metric(counted)) ?? 0) >= countBefore + FLOOD);
  const added = logOf('master').slice(lengthBefore).trimEnd().split('\n');
  assert.ok(added.length < 200, `${added.length} lines for ${FLOOD} messages`);
  assert.match(added.join('\n'), /unknown-0/);
});

test('a body over 64 MiB is refused before it is read', async () => {
  const type = 'Content-Type: application/json\r\n';
  const target = 'POST /api/v1/scheduler HTTP/1.1\r\nHost: x\r\n';
  const announced = await exchange(cluster.master, `${target}${type}Content-Length: ${2 ** 26 + 1}\r\n\r\n`);
  assert.match(announced, /^HTTP\/1\.1 413 [\s\S]*limit of 67108864 bytes/);
  const chunk = Buffer.alloc(2 ** 20, 0x20);
  const chunks = Array.from({ length: 66 }, () => [`${chunk.length.toString(16)}\r\n`, chunk, '\r\n']).flat();
  const chunked = await exchange(cluster.master, `${target}${type}Transfer-Encoding: chunked\r\n\r\n`, ...chunks);
  assert.match(chunked, /^HTTP\/1\.1 413 /);
  assert.ok((await slowestHealthMs()) < 2_000);
});

test('endless heads and bodies do not delay other clients', async () => {
  const sockets = addresses().flatMap((address) => Array.from({ length: 150 }, () => open(address)));
  for (const [i, socket] of sockets.entries()) {
    socket.write(
      i % 2 === 0 ? 'POST /api/v1 HTTP/1.1\r\nX-A: ' : `POST /master/x HTTP/1.1\r\n${head}Content-Length: 9\r\n\r\n1`,
    );
  }
  assert.ok((await slowestHealthMs()) < 2_000);
  for (const socket of sockets) socket.destroy();
});

const json = { 'Content-Type': 'application/json', Accept: 'application/json' };

/** A stream that is opened and never read. */
function stalledStream(
  path: string,
  body: object,
): Promise<{ readonly streamId: string; readonly ended: () => boolean }> {
  return new Promise((resolve, reject) => {
    const asking = request(`http://${cluster.master}${path}`, { method: 'POST', headers: json, agent: false });
    asking.on('response', (response) => {
      response.pause();
      const { socket } = response;
      let ended = false;
      socket.on('close', () => {
        ended = true;
      });
      resolve({ streamId: String(response.headers['mesos-stream-id']), ended: () => ended });
    });
    asking.on('error', reject);
    asking.end(JSON.stringify(body));
  });
}

test('the stream of a subscriber that does not read is closed, and the others continue', async () => {
  const id = { value: 'stalled' };
  const capabilities = [{ type: 'MULTI_ROLE' }];
  const info = { user: 'root', name: 'stalled', id, roles: ['stalled'], capabilities, failover_timeout: 1 };
  const scheduler = await stalledStream('/api/v1/scheduler', {
    type: 'SUBSCRIBE',
    framework_id: id,
    subscribe: { framework_info: info },
  });
  await stalledStream('/api/v1', { type: 'SUBSCRIBE' });
  const call = (body: object): Promise<Response> =>
    fetch(`http://${cluster.master}/api/v1/scheduler`, {
      method: 'POST',
      headers: { ...json, 'Mesos-Stream-Id': scheduler.streamId },
      body: JSON.stringify({ framework_id: id, ...body }),
    });
  // Every change of its info goes to the operators' streams.
  for (let i = 0; i < 300; i++) {
    const framework_info = { ...info, name: `${i} ${'x'.repeat(100_000)}` };
    const answer = await call({ type: 'UPDATE_FRAMEWORK', update_framework: { framework_info } });
    assert.equal(`${answer.status} ${await answer.text()}`, '200 ');
  }
  await until('the stalled operator to be cut off', async () => (await metric('meseta/cut_operator_streams')) === 1);
  // Each task asked about is an event, which waits until the scheduler reads.
  const tasks = Array.from({ length: 1_000 }, (_, i) => ({ task_id: { value: `${i} ${'x'.repeat(10_000)}` } }));
  const seen = witness.events();
  for (let i = 0; i < 20; i++) if ((await call({ type: 'RECONCILE', reconcile: { tasks } })).status !== 202) break;
  assert.equal(await metric('meseta/cut_scheduler_streams'), 0);
  // The answer to the kill of an unknown task waits for nothing.
  for (let i = 0; i < 1_000 && !scheduler.ended(); i++) {
    await call({ type: 'KILL', kill: { task_id: { value: `${i} ${'x'.repeat(60_000)}` } } });
  }
  await until('the stalled scheduler to be cut off', async () => (await metric('meseta/cut_scheduler_streams')) === 1);
  assert.match(logOf('master'), /cut off the scheduler's stream .*: it reads too slowly/);
  assert.match(logOf('master'), /cut off an operator's stream: it reads too slowly/);
  await fetch(`http://${cluster.master}/api/v1/scheduler`, {
    method: 'POST',
    headers: { ...json, 'Mesos-Stream-Id': witness.streamId },
    body: JSON.stringify({ framework_id: { value: witness.frameworkId }, type: 'RECONCILE', reconcile: {} }),
  });
  await until('an event of the one that reads', () => witness.events() > seen);
  assert.equal(witness.ended(), false);
});
