// Request heads at the size limit, for which a naive parser would take quadratic time, against a real master and agent.
//
// HEADS-1: no head blocks a daemon's event loop for more than 250 ms of processor time.
import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { after, before, test } from 'node:test';
import { LIMITS } from '@meseta/base';
import { createTestCluster, type TestCluster } from './testing.js';

const MAX_PAUSE_MS = 250;
/** Leaves room for the other lines of the head. */
const LONG = LIMITS.requestHead.most - 512;

let cluster: TestCluster;

before(async () => {
  cluster = await createTestCluster();
  await cluster.startMaster();
  await cluster.startAgent();
});

after(() => cluster?.stop());

const head = (first: string, ...lines: string[]): string =>
  `${[first, 'Host: 127.0.0.1', ...lines].join('\r\n')}\r\n\r\n`;
const get = (target: string, ...lines: string[]): string => head(`GET ${target} HTTP/1.1`, ...lines);
const post = (target: string, ...lines: string[]): string =>
  head(`POST ${target} HTTP/1.1`, 'Content-Length: 0', ...lines);

const heads: { readonly [what: string]: string } = {
  'slashes before a letter': get(`/${'/'.repeat(LONG)}x`),
  'many parts of a path': get('/a'.repeat(LONG / 2)),
  'many parts behind an endpoint': get(`/state${'/a'.repeat(LONG / 2)}`),
  'encoded slashes': get(`/${'%2f'.repeat(LONG / 3)}x`),
  'a virtual path of slashes': get(`/files/browse?path=${'/'.repeat(LONG - 100)}x`),
  'many parameters': get(`/state?${'a&'.repeat(LONG / 2)}`),
  'the name of a function': get(`/state?jsonp=${'a.'.repeat(LONG / 2)}!`),
  'spaces before a control character': post('/master/x', `X:${' '.repeat(LONG)}\x01`),
  'spaces before a value': get('/state', `X:${' '.repeat(LONG)}x`),
  'spaces within a value': post('/api/v1/scheduler', `X: a${' '.repeat(LONG)}b`),
  'codings that are accepted': get('/state', `Accept-Encoding: ${',;q='.repeat(LONG / 4)}`),
  'types that are accepted': post('/api/v1', `Accept: ${', ;'.repeat(LONG / 3)}`),
  'a host of colons': get('/state', `User-Agent: Mozilla/5.0`, `Origin: http://${':'.repeat(LONG / 2)}`),
  'a sender of colons': post('/master/x', `Libprocess-From: a@${':1'.repeat(LONG / 2)}x`),
  'a sender of brackets': post('/master/x', `Libprocess-From: a@${'['.repeat(LONG)}:1`),
  credentials: get('/state', `Authorization: Basic ${' '.repeat(LONG)}!`),
  'a token of dots': get('/state', `Authorization: Bearer ${'.'.repeat(LONG)}`),
  'an absolute target': get(`http://${'a'.repeat(LONG)}/state`),
};

/** The answer of the daemon, until its head is complete or the connection closes. */
const send = (address: string, bytes: string): Promise<string> =>
  new Promise((resolve) => {
    const [host, port] = address.split(':');
    const socket = connect({ host, port: Number(port) });
    let received = '';
    socket.on('data', (part) => {
      received += part.toString('latin1');
      if (received.includes('\r\n\r\n')) socket.destroy();
    });
    socket.on('error', () => {});
    socket.on('close', () => resolve(received));
    socket.setTimeout(30_000, () => socket.destroy());
    socket.write(bytes, 'latin1');
  });

async function pauseOf(address: string): Promise<number> {
  const answer = await fetch(`http://${address}/metrics/snapshot`);
  return ((await answer.json()) as Record<string, number>)['meseta/event_loop_pause_ms/max'] ?? Number.NaN;
}

for (const [what, bytes] of Object.entries(heads)) {
  test(`HEADS-1: ${what}`, async () => {
    for (const address of [cluster.master, cluster.agent]) {
      assert.match(await send(address, bytes), /^HTTP\/1\.1 \d{3} /, `${address} answers`);
      const pauseMs = await pauseOf(address);
      assert.ok(pauseMs < MAX_PAUSE_MS, `${address} was held up for ${Math.round(pauseMs)} ms`);
    }
  });
}
