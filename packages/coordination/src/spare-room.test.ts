// The arithmetic of ENVIRONMENT-4 and ENVIRONMENT-5, on a file and a disk that are numbers.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createSpareRoom } from './spare-room.js';

const SPARE = 1000;

/** A file of 500 used bytes and nothing behind them. */
function fakeFile(freeBytes: number) {
  const file = { used: 500, size: 500, free: freeBytes, looks: 0, asked: 0, extended: [] as number[] };
  const room = createSpareRoom(
    {
      usedBytes: () => file.used,
      sizeBytes() {
        file.looks++;
        return file.size;
      },
      freeBytes() {
        file.asked++;
        return file.free;
      },
      extendTo(size) {
        file.extended.push(size);
        const grownBytes = Math.min(Math.max(size - file.size, 0), file.free);
        file.size += grownBytes;
        file.free -= grownBytes;
      },
    },
    SPARE,
  );
  return { file, room };
}

test('ENVIRONMENT-4: the file is extended at first, and again when less than half of the spare bytes are left', () => {
  const { file, room } = fakeFile(1e6);
  assert.ok(room.keep());
  assert.deepEqual([file.size, file.extended], [1500, [1500]]);
  for (const [used, extended] of [
    [900, 1500],
    [1000, 1500],
    [1001, 2001],
  ] as const) {
    assert.ok(room.reserve(600));
    file.used = used;
    assert.ok(room.keep());
    assert.deepEqual([used, file.size], [used, extended]);
  }
  assert.deepEqual(file.extended, [1500, 2001]);
});

test('ENVIRONMENT-4: the sizes are not read while the known spare bytes suffice', () => {
  const { file, room } = fakeFile(1e6);
  room.keep();
  file.looks = 0;
  for (let n = 0; n < 5; n++) assert.ok(room.reserve(100) && room.keep());
  assert.equal(file.looks, 0);
  // 500 bytes are known to be left; the writes took less than they might have.
  file.used = 700;
  assert.ok(room.reserve(500) && file.looks === 0);
  assert.ok(room.reserve(800));
  assert.deepEqual([file.looks, file.asked, file.extended.length], [1, 0, 1]);
});

test('ENVIRONMENT-4: on a full disk half of the spare bytes suffice', () => {
  for (const [free, has] of [
    [499, false],
    [500, true],
  ] as const) {
    const { room } = fakeFile(free);
    assert.deepEqual([free, room.keep()], [free, has]);
  }
});

test('ENVIRONMENT-5: a disk with much free space is read once for many writes, until the spare bytes are checked again', () => {
  const { file, room } = fakeFile(1e6);
  for (let n = 0; n < 10; n++) assert.ok(room.reserve(100));
  assert.deepEqual([file.asked, file.extended], [1, []]);
  assert.ok(room.reserve(100));
  assert.equal(file.asked, 2);
  file.free = 0;
  // Seen before: good until the next look.
  assert.ok(room.reserve(900));
  assert.equal(room.reserve(1), false);
  file.free = 1e6;
  assert.ok(room.reserve(1));
  file.free = 0;
  assert.equal(room.keep(), false);
  assert.equal(room.reserve(1), false);
});

test('ENVIRONMENT-5: a write larger than the spare bytes extends the file unless the disk has much free space', () => {
  for (const [free, asksToExtend] of [
    [5000 + 16 * SPARE, false],
    [5000 + 16 * SPARE - 1, true],
  ] as const) {
    const { file, room } = fakeFile(free);
    assert.ok(room.reserve(5000));
    assert.deepEqual([free, file.extended], [free, asksToExtend ? [5500] : []]);
    // It is used up.
    file.used = file.size;
    file.free = 0;
    assert.equal(room.reserve(1), false);
  }
});

test('ENVIRONMENT-5: after a write took bytes of the disk, the spare bytes do not count before they are measured again', () => {
  const { file, room } = fakeFile(1e6);
  room.keep();
  assert.ok(room.reserve(3000));
  // LMDB used them first.
  file.used = 3500;
  file.free = 0;
  assert.equal(room.reserve(900), false);
});

test('ENVIRONMENT-5: on a disk that is nearly full writes have room until the last reserved byte', () => {
  const { file, room } = fakeFile(300);
  assert.equal(room.reserve(301), false);
  assert.ok(room.reserve(300));
  file.used += 300;
  assert.equal(room.reserve(1), false);
  file.free = 50;
  assert.ok(room.reserve(50));
});
