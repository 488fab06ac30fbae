// The compliance suites with a real ZooKeeper server, and the rules of its coordination.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { err } from '@meseta/base';
import { LONG_TERM_MS } from '../testing/compliance.js';
import { testElection, testSharedElection } from '../testing/election-suite.js';
import { testLog, testSharedLog } from '../testing/log-suite.js';
import { contendersAt, newZooKeeperSite, openTestSession, zooKeeperSkip } from '../testing/zookeeper-server.js';
import { childrenOperation, deleteOperation, getOperation } from './protocol.js';
import { createZooKeeperRecords } from './records.js';
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
