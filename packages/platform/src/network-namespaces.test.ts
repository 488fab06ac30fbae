import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, readlinkSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { afterEach, beforeEach, test } from 'node:test';
import { createNetworkNamespaces } from './network-namespaces.js';
import { createOutbound } from './outbound.js';

const asRoot = process.getuid?.() === 0 && process.platform === 'linux' ? {} : { skip: 'needs root on Linux' };
const OWN = '/proc/thread-self/ns/net';
const namespaces = createNetworkNamespaces();

let directory = '';
beforeEach(() => {
  directory = mkdtempSync(`${tmpdir()}/meseta-netns-`);
});
afterEach(() => {
  assert.deepEqual(
    readFileSync('/proc/self/mountinfo', 'utf8')
      .split('\n')
      .filter((line) => line.includes(directory)),
    [],
  );
  rmSync(directory, { recursive: true });
});

const listening = (): Promise<Server> =>
  new Promise((resolve) => {
    const server = createServer((request, response) => {
      if (request.url === '/away') response.writeHead(302, { location: '/' });
      response.end();
    });
    server.listen(0, '127.0.0.1', () => resolve(server));
  });

test(
  'NETWORK-NAMESPACES-1: a namespace has only its loopback, which is up; this process stays in its own',
  asRoot,
  () => {
    const path = `${directory}/ns`;
    const before = readlinkSync(OWN);
    assert.equal(namespaces.exists(path), false);
    assert.deepEqual(namespaces.create(path), { ok: true, value: undefined });
    assert.equal(readlinkSync(OWN), before);
    assert.equal(namespaces.exists(path), true);
    const links = execFileSync('nsenter', [`--net=${path}`, 'cat', '/proc/net/dev']).toString();
    assert.deepEqual(
      [...links.matchAll(/^ *(\S+):/gm)].map(([, name]) => name),
      ['lo'],
    );
    const addresses = execFileSync('nsenter', [`--net=${path}`, 'cat', '/proc/net/fib_trie']).toString();
    assert.match(addresses, /127\.0\.0\.1/);
    assert.equal(namespaces.create(path).ok, false);
    assert.deepEqual(namespaces.remove(path), { ok: true, value: undefined });
    assert.equal(existsSync(path), false);
    assert.deepEqual(namespaces.remove(path), { ok: true, value: undefined });
  },
);

test('a file that is no namespace is none, and is removed', asRoot, () => {
  const path = `${directory}/ns`;
  const before = readlinkSync(OWN);
  writeFileSync(path, '');
  assert.equal(namespaces.exists(path), false);
  assert.equal(readlinkSync(OWN), before);
  assert.equal(namespaces.remove(path).ok, true);
  assert.equal(existsSync(path), false);
});

test('probes connect from within the namespace: they reach what listens there, and nothing else', asRoot, async () => {
  const path = `${directory}/ns`;
  namespaces.create(path);
  const inside = namespaces.outboundFrom(path);
  const outside = createOutbound();
  const server = await listening();
  const { port } = server.address() as AddressInfo;
  const url = `http://127.0.0.1:${port}/`;
  assert.deepEqual(await outside.connects('127.0.0.1', port, 5000), { ok: true, value: true });
  assert.deepEqual(await inside.connects('127.0.0.1', port, 5000), { ok: true, value: false });
  assert.deepEqual(await outside.statusOf(`${url}away`, 5000), { ok: true, value: 200 });
  const refused = await inside.statusOf(url, 5000);
  assert.equal(refused.ok ? refused.value : refused.error.code, 'ECONNREFUSED');
  assert.deepEqual(await inside.connects('localhost', port, 5000), { ok: true, value: false });
  server.close();
  namespaces.remove(path);
  assert.deepEqual(await inside.connects('127.0.0.1', port, 5000), { ok: true, value: false });
  const gone = await inside.statusOf(url, 5000);
  assert.equal(gone.ok ? gone.value : gone.error.code, 'ENOENT');
});
