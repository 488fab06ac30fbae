import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatSpan, formatTable } from './table.js';

test('a table is aligned and has no blanks at the ends of lines', () => {
  const rows = [
    { name: 'a', count: 5 },
    { name: 'longer', count: 1234 },
  ];
  const table = formatTable(
    [
      { title: 'count', value: (row) => row.count, align: 'right' },
      { title: 'name', value: (row) => row.name },
    ],
    rows,
  );
  assert.equal(table, 'COUNT  NAME\n    5  a\n 1234  longer');
});

test('a missing value is a dash, no rows leave the titles', () => {
  assert.equal(formatTable([{ title: 'x', value: () => undefined }], [1]), 'X\n-');
  assert.equal(formatTable([{ title: 'x', value: () => 1 }], []), 'X');
});

test('a table may have very many rows', () => {
  const rows = Array.from({ length: 300_000 }, (_, index) => index);
  const lines = formatTable([{ title: 'n', value: (row: number) => row }], rows).split('\n');
  assert.deepEqual([lines.length, lines.at(-1)], [300_001, '299999']);
});

test('a value cannot control the terminal or forge a line of the table', () => {
  const name = 'web\u001b]0;title\u0007\n\u009b2J';
  assert.equal(formatTable([{ title: 'name', value: () => name }], [1]), 'NAME\nweb\\x1b]0;title\\x07\\n\\x9b2J');
});

test('spans are short', () => {
  const cases: readonly (readonly [ms: number, text: string])[] = [
    [0.4, '0 ms'],
    [85, '85 ms'],
    [2400, '2.4 s'],
    [185_000, '3 min 5 s'],
    [4 * 3_600_000 + 600_000, '4 h 10 min'],
    [3 * 86_400_000 + 7_200_000, '3 d 2 h'],
  ];
  for (const [ms, text] of cases) assert.equal(formatSpan(ms), text);
});
