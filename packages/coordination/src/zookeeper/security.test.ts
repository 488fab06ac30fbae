// A real ZooKeeper server with TLS and client certificates.
import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { coordinatorAt } from '../coordinator.js';
import { findFreePort } from '../local-server.js';
import { type Certificates, makeCertificates, opensslSkip, verifyNothingByDefault } from '../testing/certificates.js';
import { LONG_TERM_MS } from '../testing/compliance.js';
import { untilLeader } from '../testing/election-suite.js';
import { closeAtEnd, startTestServer } from '../testing/servers.js';
import { newDirectory } from '../testing/stores.js';
import { zooKeeperSkip } from '../testing/zookeeper-server.js';
import type { Coordination } from '../types.js';

/** The port for TLS of a new server, which shows the certificate and demands one of the same authority. */
async function startTlsServer(directory: string, { ca, cert, key }: Certificates): Promise<number> {
  const keyStore = join(directory, 'server.pem');
  writeFileSync(keyStore, readFileSync(key, 'utf8') + readFileSync(cert, 'utf8'));
  const port = await findFreePort('127.0.0.1');
  await startTestServer(
    'zookeeper',
    `secureClientPort=${port}`,
    'secureClientPortAddress=127.0.0.1',
    'serverCnxnFactory=org.apache.zookeeper.server.NettyServerCnxnFactory',
    `ssl.keyStore.location=${keyStore}`,
    'ssl.keyStore.type=PEM',
    `ssl.trustStore.location=${ca}`,
    'ssl.trustStore.type=PEM',
  );
  return port;
}

interface Opened {
  readonly coordination: Coordination;
  readonly warnings: readonly string[];
}

function openAt(address: string): Opened {
  const coordinator = coordinatorAt(address);
  assert.ok(coordinator.ok, JSON.stringify(coordinator));
  const warnings: string[] = [];
  const warn = (text: string): void => void warnings.push(text);
  const coordination = coordinator.value({ sessionTimeoutMs: LONG_TERM_MS, warn });
  closeAtEnd(coordination);
  return { coordination, warnings };
}

async function untilWarned({ warnings }: Opened): Promise<string> {
  while (warnings.length === 0) await new Promise((resolve) => setTimeout(resolve, 20));
  return warnings[0] as string;
}

describe('ZooKeeper with TLS', { skip: zooKeeperSkip || opensslSkip, timeout: 180_000 }, () => {
  test('ZKCONNECTION-2: zks:// verifies the server and its name by ca and shows a client certificate; else there is no contact', async () => {
    const directory = newDirectory();
    const certificates = makeCertificates(directory, 'IP:127.0.0.1');
    const { ca, cert, key } = certificates;
    const other = join(directory, 'other');
    mkdirSync(other);
    const stranger = makeCertificates(other, 'IP:127.0.0.1');
    const port = await startTlsServer(directory, certificates);

    const address = `zks://me:se@cret@127.0.0.1:${port}/cluster?ca=${ca}&cert=${cert}&key=${key}`;
    const { coordination } = openAt(address);
    const log = coordination.openLog(await coordination.contend(Buffer.from('one')));
    assert.ok((await log.append(Buffer.from('batch'))).ok);
    await untilLeader(coordination, 'one');

    verifyNothingByDefault();
    for (const [host, files, expected] of [
      ['127.0.0.1', `cert=${cert}&key=${key}`, /self-signed certificate|unable to/],
      ['127.0.0.1', `ca=${stranger.ca}&cert=${cert}&key=${key}`, /unable to verify|signature|certificate/],
      ['localhost', `ca=${ca}&cert=${cert}&key=${key}`, /does not match certificate's altnames/],
      ['127.0.0.1', `ca=${ca}`, /closed the connection|alert|socket/],
      ['127.0.0.1', `ca=${ca}&cert=${stranger.cert}&key=${stranger.key}`, /closed the connection|alert|socket/],
    ] as const) {
      const refused = openAt(`zks://${host}:${port}/cluster?${files}`);
      refused.coordination.watch((leader) => assert.equal(leader, undefined));
      assert.match(await untilWarned(refused), expected, files);
      await refused.coordination.close();
    }
    await coordination.close();
  });
});

test('zks:// at a port without TLS, and a server that is not there, are reported', {
  skip: zooKeeperSkip,
}, async () => {
  const { port } = await startTestServer('zookeeper');
  for (const [address, expected] of [
    [`zks://127.0.0.1:${port}/cluster`, /^ZooKeeper: 127\.0\.0\.1:\d+: /],
    ['zk://127.0.0.1:1/cluster', /^ZooKeeper: 127\.0\.0\.1:1: .*ECONNREFUSED/],
  ] as const) {
    const opened = openAt(address);
    assert.match(await untilWarned(opened), expected);
    await opened.coordination.close();
  }
});
