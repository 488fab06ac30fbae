import assert from 'node:assert/strict';
import { test } from 'node:test';
import { exitCodeOfStatus } from './commands/task-session.js';
import { bytesBeforeDetach } from './task-session.js';

test('the keys to detach are found in one piece of input, and across two; what was typed before them is input', () => {
  const table: readonly (readonly [
    before: number | undefined,
    bytes: readonly number[],
    typed: readonly number[] | undefined,
  ])[] = [
    [undefined, [0x10, 0x11], []],
    [undefined, [0x61, 0x10, 0x11, 0x62], [0x61]],
    [0x10, [0x11], []],
    [undefined, [0x11], undefined],
    [0x61, [0x11, 0x10], undefined],
    [0x10, [0x10], undefined],
    [0x10, [0x61, 0x11], undefined],
  ];
  for (const [before, bytes, typed] of table)
    assert.deepEqual(bytesBeforeDetach(before, Buffer.from(bytes)), typed && Buffer.from(typed), String(bytes));
});

test('a status of wait(2) is an exit status, or 128 + the signal', () => {
  const table = [
    [0, 0],
    [3 << 8, 3],
    [255 << 8, 255],
    [9, 137],
    [11 | 0x80, 139],
  ] as const;
  for (const [status, code] of table) assert.equal(exitCodeOfStatus(status), code);
});
