import assert from 'node:assert/strict';
import { test } from 'node:test';
import { addProcess, createProcessTable, findMembers, type ProcessTable, parseStat } from './process-table.js';

/** Each: pid, parent, group, session. */
function tableOf(...processes: readonly (readonly [number, number, number, number])[]): ProcessTable {
  const table = createProcessTable();
  for (const [pid, parent, group, session] of processes) {
    const stat = parseStat(`${pid} (a ) b) S ${parent} ${group} ${session} 0 -1 0 0 0 0 0 1 2 0 0 20 0 1 0 7 0 3`);
    assert.ok(stat);
    addProcess(table, stat);
  }
  return table;
}

const INIT = [1, 0, 1, 1] as const;
const AGENT = [50, 1, 50, 50] as const;

const cases: readonly [what: string, table: ProcessTable, members: readonly number[]][] = [
  [
    'the descendants of its first process',
    tableOf(INIT, [100, 50, 100, 100], [101, 100, 100, 100], [102, 101, 100, 100]),
    [100, 101, 102],
  ],
  [
    'a session that a descendant started',
    tableOf([100, 50, 100, 100], [101, 100, 101, 101], [102, 1, 101, 101]),
    [100, 101, 102],
  ],
  [
    'a process group that a descendant started',
    tableOf([100, 50, 100, 100], [101, 100, 101, 100], [102, 1, 101, 100]),
    [100, 101, 102],
  ],
  ['its session, when the leader has ended', tableOf(INIT, [101, 1, 100, 100]), [101]],
  ['no process of a foreign session', tableOf(AGENT, [100, 50, 100, 50], [51, 50, 50, 50]), [100]],
  ['none, when all have ended', tableOf(INIT, AGENT), []],
];

for (const [what, table, members] of cases) {
  test(`members of a container: ${what}`, () => {
    const found = findMembers(table, 100, new Set([50]));
    assert.deepEqual(found.map(({ pid }) => pid).sort(), members);
  });
}
