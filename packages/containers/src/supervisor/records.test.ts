import assert from 'node:assert/strict';
import { test } from 'node:test';
import { present, SHARED_LINUX } from '@meseta/base';
import type { ExitStatus } from '../types.js';
import { headLine, parseRecord, statusLine } from './records.js';

const stat = '7 (a) b) S 3 7 5 0 -1 0 0 0 0 0 11 12 0 0 20 0 4 0 99 0 8';
const head = { bootId: 'boot', sandbox: "/a 'b'\n", setting: { cgroup: '/c', cgroups: ['/c'], linux: SHARED_LINUX } };
const statuses: readonly Exclude<ExitStatus, { kind: 'unknown' }>[] = [
  { kind: 'exited', code: 137 },
  { kind: 'signaled', signal: 9 },
];

test('an incomplete line of a record is ignored', () => {
  for (const status of statuses) {
    const whole = `${headLine(head)}first ${stat}\n\n\n${statusLine(status)}`;
    const read = parseRecord(whole);
    const { pid, parent, session, startTicks } = present(read.first, 'first');
    assert.deepEqual([pid, parent, session, startTicks], [7, 3, 5, 99]);
    assert.deepEqual([read.head, read.status], [head, status]);
    for (let length = 0; length < whole.length; length++)
      assert.equal(parseRecord(whole.slice(0, length)).status, undefined);
  }
});
