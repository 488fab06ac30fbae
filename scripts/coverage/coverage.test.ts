import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { COVERAGE_FILE, coverageDocument } from './document.js';

test('docs/coverage.md says what there is', () => {
  assert.ok(
    readFileSync(COVERAGE_FILE, 'utf8') === coverageDocument(),
    `${COVERAGE_FILE} is out of date: run node scripts/coverage.mjs`,
  );
});
