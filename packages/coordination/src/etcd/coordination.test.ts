// The compliance suites with a real etcd server, and the rules of its coordination.
import assert from 'node:assert/strict';
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { describe, test } from 'node:test';
import { err } from '@meseta/base';
import { LONG_TERM_MS } from '../testing/compliance.js';
import { testElection, testSharedElection } from '../testing/election-suite.js';
import { contendersAt, etcdSkip, newEtcdSite } from '../testing/etcd-server.js';
import { FOLLOW_PAUSE_MS, testLog, testSharedLog } from '../testing/log-suite.js';
import type { EtcdClient } from './client.js';
import { type Fence, writeCall } from './protocol.js';
import { createEtcdRecords } from './records.js';

const newSite = () => newEtcdSite();
testElection('etcd', newSite, etcdSkip);
testSharedElection('etcd', newSite, etcdSkip);
const newLogSite = () => newEtcdSite(LONG_TERM_MS);
testLog('etcd', newLogSite, etcdSkip);
testSharedLog('etcd', newLogSite, etcdSkip);

const one = Buffer.from('one');
const batch = [{ kind: 'create', name: 'batch', value: one }] as const;

const oldestAt = async (client: EtcdClient, path: string) => {
  const { oldest } = await contendersAt(client, path);
  assert.ok(oldest !== undefined);
  return oldest;
};

describe('terms in etcd', { skip: etcdSkip, timeout: 120_000 }, () => {
  test('ETCDRECORDS-1: a read or a write with another revision of the term’s key is refused', async () => {
    const site = await newEtcdSite();
    const process = await site.open();
    const { epoch } = await process.contend(one);
    const client = site.client();
    const { key } = await oldestAt(client, site.path);
    const recordsOf = (createRevision: number) =>
      createEtcdRecords(client, `${site.path}/registry/records/`, { key, createRevision });
    const error = { code: 'fenced', text: "this master no longer leads: the key of its term doesn't exist" };
    for (const other of [epoch - 1, epoch + 1]) {
      assert.deepEqual(await recordsOf(other).write(batch), { ok: false, error });
      assert.deepEqual(await recordsOf(other).list(), { ok: false, error });
    }
    assert.ok((await recordsOf(epoch).write(batch)).ok);
    const listed = await recordsOf(epoch).list();
    assert.ok(listed.ok);
    assert.deepEqual(
      listed.value.map(({ name }) => name),
      ['batch'],
    );
    client.close();
    await process.close();
  });

  test('ETCDRECORDS-2: a write without an answer has an unknown outcome', async () => {
    const error = { code: 'unanswered', text: 'lost' } as const;
    const client = { call: async () => err(error) };
    const written = await createEtcdRecords(client, '/a/', { key: '/k', createRevision: 1 }).write([]);
    assert.equal(!written.ok && written.error.code, 'unknownOutcome');
  });

  test('ETCDCOORDINATION-1: a leader whose key was removed loses its term, and leads again with a new key and a greater epoch', async () => {
    const site = await newEtcdSite();
    const process = await site.open();
    const term = await process.contend(one);
    const client = site.client();
    const { key, createRevision } = await oldestAt(client, site.path);
    assert.equal(createRevision, term.epoch);
    const fence: Fence = { key, createRevision };
    assert.deepEqual(await client.call(writeCall(fence, [{ kind: 'delete', key }])), { ok: true, value: 'written' });
    await term.lost;
    const again = await process.contend(one);
    assert.ok(again.epoch > term.epoch);
    assert.notEqual((await oldestAt(client, site.path)).key, key);
    client.close();
    await process.close();
  });
});

describe('candidates in etcd', { skip: etcdSkip, timeout: 120_000 }, () => {
  test('ETCDCOORDINATION-4: a candidate that has followed the log reads at its election only what it has not seen', async () => {
    const site = await newEtcdSite();
    const [leader, candidate] = [await site.open(), await site.open()];
    const log = leader.openLog(await leader.contend(one));
    const elected = candidate.contend(one);
    for (let n = 0; n < 100; n++) assert.ok((await log.append(Buffer.from(`b${n}`))).ok);
    await new Promise((resolve) => setTimeout(resolve, 2 * FOLLOW_PAUSE_MS));
    assert.ok((await log.append(Buffer.from('last'))).ok);
    await leader.close();
    const term = await elected;
    let requests = 0;
    const count = (): void => {
      requests++;
    };
    subscribe('http.client.request.start', count);
    const contents = await candidate.openLog(term).read();
    unsubscribe('http.client.request.start', count);
    assert.ok(contents.ok);
    assert.equal(contents.value.batches.length, 101);
    assert.ok(requests > 0 && requests < 50, `${requests} requests`);
    await candidate.close();
  });
});
