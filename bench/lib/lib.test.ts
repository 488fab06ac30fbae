import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { type Figure, figuresTable, summarize } from './figures.js';
import { cpuSeconds, kilobytesOf } from './processes.js';
import { type Result, readResults, storeResults, withResults } from './results.js';
import { formatNumber, median, quantile } from './statistics.js';

test('a quantile interpolates between the sorted values', () => {
  assert.equal(median([3, 1, 2]), 2);
  assert.equal(median([4, 1, 2, 3]), 2.5);
  assert.equal(quantile([10, 20, 30, 40, 50], 0), 10);
  assert.equal(quantile([10, 20, 30, 40, 50], 1), 50);
  assert.equal(quantile([10, 20], 0.25), 12.5);
  assert.ok(Number.isNaN(median([])));
});

test('numbers have at most three significant digits', () => {
  const cases: readonly [number, string][] = [
    [0.31249, '0.312'],
    [12.44, '12.4'],
    [5310.4, '5310'],
    [0, '0'],
    [Number.NaN, '-'],
  ];
  for (const [value, text] of cases) assert.equal(formatNumber(value), text);
});

test('a figure is the median of its runs, its ratio the median of the ratios, and its target limits one of them', () => {
  const run = (value: number, baseline: number) => [
    {
      name: 'speed',
      unit: '/s',
      value,
      baseline: { name: 'echo', value: baseline },
      target: { of: 'ratio', is: 'at least', limit: 0.5 } as const,
    },
    { name: 'memory', unit: 'KB', value, target: { of: 'value', is: 'at most', limit: 15 } as const },
    { name: 'other', unit: 'KB', value },
  ];
  const [speed, memory, other] = summarize('x', [run(10, 40), run(20, 25), run(30, 60)]);
  assert.equal(speed?.value, 20);
  assert.equal(speed?.baseline?.value, 40);
  assert.equal(speed?.ratio, 0.5);
  assert.equal(speed?.met, true);
  assert.equal(memory?.met, false);
  assert.equal(other?.met, undefined);
  assert.deepEqual(memory?.runs, [10, 20, 30]);
});

test('the table marks missed targets', () => {
  const target = { of: 'value', is: 'at most', limit: 1 } as const;
  const text = figuresTable(summarize('x', [[{ name: 'y', unit: 'ms', value: 2, target }]]));
  assert.match(text, /x +y +2 +ms +- +- +- +at most 1 +NO$/);
});

test('memory and CPU are parsed from /proc, with any characters in the name of the process', () => {
  const rollup =
    '55d-7ff ---p 00000000 00:00 0 [rollup]\nRss:               59000 kB\nPss:               43210 kB\nPss_Dirty:  1 kB\n';
  assert.deepEqual(kilobytesOf(rollup), { rss: 59_000, pss: 43_210 });
  const stat = `42 (a) b (c) S 1 42 42 0 -1 4194304 100 0 0 0 250 50 7 9 20 0 11 0 12345 1000 200`;
  assert.equal(cpuSeconds(stat), 3);
});

const result: Result = {
  benchmark: 'x',
  commit: 'abc',
  date: '2026-01-02',
  machine: { cores: 2, processor: 'P', memoryGiB: 24, node: 'v20' },
  loadBefore: 0.1,
  figures: summarize('x', [
    [{ name: 'y', unit: 'ms', value: 2, target: { of: 'value', is: 'at most', limit: 1 } }],
    [{ name: 'y', unit: 'ms', value: 4, target: { of: 'value', is: 'at most', limit: 1 } }],
  ]),
};

test('results are stored in a file per benchmark, and a later run replaces the earlier one', () => {
  const folder = mkdtempSync(join(tmpdir(), 'meseta-results-'));
  try {
    const { benchmark: _, figures, ...circumstances } = result;
    assert.deepEqual(readResults(join(folder, 'none')), []);
    storeResults(folder, circumstances, figures);
    storeResults(folder, { ...circumstances, commit: 'def' }, figures);
    assert.deepEqual(readResults(folder), JSON.parse(JSON.stringify([{ ...result, commit: 'def' }])));
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test('the table replaces the text between the markers of the page and nothing else', () => {
  const page = '# A\n\n<!-- results: written by `npm run bench -- --full` -->\nold\n<!-- end of results -->\n\nafter\n';
  const text = withResults(page, [result, { ...result, benchmark: 'z' }]);
  assert.match(text, /^# A\n/);
  assert.match(text, /\nafter\n$/);
  assert.doesNotMatch(text, /old/);
  assert.match(text, /- `x`, `z`: commit abc, 2026-01-02, 2 cores/);
  assert.match(text, /\| `x` \| y \| 3 ms \| 2 to 4 \| +\| +\| at most 1 \| \*\*no\*\* \|/);
  assert.equal(withResults(text, [result, { ...result, benchmark: 'z' }]), text);
  assert.throws(() => withResults('# A', []), /lacks/);
});

test('bench/README.md shows the stored results', () => {
  const page = readFileSync('bench/README.md', 'utf8');
  assert.equal(page, withResults(page, readResults('bench/results')), 'npm run bench -- --table writes it');
});

test('the table shows an earlier run in its own column', () => {
  const text = figuresTable(result.figures, [{ ...(result.figures[0] as Figure), value: 5 }]);
  assert.match(text, /x +y +3 +5 +ms/);
});
