import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { outcomeOf } from './work.js';

test('CHAOS-WORK-1: a task counts by what it wrote: once, more than once, or not at all, whatever is reported', (t) => {
  const runs = mkdtempSync(join(tmpdir(), 'meseta-runs-'));
  t.after(() => rmSync(runs, { recursive: true, force: true }));
  for (const [id, text] of Object.entries({ a: 'ran\n', b: 'ran\nran\n', c: 'ran\n', d: 'ran\n' }))
    writeFileSync(join(runs, id), text);
  const tasks = [
    { id: 'a', state: 'TASK_FINISHED', reason: '' },
    { id: 'b', state: 'TASK_FINISHED', reason: '' },
    { id: 'c', state: 'TASK_GONE', reason: 'REASON_RECONCILIATION' },
    { id: 'd', state: 'TASK_RUNNING', reason: '' },
    { id: 'e', state: 'TASK_FINISHED', reason: '' },
    { id: 'f', state: 'TASK_DROPPED', reason: '' },
    { id: 'g', state: 'launched', reason: '' },
  ];
  assert.deepEqual(outcomeOf(tasks, runs), {
    started: 4,
    finished: 2,
    notStarted: 1,
    lost: ['c: TASK_GONE REASON_RECONCILIATION, ran', 'e: TASK_FINISHED , did not run'],
    doubled: ['b: ran 2 times'],
    unknown: ['d: TASK_RUNNING, ran', 'g: launched'],
  });
});
