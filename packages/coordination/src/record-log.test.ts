// The rules of the log on records.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { err } from '@meseta/base';
import { createRecordLog, readRecordLog } from './record-log.js';
import { memoryRecords } from './testing/memory-records.js';
import { bytes, large, texts } from './testing/stores.js';
import type { FencedLog, StoreError } from './types.js';

const contentsOf = async (log: FencedLog) => {
  const read = await log.read();
  assert.ok(read.ok, JSON.stringify(read));
  return texts(read.value);
};

test('RECORDLOG-1: writes are made one at a time; after a failed one all later ones fail with its error', async () => {
  const { records, outside } = memoryRecords();
  const log = createRecordLog(records);
  await Promise.all(['a', 'b', 'c'].map((text) => log.append(bytes(text))));
  assert.equal(outside.mostUnderWay, 1);
  outside.writesLeft = 0;
  const failed = await log.append(bytes('d'));
  outside.writesLeft = 10;
  assert.equal(failed.ok, false);
  assert.deepEqual(await log.append(bytes('e')), failed);
  assert.deepEqual(await log.snapshot(bytes('s')), failed);
});

test('RECORDLOG-2: after a crash at any write of a snapshot the log has the old contents or the new ones', async () => {
  for (let writes = 0; writes < 9; writes++) {
    const { records, outside, values } = memoryRecords();
    const log = createRecordLog(records);
    for (const text of ['a', 'b']) await log.append(bytes(text));
    await log.snapshot(bytes('old'));
    await log.append(bytes('c'));
    outside.writesLeft = writes;
    const taken = await log.snapshot(bytes(large('n')));
    outside.writesLeft = Number.POSITIVE_INFINITY;
    const next = createRecordLog(records);
    const found = await contentsOf(next);
    const isNew = found.snapshot === large('n') && found.batches.length === 0;
    assert.ok(isNew || (!taken.ok && found.snapshot === 'old' && found.batches.join() === 'c'), `${writes}`);
    await next.snapshot(bytes('last'));
    assert.deepEqual(await contentsOf(next), { snapshot: 'last', batches: [] });
    assert.equal(values.size, 2, [...values.keys()].join());
  }
});

test('RECORDLOG-3: a batch whose writer ended before its last part is not read, and its number is used again', async () => {
  const { records, outside } = memoryRecords();
  const log = createRecordLog(records);
  await log.append(bytes('a'));
  outside.writesLeft = 2;
  assert.equal((await log.append(bytes(large('l')))).ok, false);
  outside.writesLeft = Number.POSITIVE_INFINITY;
  const next = createRecordLog(records);
  await next.append(bytes('b'));
  assert.deepEqual((await contentsOf(next)).batches, ['a', 'b']);
});

const damages: readonly (readonly [what: string, damage: (values: Map<string, Buffer>) => void])[] = [
  ['a missing batch', (values) => values.delete('batch.0000000002.0000.0001')],
  ['a missing part of a snapshot', (values) => values.delete('snapshot.0000000001.0001')],
  ['a part too many', (values) => values.set('batch.0000000002.0001.0001', Buffer.alloc(0))],
  [
    'a snapshot of too many parts',
    (values) => values.set('current', bytes('{"generation":1,"parts":1e9,"upTo":0}') as Buffer),
  ],
  ['a negative number', (values) => values.set('current', bytes('{"generation":1,"parts":1,"upTo":-1}') as Buffer)],
  ['a list in place of the numbers', (values) => values.set('current', bytes('[]') as Buffer)],
  ['null in place of the numbers', (values) => values.set('current', bytes('null') as Buffer)],
  ['text in place of JSON', (values) => values.set('current', bytes('{') as Buffer)],
];
for (const [what, damage] of damages) {
  test(`RECORDLOG-3, RECORDLOG-4: ${what} is an error`, async () => {
    const { records, values } = memoryRecords();
    const log = createRecordLog(records);
    await log.snapshot(bytes(large('s')));
    for (const text of ['a', 'b', 'c']) await log.append(bytes(text));
    damage(values);
    const read = await createRecordLog(records).read();
    assert.ok(!read.ok);
    assert.match(read.error.text, /^the registry is damaged: /);
  });
}

test('RECORDLOG-5: a record that this version does not know is refused, and nothing is changed', async () => {
  const { records, values } = memoryRecords();
  await createRecordLog(records).append(bytes('a'));
  values.set('index.0000000001', Buffer.from('of a newer version'));
  const log = createRecordLog({ ...records, write: async () => assert.fail('written') });
  const text =
    'the registry has a record "index.0000000001", which this version does not read: use the newer version that wrote it';
  assert.deepEqual(await log.read(), err({ code: 'unavailable', text }));
  assert.deepEqual(await log.append(bytes('b')), err({ code: 'unavailable', text }));
});

test('RECORDLOG-6: a reader without a term sees the snapshot and the whole batches, changes nothing, and fails if they vanish', async () => {
  const { records, values, outside } = memoryRecords();
  const log = createRecordLog(records);
  await log.append(bytes('a'));
  await log.snapshot(bytes('s'));
  await log.append(bytes('b'));
  outside.writesLeft = 1;
  await log.append(bytes(large('c')));
  const before = [...values.keys()];
  const reader = { list: records.list, get: records.get };
  const read = await readRecordLog(reader);
  assert.ok(read.ok);
  assert.deepEqual(texts(read.value), { snapshot: 's', batches: ['b'] });
  assert.deepEqual([...values.keys()], before);
  const unavailable: StoreError = { code: 'unavailable', text: 'no such record' };
  const vanished = await readRecordLog({ ...reader, get: async () => err(unavailable) });
  assert.deepEqual(vanished, err(unavailable));
});
