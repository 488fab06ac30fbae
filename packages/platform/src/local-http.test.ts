import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import * as http from 'node:http';
import type { Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { after, before, test } from 'node:test';
import type { LocalRequest, LocalResponse } from '@meseta/base';
import { sendLocalRequest } from './local-http.js';

const directory = mkdtempSync(`${tmpdir()}/meseta-local-http-`);
const socket = `${directory}/socket`;
const sockets = new Set<Socket>();

/** Answers with the method, the path and the body; `/slow` with the first byte of a longer body only. */
const server = http.createServer((request, response) => {
  if (request.url === '/slow') return void response.write('x');
  if (request.url === '/cut') return void response.write('x', () => request.socket.destroy());
  const parts: Buffer[] = [];
  request.on('data', (part: Buffer) => parts.push(part));
  request.on('end', () => response.writeHead(201).end(`${request.method} ${request.url} ${Buffer.concat(parts)}`));
});

before(async () => {
  server.on('connection', (connection) => sockets.add(connection));
  await new Promise<void>((resolve) => server.listen(socket, resolve));
});

after(() => {
  for (const each of sockets) each.destroy();
  server.close();
  rmSync(directory, { recursive: true });
});

const request = (path: string, changes: Partial<LocalRequest> = {}) =>
  sendLocalRequest({ socket, method: 'GET', path, idleTimeoutMs: 10_000, ...changes });

/** The body, or the code of the error that ended it. */
async function bodyOf(response: LocalResponse): Promise<string> {
  let body = '';
  for (;;) {
    const part = await response.next();
    if (!part.ok) return `${body} ${part.error.code}`;
    if (part.value === undefined) return body;
    body += Buffer.from(part.value).toString();
  }
}

test('a request over a unix socket has its method, path and body; the response its status and body', async () => {
  const response = await request('/a?b=c', { method: 'POST', body: 'ä', headers: { 'Content-Type': 'text/plain' } });
  assert(response.ok);
  assert.equal(response.value.status, 201);
  assert.equal(await bodyOf(response.value), 'POST /a?b=c ä');
});

test('a missing socket is an error; so are a body that stalls, is cut, or is aborted, for its reader', async () => {
  const missing = await request('/', { socket: `${directory}/none` });
  assert.equal(missing.ok ? '' : missing.error.code, 'ENOENT');
  const stalled = await request('/slow', { idleTimeoutMs: 20 });
  assert(stalled.ok);
  assert.equal(await bodyOf(stalled.value), 'x stalled');
  const cut = await request('/cut');
  assert(cut.ok);
  assert.equal(await bodyOf(cut.value), 'x ECONNRESET');
  const abort = new AbortController();
  const aborted = await request('/slow', { signal: abort.signal });
  assert(aborted.ok);
  assert((await aborted.value.next()).ok);
  abort.abort();
  assert.equal(await bodyOf(aborted.value), ' aborted');
});
