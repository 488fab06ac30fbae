import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { LIMITS_FILE, limitsDocument } from './document.js';

test('docs/limits.md shows the table of limits', () => {
  assert.ok(
    readFileSync(LIMITS_FILE, 'utf8') === limitsDocument(),
    `${LIMITS_FILE} is out of date: run node scripts/limits.mjs`,
  );
});
