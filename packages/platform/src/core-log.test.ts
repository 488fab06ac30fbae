import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createCoreLog } from './core-log.js';
import { createLogger } from './log.js';
import { LINES_PER_INTERVAL } from './log-limit.js';

test('LOG-2: lines that inputs of peers cause are limited by the kind of input, lines of own inputs are not', () => {
  const lines: string[] = [];
  const log = createLogger({ component: 'master', write: (line) => lines.push(line), wallMs: () => 0 });
  const coreLog = createCoreLog<string>(log, (input) => (input === 'tick' ? undefined : input));
  const count = (input: string): number => {
    lines.length = 0;
    for (let n = 0; n < 1000; n++) {
      coreLog.beginInput(input);
      coreLog.write('warning', `line ${n}`);
    }
    return lines.length;
  };
  assert.deepEqual(['ACCEPT', 'tick', 'RegisterAgentMessage', 'ACCEPT'].map(count), [
    LINES_PER_INTERVAL.warning,
    1000,
    LINES_PER_INTERVAL.warning,
    0,
  ]);
});
