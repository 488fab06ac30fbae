import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { createOutbound } from './outbound.js';

const outbound = createOutbound();
/** A task says how long its checks wait: any number of milliseconds. */
const TIMEOUTS_MS = [0, 0.5, 1000.5, 2 ** 31, 1e15, 1e300, Number.POSITIVE_INFINITY];

for (const timeoutMs of TIMEOUTS_MS) {
  test(`a check with a timeout of ${timeoutMs} ms returns a value and does not throw`, async () => {
    const connected = await outbound.connects('127.0.0.1', 1, timeoutMs);
    assert.ok(connected.ok ? connected.value === false : connected.error.code === 'timedOut');
    const status = await outbound.statusOf('http://127.0.0.1:1/', timeoutMs);
    assert.ok(!status.ok && ['ECONNREFUSED', 'timedOut'].includes(status.error.code), JSON.stringify(status));
  });
}

test('an invalid port is an error value', async () => {
  for (const port of [-1, 65_536, 2 ** 32 - 1, 1.5, Number.NaN]) {
    const connected = await outbound.connects('127.0.0.1', port, 1000);
    assert.equal(connected.ok ? '' : connected.error.code, 'badPort');
    const status = await outbound.statusOf(`http://127.0.0.1:${port}/`, 1000);
    assert.equal(status.ok ? '' : status.error.code, 'badUrl');
  }
});

const SECRET = { authorization: 'Bearer secret' };

/** A server on loopback that notes the credentials of each request. */
async function serve(t: TestContext, answer: (url: string, response: ServerResponse) => void) {
  const seen: string[] = [];
  const server = createServer((request, response) => {
    seen.push(`${request.url} ${request.headers.authorization ?? 'none'}`);
    answer(request.url ?? '', response);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', () => resolve()));
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return { seen, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` };
}

const redirectTo = (response: ServerResponse, location: string): void => {
  response.writeHead(307, { location }).end();
};

test('credentials are sent to the origin of the URL only, also after two redirects', async (t) => {
  const other = await serve(t, (url, response) =>
    url === '/1' ? redirectTo(response, `${own.url}/2`) : response.end('x'),
  );
  const own = await serve(t, (url, response) => {
    if (url === '/same') redirectTo(response, '/0');
    else if (url === '/0') redirectTo(response, `${other.url}/1`);
    else response.end('content');
  });
  const answer = await outbound.get(`${own.url}/same`, { headers: SECRET, maxBytes: 100, timeoutMs: 5000 });
  assert.deepEqual(answer.ok && Buffer.from(answer.value.body).toString(), 'content');
  assert.deepEqual(own.seen, ['/same Bearer secret', '/0 Bearer secret', '/2 none']);
  assert.deepEqual(other.seen, ['/1 none']);
});

test('the redirects of a request are limited', async (t) => {
  const { url, seen } = await serve(t, (_, response) => redirectTo(response, '/next'));
  const answer = await outbound.get(url, { maxRedirects: 5, maxBytes: 100, timeoutMs: 5000 });
  assert.equal(answer.ok ? '' : answer.error.code, 'tooManyRedirects');
  assert.equal(seen.length, 6);
});

test('a document is limited in size and time, and its status is an answer', async (t) => {
  const { url } = await serve(t, (path, response) => {
    if (path === '/long') response.end('x'.repeat(101));
    else if (path === '/slow') response.write('x');
    else response.writeHead(404, { 'x-reason': 'none' }).end('gone');
  });
  const get = (path: string) => outbound.get(`${url}${path}`, { maxBytes: 100, timeoutMs: 300 });
  const codeOf = async (path: string): Promise<string> => {
    const answer = await get(path);
    return answer.ok ? 'answer' : answer.error.code;
  };
  assert.equal(await codeOf('/long'), 'tooLarge');
  assert.equal(await codeOf('/slow'), 'timedOut');
  const missing = await get('/missing');
  assert.deepEqual(missing.ok && [missing.value.status, missing.value.headers.get('x-reason')], [404, 'none']);
});

test('a download with another digest fails; statuses have codes', async (t) => {
  const { url } = await serve(t, (path, response) => response.writeHead(Number(path.slice(1)) || 200).end('content'));
  const directory = mkdtempSync(join(tmpdir(), 'outbound-'));
  t.after(() => rmSync(directory, { recursive: true }));
  const sha256 = createHash('sha256').update('content').digest('hex');
  let serial = 0;
  const codeOf = async (path: string, digest: string): Promise<string> => {
    const options = { stallTimeoutMs: 5000, maxBytes: 100, sha256: digest };
    const downloaded = await outbound.download(`${url}${path}`, join(directory, `${serial++}`), options);
    return downloaded.ok ? `${downloaded.value.bytes} bytes` : downloaded.error.code;
  };
  assert.equal(await codeOf('/', sha256), '7 bytes');
  assert.equal(await codeOf('/', '0'.repeat(64)), 'wrongDigest');
  assert.deepEqual(
    [
      await codeOf('/401', sha256),
      await codeOf('/404', sha256),
      await codeOf('/429', sha256),
      await codeOf('/503', sha256),
    ],
    ['unauthorized', 'unexpectedStatus', 'unavailable', 'unavailable'],
  );
});
