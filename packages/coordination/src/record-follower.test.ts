import assert from 'node:assert/strict';
import { test } from 'node:test';
import { followRecords, type RecordFollower } from './record-follower.js';
import { createRecordLog } from './record-log.js';
import { memoryRecords } from './testing/memory-records.js';
import { bytes, large, texts } from './testing/stores.js';
import type { FencedLog } from './types.js';

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** Waits until the follower has begun and ended a look after now. */
async function untilLooked({ outside }: ReturnType<typeof memoryRecords>): Promise<void> {
  const { lists } = outside;
  while (outside.lists < lists + 2) await sleep(1);
}

function follow(memory: ReturnType<typeof memoryRecords>, maxBytes?: number) {
  const warnings: string[] = [];
  const follower: RecordFollower = followRecords({
    records: memory.records,
    pauseMs: 1,
    warn: (text) => warnings.push(text),
    ...(maxBytes === undefined ? {} : { maxBytes }),
  });
  return { follower, warnings };
}

const contentsOf = async (log: FencedLog) => {
  const read = await log.read();
  assert.ok(read.ok, JSON.stringify(read));
  return texts(read.value);
};

test('RECORDFOLLOWER-1: the log of the next term reads only what was not copied', async () => {
  const memory = memoryRecords();
  const log = createRecordLog(memory.records);
  await log.append(bytes('a'));
  await log.snapshot(bytes(large('s')));
  for (const text of ['b', 'c']) await log.append(bytes(text));
  const { follower, warnings } = follow(memory);
  await untilLooked(memory);
  const copies = follower.stop();
  for (const text of ['d', 'e']) await log.append(bytes(text));
  memory.reads.length = 0;
  const next = createRecordLog(memory.records, copies);
  const contents = { snapshot: large('s'), batches: ['b', 'c', 'd', 'e'] };
  assert.deepEqual(await contentsOf(next), contents);
  assert.deepEqual(memory.reads, ['current', 'batch.0000000004.0000.0001', 'batch.0000000005.0000.0001']);
  // The copies are released; a second read asks for all.
  assert.deepEqual(await contentsOf(next), contents);
  assert.equal(memory.reads.length, 3 + 1 + 4 + 4);
  assert.deepEqual(warnings, []);
});

test('RECORDFOLLOWER-1: a log that was removed and written again under the same names is read anew', async () => {
  const memory = memoryRecords();
  const old = createRecordLog(memory.records);
  for (const text of ['old 1', 'old 2']) await old.append(bytes(text));
  const { follower } = follow(memory);
  await untilLooked(memory);
  const copies = follower.stop();
  assert.equal(copies.size, 2);
  memory.values.clear();
  const written = createRecordLog(memory.records);
  for (const text of ['new 1', 'new 2']) await written.append(bytes(text));
  const next = createRecordLog(memory.records, copies);
  assert.deepEqual((await contentsOf(next)).batches, ['new 1', 'new 2']);
});

test('RECORDFOLLOWER-2: copies of batches that a snapshot covers are dropped, and copies have at most the given bytes', async () => {
  const memory = memoryRecords();
  const log = createRecordLog(memory.records);
  for (let n = 0; n < 10; n++) await log.append(bytes('x'.repeat(100)));
  const all = follow(memory);
  const some = follow(memory, 550);
  await untilLooked(memory);
  await untilLooked(memory);
  await log.snapshot(bytes('s'));
  await log.append(bytes('y'));
  await untilLooked(memory);
  await untilLooked(memory);
  assert.deepEqual([...all.follower.stop().keys()].sort(), ['batch.0000000011.0000.0001', 'snapshot.0000000001.0000']);
  some.follower.stop();

  const other = memoryRecords();
  const otherLog = createRecordLog(other.records);
  for (let n = 0; n < 10; n++) await otherLog.append(bytes('x'.repeat(100)));
  const limited = follow(other, 550);
  await untilLooked(other);
  const copies = limited.follower.stop();
  assert.equal(copies.size, 5);
  assert.equal((await contentsOf(createRecordLog(other.records, copies))).batches.length, 10);
});

test('RECORDFOLLOWER-3: damage is reported once, and no copies of a damaged log are kept; once repaired it is followed again', async () => {
  const memory = memoryRecords();
  const log = createRecordLog(memory.records);
  for (const text of ['a', 'b', 'c']) await log.append(bytes(text));
  const { follower, warnings } = follow(memory);
  await untilLooked(memory);
  const name = 'batch.0000000002.0000.0001';
  const value = memory.values.get(name) as Buffer;
  memory.values.delete(name);
  await untilLooked(memory);
  await untilLooked(memory);
  assert.deepEqual(warnings, ['the registry is damaged: batch 2 is missing']);
  memory.values.set(name, value);
  await untilLooked(memory);
  assert.equal(follower.stop().size, 3);
  assert.equal(warnings.length, 1);
});

test('RECORDFOLLOWER-3: a log that is written while it is followed never seems damaged', async () => {
  const memory = memoryRecords();
  const log = createRecordLog(memory.records);
  const { follower, warnings } = follow(memory);
  for (let round = 0; round < 20; round++) {
    for (let n = 0; n < 5; n++) await log.append(bytes(`${round} ${n}`));
    await log.snapshot(bytes(`snapshot ${round}`));
    await sleep(1);
  }
  await log.append(bytes('last'));
  const copies = follower.stop();
  assert.deepEqual(warnings, []);
  assert.deepEqual(await contentsOf(createRecordLog(memory.records, copies)), {
    snapshot: 'snapshot 19',
    batches: ['last'],
  });
});

test('RECORDFOLLOWER-4: the pause after a slow look is longer', async () => {
  const memory = memoryRecords();
  memory.outside.listMs = 50;
  const { follower } = follow(memory);
  await sleep(800);
  follower.stop();
  assert.equal(memory.outside.lists, 1);
});
