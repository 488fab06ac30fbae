// A real etcd server with TLS, client certificates and users.
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { coordinatorAt } from '../coordinator.js';
import { findFreePort } from '../local-server.js';
import { untilLeader } from '../testing/election-suite.js';
import { etcdSkip, LEASE_MS } from '../testing/etcd-server.js';
import { startTestServer } from '../testing/servers.js';
import { newDirectory } from '../testing/stores.js';
import { createEtcdClient } from './client.js';
import type { EtcdCall } from './protocol.js';

const hasOpenssl = (): boolean => {
  try {
    execFileSync('openssl', ['version'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
};
const skip = etcdSkip || (!hasOpenssl() && 'no openssl');

/** A certificate authority, and a certificate for this machine's loopback that it has signed. */
function makeCertificates(directory: string): void {
  const openssl = (...argv: string[]) => execFileSync('openssl', argv, { stdio: 'ignore', cwd: directory });
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
  openssl('req', '-x509', ...key, '-days', '2', '-subj', '/CN=ca', '-keyout', 'ca.key', '-out', 'ca.pem');
  openssl('req', ...key, '-subj', '/O=meseta', '-keyout', 'own.key', '-out', 'own.csr');
  writeFileSync(join(directory, 'ext'), 'subjectAltName=IP:127.0.0.1\nextendedKeyUsage=serverAuth,clientAuth\n');
  const sign = ['-CA', 'ca.pem', '-CAkey', 'ca.key', '-CAcreateserial', '-days', '2', '-extfile', 'ext'];
  openssl('x509', '-req', '-in', 'own.csr', ...sign, '-out', 'own.pem');
}

async function startTlsServer(directory: string) {
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
      `--trusted-ca-file=${join(directory, 'ca.pem')}`,
      `--cert-file=${join(directory, 'own.pem')}`,
      `--key-file=${join(directory, 'own.key')}`,
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

describe('etcd with users', { skip, timeout: 60_000 }, () => {
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
    assert.deepEqual(warnings, []);
    const strangers = [openAt('me:wrong', '/cluster'), openAt('me:se@cret', '/other')];
    await new Promise((resolve) => setTimeout(resolve, 1000));
    assert.deepEqual(warnings.sort(), [
      'etcd: etcdserver: authentication failed, invalid user ID or password',
      'etcd: etcdserver: permission denied',
    ]);
    await Promise.all([process, ...strangers].map((each) => each.close()));
  });
});

describe('etcd with TLS', { skip, timeout: 60_000 }, () => {
  test('etcds:// verifies the server by ca and shows a client certificate; without either there is no contact', async () => {
    const directory = newDirectory();
    makeCertificates(directory);
    const [ca, cert, key] = ['ca.pem', 'own.pem', 'own.key'].map((name) => join(directory, name));
    const { port, stop } = await startTlsServer(directory);
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
    const strangers = [openWith(`?ca=${ca}`), openWith(`?cert=${cert}&key=${key}`)];
    for (const stranger of strangers) stranger.watch((leader) => assert.equal(leader, undefined));
    await new Promise((resolve) => setTimeout(resolve, LEASE_MS + 500));
    assert.equal(warnings.length, 2, warnings.join());
    await Promise.all([process, ...strangers].map((each) => each.close()));
    await stop();
  });
});
