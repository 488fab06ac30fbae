import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';

const program = `
  import { runArea } from './scripts/mutation/runner.mjs';
  const folder = 'scripts/mutation/testdata';
  const area = { name: 'testdata', source: folder, tests: [folder] };
  const options = { concurrency: 2, wanted: () => true, progress: () => {}, withSlow: true };
  console.log(JSON.stringify((await runArea({ area, files: [folder + '/counting.ts'] }, options)).mutants));
`;

interface Mutant {
  readonly line: number;
  readonly original: string;
  readonly replacement: string;
  readonly status: string;
}

test('a mutant is killed, also by ending its process, times out, survives or has no coverage', () => {
  const run = spawnSync(process.execPath, ['--input-type=module', '-e', program], { encoding: 'utf8' });
  assert.equal(run.stderr, '');
  const mutants: Mutant[] = JSON.parse(run.stdout);
  const statusOf = (line: number, original: string, replacement: string) =>
    mutants.find((it) => it.line === line && it.original === original && it.replacement === replacement)?.status;
  const expected: [line: number, original: string, replacement: string, status: string][] = [
    [5, 'i <= last', 'i < last', 'killed'],
    [5, 'sum += i', 'sum -= i', 'killed'],
    [5, 'i++', 'i--', 'timeout'],
    [9, 'value > 1000', 'true', 'killed'],
    [9, 'value > 1000', 'value >= 1000', 'survived'],
    [11, 'value < 0', 'true', 'noCoverage'],
    [14, '!isMapped', 'isMapped', 'killed'],
    [14, '!isMapped', 'true', 'killed'],
    [14, '!isMapped', 'false', 'survived'],
  ];
  for (const [line, original, replacement, status] of expected)
    assert.equal(statusOf(line, original, replacement), status, `line ${line}: ${original} -> ${replacement}`);
});
