import assert from 'node:assert/strict';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, test } from 'node:test';
import { coordinatorAt } from '@meseta/coordination/coordinator';
import { skipWithout, testServer } from '@meseta/coordination/testing/servers';
import { pause, until } from '@meseta/platform/testing/until';
import { mastersOf, shownMaster } from './masters.js';

const servers: ReturnType<typeof createServer>[] = [];
after(() => {
  for (const server of servers) {
    server.closeAllConnections();
    server.close();
  }
});

/** A master that answers as told; the paths of its requests. */
async function master(listener: RequestListener): Promise<{ readonly address: string; readonly paths: string[] }> {
  const paths: string[] = [];
  const server = createServer((request, response) => {
    paths.push(request.url ?? '');
    listener(request, response);
  });
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return { address: `127.0.0.1:${(server.address() as AddressInfo).port}`, paths };
}

test('one address is used as it is', async () => {
  for (const [given, url] of [
    ['a:1', 'http://a:1'],
    ['https://a:1/', 'https://a:1'],
  ] as const)
    assert.deepEqual(await mastersOf(given).find(), { ok: true, value: url });
});

test('MASTERS-1: of several masters the leader is found by a probe, whichever of them answer', async () => {
  const leader = await master((_request, response) => void response.writeHead(404).end());
  const follower = await master(
    (_request, response) => void response.writeHead(307, { Location: `//${leader.address}/` }).end(),
  );
  const uninformed = await master((_request, response) => void response.writeHead(503).end());
  const silent = await master(() => {});
  const found = { ok: true, value: `http://${leader.address}` };
  for (const addresses of [
    [uninformed, silent, follower],
    [silent, uninformed, leader],
  ])
    assert.deepEqual(await mastersOf(addresses.map(({ address }) => address).join(', ')).find(), found);
  assert.deepEqual(await mastersOf(['127.0.0.1:1', follower.address]).find(), found);
  assert.deepEqual(
    new Set([leader, follower, uninformed, silent].flatMap(({ paths }) => paths)),
    new Set(['/redirect', '/']),
  );
});

test('of several masters none of which leads or answers, each is in the error', async () => {
  const uninformed = await master((_request, response) => void response.writeHead(503).end());
  const found = await mastersOf([uninformed.address, '127.0.0.1:1']).find();
  assert.match(found.ok ? '' : found.error.text, /knows no leader/);
  assert.match(found.ok ? '' : found.error.text, /127\.0\.0\.1:1: /);
});

test('an address is shown without its password', async () => {
  assert.equal(shownMaster('zk://me:se@cret@a:1,b:2/m'), 'zk://<hidden>@a:1,b:2/m');
  const found = await mastersOf('etcd://me:secret@a:1').find();
  assert.ok(!found.ok);
  assert.doesNotMatch(JSON.stringify(found.error), /secret/);
});

for (const kind of ['zookeeper', 'etcd'] as const) {
  test(`the leader elected in ${kind} is found, and another one is reported`, { skip: skipWithout(kind) }, async () => {
    const address = `${(await testServer(kind)).url}/cluster`;
    const coordinator = coordinatorAt(address);
    assert.ok(coordinator.ok);
    const candidate = coordinator.value({ sessionTimeoutMs: 4000, warn: () => {} });
    const infoOf = (port: number) =>
      Buffer.from(
        JSON.stringify({ id: `m${port}`, ip: 1, port, pid: `master@127.0.0.1:${port}`, hostname: 'localhost' }),
      );
    const masters = mastersOf(address);
    const [found, term] = await Promise.all([masters.find(), candidate.contend(infoOf(5050))]);
    assert.deepEqual(found, { ok: true, value: 'http://localhost:5050' });
    let others = 0;
    const unfollow = masters.follow(() => {
      others++;
    });
    // The follower has to read the first leader before another one is elected, and reports nothing when it has.
    await pause(1500);
    await term.resign();
    await (await candidate.contend(infoOf(5050))).resign();
    await candidate.contend(infoOf(5051));
    await until('another leader is reported', () => others > 0);
    assert.equal(others, 1);
    assert.deepEqual(await masters.find(), { ok: true, value: 'http://localhost:5051' });
    unfollow();
    await candidate.close();
  });
}
