import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { test } from 'node:test';
import { type ServerKind, startLocalServer } from './local-server.js';
import { skipWithout } from './testing/servers.js';
import { newDirectory } from './testing/stores.js';

const accepts = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.on('connect', () => resolve(true));
    socket.on('error', () => resolve(false));
    socket.on('connect', () => socket.destroy());
  });

const isAlive = (pid: number): boolean => {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
};

for (const kind of ['zookeeper', 'etcd'] satisfies readonly ServerKind[]) {
  test(`LOCALSERVER-1: a ${kind} server listens on loopback until it is stopped`, {
    skip: skipWithout(kind),
  }, async () => {
    const server = await startLocalServer(kind, { directory: newDirectory() });
    assert.ok(server.ok, JSON.stringify(server));
    const { port, pid, url, stop } = server.value;
    assert.equal(url, `${kind === 'etcd' ? 'etcd' : 'zk'}://127.0.0.1:${port}`);
    assert.deepEqual([await accepts(port), isAlive(pid)], [true, true]);
    await stop();
    assert.deepEqual([await accepts(port), isAlive(pid)], [false, false]);
  });
}

test('a server whose program ends at once is an error that names its log', { skip: skipWithout('etcd') }, async () => {
  const server = await startLocalServer('etcd', { directory: newDirectory(), arguments: ['--no-such-flag'] });
  assert.match(server.ok ? '' : server.error, /^the etcd server did not start; its log is \/.*\/log$/);
});
