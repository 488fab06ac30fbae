import assert from 'node:assert/strict';
import { test } from 'node:test';
import { present } from '@meseta/base';
import { parseRecord, toExitStatus } from './exit-record.js';

const stat = '7 (a) b) S 3 7 5 0 -1 0 0 0 0 0 11 12 0 0 20 0 4 0 99 0 8';

const endings: readonly [string, ReturnType<typeof parseRecord>['end']][] = [
  ['Killed\nended 137\n', { kind: 'shell', code: 137, isSignalReported: true }],
  ['ended 137\n', { kind: 'shell', code: 137, isSignalReported: false }],
  ['status exited 137\n', { kind: 'exact', status: { kind: 'exited', code: 137 } }],
  ['status signaled 9\n', { kind: 'exact', status: { kind: 'signaled', signal: 9 } }],
];

test('an incomplete line of a record is ignored', () => {
  for (const [lines, end] of endings) {
    const whole = `first ${stat}\n${lines}`;
    const read = parseRecord(whole);
    const { pid, parent, session, startTicks } = present(read.first, 'first');
    assert.deepEqual([pid, parent, session, startTicks], [7, 3, 5, 99]);
    assert.deepEqual(read.end, end);
    for (let length = 0; length < whole.length; length++)
      assert.equal(parseRecord(whole.slice(0, length)).end, undefined);
  }
});

test("a shell's code above 128 is a signal if the shell reported one, or if the agent sent a signal that shells do not report", () => {
  const sent = new Set([2, 9]);
  const status = (code: number, isSignalReported: boolean, known = sent) =>
    toExitStatus({ kind: 'shell', code, isSignalReported }, known);
  assert.deepEqual(status(137, true, new Set()), { kind: 'signaled', signal: 9 });
  assert.deepEqual(status(137, false), { kind: 'exited', code: 137 });
  assert.deepEqual(status(130, false), { kind: 'signaled', signal: 2 });
  assert.deepEqual(status(130, false, new Set()), { kind: 'exited', code: 130 });
  assert.deepEqual(status(1, true), { kind: 'exited', code: 1 });
  assert.deepEqual(status(255, true), { kind: 'exited', code: 255 });
  assert.deepEqual(toExitStatus({ kind: 'exact', status: { kind: 'exited', code: 130 } }, sent), {
    kind: 'exited',
    code: 130,
  });
});
