import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { test } from 'node:test';
import fc from 'fast-check';
import { shellWords } from './shell-quote.js';

test('a shell reads quoted words as they were, whatever is in them', () => {
  const word = fc.string({ unit: 'binary-ascii', maxLength: 20 }).map((text) => text.replaceAll('\0', ''));
  const words = fc.array(word, { minLength: 1, maxLength: 40 });
  fc.assert(
    fc.property(words, (list) => {
      const out = execFileSync('/bin/sh', ['-c', `printf '%s\\0' ${shellWords(list)}`], { encoding: 'utf8' });
      assert.deepEqual(out.split('\0').slice(0, -1), list);
    }),
    { numRuns: 30 },
  );
});
