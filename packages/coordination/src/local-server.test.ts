import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { test } from 'node:test';
import { type ServerKind, startLocalService } from './local-server.js';
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

const untilAccepts = async (port: number): Promise<void> => {
  while (!(await accepts(port))) await new Promise((resolve) => setTimeout(resolve, 50));
};

for (const kind of ['zookeeper', 'etcd'] satisfies readonly ServerKind[]) {
  test(`LOCALSERVER-1: a server of ${kind} listens on loopback until it is stopped`, {
    skip: skipWithout(kind),
  }, async () => {
    const started = await startLocalService(kind, { directory: newDirectory() });
    assert.ok(started.ok, JSON.stringify(started));
    const { servers, url, stop } = started.value;
    const [server] = servers;
    assert.ok(server !== undefined);
    assert.equal(url, `${kind === 'etcd' ? 'etcd' : 'zk'}://127.0.0.1:${server.port}`);
    const pid = server.pid();
    assert.deepEqual([await accepts(server.port), isAlive(pid)], [true, true]);
    await stop();
    assert.deepEqual([await accepts(server.port), isAlive(pid)], [false, false]);
  });

  test(`LOCALSERVER-2: of three servers of ${kind} one that is killed is started again at its address`, {
    skip: skipWithout(kind),
    timeout: 180_000,
  }, async () => {
    const pids: number[] = [];
    const started = await startLocalService(kind, {
      directory: newDirectory(),
      servers: 3,
      restarts: true,
      onProcess: (pid) => pids.push(pid),
    });
    assert.ok(started.ok, JSON.stringify(started));
    const { servers, url, stop } = started.value;
    assert.match(url, /^\w+:\/\/127\.0\.0\.1:\d+,127\.0\.0\.1:\d+,127\.0\.0\.1:\d+$/);
    const second = servers[1];
    assert.ok(second !== undefined);
    const killed = second.pid();
    process.kill(killed, 'SIGKILL');
    while (second.pid() === killed) await new Promise((resolve) => setTimeout(resolve, 50));
    await untilAccepts(second.port);
    assert.deepEqual([pids.length, pids.includes(second.pid())], [4, true]);
    await stop();
    assert.deepEqual(pids.map(isAlive), [false, false, false, false]);
  });
}

test('LOCALSERVER-2: the end of a server that is not started again is the failure of the service', {
  skip: skipWithout('etcd'),
}, async () => {
  const started = await startLocalService('etcd', { directory: newDirectory() });
  assert.ok(started.ok, JSON.stringify(started));
  process.kill(started.value.servers[0]?.pid() ?? 0, 'SIGKILL');
  assert.match(await started.value.failure, /^etcd-1 ended; its log is /);
  await started.value.stop();
});

test('a server whose program ends at once is an error that names its log', { skip: skipWithout('etcd') }, async () => {
  const server = await startLocalService('etcd', { directory: newDirectory(), settings: ['--no-such-flag'] });
  assert.match(server.ok ? '' : server.error, /^the etcd server did not start; its log is \/.*\/log$/);
});
