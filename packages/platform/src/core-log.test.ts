import assert from 'node:assert/strict';
import { test } from 'node:test';
import { writeCoreLine } from './core-log.js';
import { createLogger } from './log.js';
import { LINES_PER_INTERVAL } from './log-limit.js';

test('LOG-2: lines that peers cause are limited by their cause, lines without a cause are not', () => {
  const lines: string[] = [];
  const log = createLogger({ component: 'master', write: (line) => lines.push(line), wallMs: () => 0 });
  const count = (cause: string | undefined): number => {
    lines.length = 0;
    for (let n = 0; n < 1000; n++) writeCoreLine(log, { level: 'warning', text: `line ${n}`, cause });
    return lines.length;
  };
  assert.deepEqual(['ACCEPT', undefined, 'RegisterAgentMessage', 'ACCEPT'].map(count), [
    LINES_PER_INTERVAL.warning,
    1000,
    LINES_PER_INTERVAL.warning,
    0,
  ]);
});
