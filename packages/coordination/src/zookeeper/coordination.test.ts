// The compliance suites with a real ZooKeeper server, and the rules of its coordination.
import assert from 'node:assert/strict';
import { describe, mock, test } from 'node:test';
import { err } from '@meseta/base';
import { LONG_TERM_MS } from '../testing/compliance.js';
import { testElection, testSharedElection } from '../testing/election-suite.js';
import { FOLLOW_PAUSE_MS, testLog, testSharedLog } from '../testing/log-suite.js';
import { contendersAt, newZooKeeperSite, openTestSession, zooKeeperSkip } from '../testing/zookeeper-server.js';
import { childrenOperation, createOperation, deleteOperation, getOperation } from './protocol.js';
import { createZooKeeperRecords, readZooKeeperRecords } from './records.js';
import { znodePaths } from './registry-path.js';

const newSite = () => newZooKeeperSite();
testElection('ZooKeeper', newSite, zooKeeperSkip);
testSharedElection('ZooKeeper', newSite, zooKeeperSkip);
const newLogSite = () => newZooKeeperSite(undefined, LONG_TERM_MS);
testLog('ZooKeeper', newLogSite, zooKeeperSkip);
testSharedLog('ZooKeeper', newLogSite, zooKeeperSkip);

const one = Buffer.from('one');
describe('terms in ZooKeeper', { skip: zooKeeperSkip, timeout: 120_000 }, () => {
  test('ZKRECORDS-1: a write of an older epoch is refused while its session is alive', async () => {
    const site = await newSite();
    const process = await site.open();
    const { epoch } = await process.contend(one);
    const write = (of: number) =>
      createZooKeeperRecords(process.session(), znodePaths(site.path), of, 'open').write([
        { kind: 'create', name: 'batch', value: one },
      ]);
    assert.deepEqual(await write(epoch - 1), {
      ok: false,
      error: { code: 'fenced', text: 'this master no longer leads: the znode has another version' },
    });
    assert.ok((await write(epoch)).ok);
    await process.close();
  });

  test('ZKRECORDS-2: a write without an answer has an unknown outcome', async () => {
    const error = { code: 'connectionLost', text: 'lost' } as const;
    const lost = async () => err(error);
    const session = { read: lost, change: lost };
    const written = await createZooKeeperRecords(session, znodePaths('/a'), 1, 'open').write([]);
    assert.equal(!written.ok && written.error.code, 'unknownOutcome');
  });

  test('ZKRECORDS-3: the versions of records change when the registry is removed and made again', async () => {
    const site = await newSite();
    const process = await site.open();
    const { epoch } = await process.contend(one);
    const session = process.session();
    const paths = znodePaths(site.path);
    const write = (name: string) =>
      createZooKeeperRecords(session, paths, epoch, 'open').write([{ kind: 'create', name, value: one }]);
    const versionsNow = async () => {
      const listed = await readZooKeeperRecords(() => session, paths).list();
      assert.ok(listed.ok);
      return new Map(listed.value.map(({ name, version }) => [name, version]));
    };
    assert.ok((await write('a')).ok);
    const before = await versionsNow();
    assert.ok((await write('b')).ok);
    assert.equal((await versionsNow()).get('a'), before.get('a'));
    for (const path of [`${paths.records}/a`, `${paths.records}/b`, paths.records])
      assert.ok((await session.change(deleteOperation(path))).ok);
    const data = new Uint8Array();
    assert.ok(
      (await session.change(createOperation({ kind: 'create', path: paths.records, data, access: 'open' }))).ok,
    );
    assert.ok((await write('a')).ok);
    assert.notEqual((await versionsNow()).get('a'), before.get('a'));
    await process.close();
  });

  test('ZKCOORDINATION-1: a candidate whose znode was removed loses its term, and begins another one with a new znode only', async () => {
    const site = await newSite();
    const [process, other] = [await site.open(), await site.open()];
    const term = await process.contend(one);
    const [name] = await contendersAt(other.session(), site.path);
    await other.session().change(deleteOperation(`${site.path}/${name}`));
    await term.lost;
    const again = await process.contend(one);
    assert.ok(again.epoch > term.epoch);
    assert.notEqual((await contendersAt(other.session(), site.path))[0], name);
    await Promise.all([process.close(), other.close()]);
  });
});

describe('candidates in ZooKeeper', { skip: zooKeeperSkip, timeout: 120_000 }, () => {
  test('ZKCOORDINATION-4: a candidate that has followed the log reads at its election only what it has not seen', async () => {
    const site = await newSite();
    const [leader, candidate] = [await site.open(), await site.open()];
    const log = leader.openLog(await leader.contend(one));
    const elected = candidate.contend(one);
    for (let n = 0; n < 100; n++) assert.ok((await log.append(Buffer.from(`b${n}`))).ok);
    await new Promise((resolve) => setTimeout(resolve, 2 * FOLLOW_PAUSE_MS));
    assert.ok((await log.append(Buffer.from('last'))).ok);
    const read = mock.method(candidate.session(), 'read');
    await leader.close();
    const contents = await candidate.openLog(await elected).read();
    assert.ok(contents.ok);
    assert.equal(contents.value.batches.length, 101);
    assert.ok(read.mock.callCount() < 50, `${read.mock.callCount()} reads`);
    await candidate.close();
  });
});

describe('passwords in ZooKeeper', { skip: zooKeeperSkip, timeout: 120_000 }, () => {
  test('with a password only its owner reads the registry and removes contenders; everyone sees who leads', async () => {
    const site = await newZooKeeperSite({ user: 'me', password: 'secret' });
    const process = await site.open();
    await process.contend(one);
    const stranger = openTestSession([site.port]);
    const [name] = await contendersAt(stranger, site.path);
    const path = `${site.path}/${name}`;
    const removed = await stranger.change(deleteOperation(path));
    const records = await stranger.read(childrenOperation(znodePaths(site.path).records, false));
    assert.deepEqual(
      [removed, records].map((result) => !result.ok && result.error.code),
      ['noAuth', 'noAuth'],
    );
    const seen = await stranger.read(getOperation(path));
    assert.ok(seen.ok && seen.value.data.equals(one));
    await Promise.all([process.close(), stranger.close()]);
  });
});
