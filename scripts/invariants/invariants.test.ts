// Every assertion and throw that outside data may reach is in the table with a verdict, and the tests that verdicts name exist.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { codeOnly, isTest } from '../tidy/rules.js';
import { SITES } from './invariants.js';

const PACKAGES = ['wire', 'api', 'resources', 'allocator', 'master', 'agent', 'security', 'platform', 'coordination'];
const OF_BASE = /import [^;]*\b(?:assert|present|unreachable)\b[^;]*from '@meseta\/base'/;

function throwsIn(path: string): number {
  const text = readFileSync(path, 'utf8');
  const names = OF_BASE.test(text) ? 'assert|present|unreachable' : '';
  const calls =
    names === '' ? [] : [...codeOnly(text).matchAll(new RegExp(`(?<!\\w)(?<![^.]\\.)(?:${names})\\(`, 'g'))];
  // Throws are counted in the wire's readers only; elsewhere they report failed system calls.
  const throws = path.startsWith('packages/wire/') ? [...codeOnly(text).matchAll(/\bthrow (?:new |[a-z]\w*\()/g)] : [];
  return calls.length + throws.length;
}

test('each assertion and throw that outside data may reach has a verdict', () => {
  const folders = PACKAGES.map((name) => `packages/${name}/src`);
  const found = execFileSync('git', ['ls-files', '-co', '--exclude-standard', ...folders], { encoding: 'utf8' })
    .split('\n')
    .filter((path) => path.endsWith('.ts') && !isTest(path) && existsSync(path))
    .map((path) => [path, throwsIn(path)] as const)
    .filter(([, count]) => count > 0);
  assert.deepEqual(
    Object.fromEntries(found),
    Object.fromEntries(SITES.map(({ file, count }) => [file, count])),
    'look at what is new: can outside data reach it? Then correct scripts/invariants/invariants.ts',
  );
});

test('the tests that verdicts name are there', () => {
  const named = SITES.filter(({ verdict }) => verdict === 'guarded').map(({ why }) => why);
  assert.deepEqual(
    [...new Set(named)].filter((path) => !existsSync(path)),
    [],
  );
});
