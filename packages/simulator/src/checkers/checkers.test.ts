import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { CHECKERS } from './all.js';

/** The invariants that a checker's source names where it fails. */
function failuresIn(name: string): readonly string[] {
  const source = readFileSync(`packages/simulator/src/checkers/${name}.ts`, 'utf8');
  return [...source.matchAll(/world\.fail\(\s*(?:'([^']+)'|"([^"]+)")/g)].map(
    ([, single, double]) => single ?? double ?? '',
  );
}

test('a checker fails with its own invariants, and with each of them', () => {
  for (const { name, invariants } of CHECKERS) {
    assert.deepEqual([...new Set(failuresIn(name))].sort(), Object.keys(invariants).sort(), name);
  }
});

test('an invariant belongs to one checker', () => {
  const all = CHECKERS.flatMap(({ invariants }) => Object.keys(invariants));
  assert.equal(new Set(all).size, all.length);
});
