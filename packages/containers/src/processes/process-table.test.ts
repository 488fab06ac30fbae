import assert from 'node:assert/strict';
import { test } from 'node:test';
import { addProcess, createProcessTable, membersOf, type ProcessTable, parseStat } from './process-table.js';

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
  ['its descendants', tableOf(INIT, [100, 50, 100, 100], [101, 100, 100, 100], [102, 101, 100, 100]), [100, 101, 102]],
  [
    'a session of its own that a descendant began',
    tableOf([100, 50, 100, 100], [101, 100, 101, 101], [102, 1, 101, 101]),
    [100, 101, 102],
  ],
  [
    'a group of its own that a descendant began',
    tableOf([100, 50, 100, 100], [101, 100, 101, 100], [102, 1, 101, 100]),
    [100, 101, 102],
  ],
  ['its session, when its leader has gone', tableOf(INIT, [101, 1, 100, 100]), [101]],
  ['nothing of a session that is foreign', tableOf(AGENT, [100, 50, 100, 50], [51, 50, 50, 50]), [100]],
  ['nothing, when all of it has gone', tableOf(INIT, AGENT), []],
];

for (const [what, table, members] of cases) {
  test(`members of a container: ${what}`, () => {
    const found = membersOf(table, new Set([100]), new Set([50])).get(100) ?? [];
    assert.deepEqual(found.map(({ pid }) => pid).sort(), members);
  });
}
