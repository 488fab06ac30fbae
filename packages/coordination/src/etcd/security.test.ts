// A real etcd server with TLS, client certificates and users.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { coordinatorAt } from '../coordinator.js';
import { findFreePort } from '../local-server.js';
import { type Certificates, makeCertificates, opensslSkip, verifyNothingByDefault } from '../testing/certificates.js';
import { untilLeader } from '../testing/election-suite.js';
import { etcdSkip, LEASE_MS } from '../testing/etcd-server.js';
import { startTestServer } from '../testing/servers.js';
import { newDirectory } from '../testing/stores.js';
import { createEtcdClient } from './client.js';
import type { EtcdCall } from './protocol.js';

async function startTlsServer(directory: string, { ca, cert, key }: Certificates) {
  const [port, peerPort] = [await findFreePort('127.0.0.1'), await findFreePort('127.0.0.1')];
  const child = spawn(
    'etcd',
    [
      '--name=tls',
      `--data-dir=${join(directory, 'data')}`,
      `--listen-client-urls=https://127.0.0.1:${port}`,
      `--advertise-client-urls=https://127.0.0.1:${port}`,
      `--listen-peer-urls=http://127.0.0.1:${peerPort}`,
      `--initial-advertise-peer-urls=http://127.0.0.1:${peerPort}`,
      `--initial-cluster=tls=http://127.0.0.1:${peerPort}`,
      '--client-cert-auth',
      `--trusted-ca-file=${ca}`,
      `--cert-file=${cert}`,
      `--key-file=${key}`,
    ],
    { stdio: 'ignore' },
  );
  const ended = new Promise((resolve) => child.once('exit', resolve));
  const stop = async (): Promise<void> => {
    child.kill('SIGKILL');
    await ended;
  };
  after(stop);
  return { port, stop };
}

const administer = (path: string, body: object): EtcdCall<true> => ({ path, body, isChange: true, read: () => true });

describe('etcd with users', { skip: etcdSkip, timeout: 180_000 }, () => {
  test('a user with a password elects and writes below its prefix only; a wrong password is reported, not shown', async () => {
    const { port } = await startTestServer('etcd');
    const options = { servers: [{ host: '127.0.0.1', port }], login: undefined, tls: undefined, timeoutMs: LEASE_MS };
    const root = createEtcdClient(options);
    const [key, range_end] = ['/cluster/', '/cluster0'].map((text) => Buffer.from(text).toString('base64'));
    for (const [path, body] of [
      ['user/add', { name: 'root', password: 'r' }],
      ['user/grant', { user: 'root', role: 'root' }],
      ['user/add', { name: 'me', password: 'se@cret' }],
      ['role/add', { name: 'mine' }],
      ['role/grant', { name: 'mine', perm: { permType: 'READWRITE', key, range_end } }],
      ['user/grant', { user: 'me', role: 'mine' }],
      ['enable', {}],
    ] as const) {
      if (path === 'user/grant' && body.user === 'root')
        await root.call(administer('/v3/auth/role/add', { name: 'root' }));
      const done = await root.call(administer(`/v3/auth/${path}`, body));
      assert.ok(done.ok, JSON.stringify(done));
    }
    root.close();
    const warnings: string[] = [];
    const openAt = (login: string, path: string) => {
      const coordinator = coordinatorAt(`etcd://${login}@127.0.0.1:${port}${path}`);
      assert.ok(coordinator.ok);
      return coordinator.value({ sessionTimeoutMs: LEASE_MS, warn: (text) => void warnings.push(text) });
    };
    const process = openAt('me:se@cret', '/cluster');
    const log = process.openLog(await process.contend(Buffer.from('one')));
    assert.ok((await log.append(Buffer.from('batch'))).ok);
    await untilLeader(process, 'one');
    warnings.length = 0;
    const strangers = [openAt('me:wrong', '/cluster'), openAt('me:se@cret', '/other')];
    while (warnings.length < 2) await new Promise((resolve) => setTimeout(resolve, 20));
    assert.deepEqual(warnings.sort(), [
      'etcd: etcdserver: authentication failed, invalid user ID or password',
      'etcd: etcdserver: permission denied',
    ]);
    await Promise.all([process, ...strangers].map((each) => each.close()));
  });
});

describe('etcd with TLS', { skip: etcdSkip || opensslSkip, timeout: 180_000 }, () => {
  test('etcds:// verifies the server by ca and shows a client certificate; without either there is no contact', async () => {
    const directory = newDirectory();
    const certificates = makeCertificates(directory, 'IP:127.0.0.1');
    const { ca, cert, key } = certificates;
    const { port, stop } = await startTlsServer(directory, certificates);
    const warnings: string[] = [];
    const openWith = (files: string) => {
      const coordinator = coordinatorAt(`etcds://127.0.0.1:${port}/cluster${files}`);
      assert.ok(coordinator.ok, JSON.stringify(coordinator));
      return coordinator.value({ sessionTimeoutMs: LEASE_MS, warn: (text) => void warnings.push(text) });
    };
    const process = openWith(`?ca=${ca}&cert=${cert}&key=${key}`);
    const log = process.openLog(await process.contend(Buffer.from('one')));
    assert.ok((await log.append(Buffer.from('batch'))).ok);
    warnings.length = 0;
    verifyNothingByDefault();
    const strangers = [openWith(`?ca=${ca}`), openWith(`?cert=${cert}&key=${key}`)];
    for (const stranger of strangers) stranger.watch((leader) => assert.equal(leader, undefined));
    while (warnings.length < 2) await new Promise((resolve) => setTimeout(resolve, 20));
    await Promise.all([process, ...strangers].map((each) => each.close()));
    await stop();
  });
});
