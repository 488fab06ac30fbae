import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createLogger, oneLine } from './log.js';

test('a text can not forge a line, and a long one is cut before it is escaped', () => {
  assert.equal(oneLine('a\r\nb\u0000\u0085'), 'a\\r\\nb\\x00\\x85');
  const long = oneLine('\u0000'.repeat(8 * 2 ** 20));
  assert.equal(long.length, 4 * 8192 + '... (8388608 characters)'.length);
  const lines: string[] = [];
  const log = createLogger({ component: 'c', write: (line) => lines.push(line), wallMs: () => 0 });
  log.warning(`x${'y'.repeat(10_000)}\n`);
  assert.match(lines.join(''), /^1970-01-01 00:00:00\.000 WARNING c: xy{8191}\.\.\. \(10002 characters\)\n$/);
});
