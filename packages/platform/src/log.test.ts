import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createLogger, type Logger, oneLine } from './log.js';
import { INTERVAL_MS, LINES_PER_INTERVAL } from './log-limit.js';

interface TestLog {
  readonly log: Logger;
  readonly lines: string[];
  pass(ms: number): void;
}

function createTestLog(): TestLog {
  const lines: string[] = [];
  let nowMs = 1_700_000_000_123;
  const log = createLogger({ component: 'master', write: (line) => lines.push(line), wallMs: () => nowMs });
  return {
    log,
    lines,
    pass(ms) {
      nowMs += ms;
    },
  };
}

test('a line has its time, level, component and text; lower levels than the set one are not written', () => {
  const { log, lines } = createTestLog();
  log.info('agent added');
  log.named('host').warning('b');
  log.debug('not written');
  log.level = 'error';
  log.warning('not written');
  log.limited('warning', 'kind', 'not written');
  log.named('x').error('c');
  assert.deepEqual(lines, [
    '2023-11-14 22:13:20.123 INFO master: agent added\n',
    '2023-11-14 22:13:20.123 WARNING host: b\n',
    '2023-11-14 22:13:20.123 ERROR x: c\n',
  ]);
});

test('a silent logger writes nothing', () => {
  const log = createLogger({ component: 'x', level: 'silent', write: () => assert.fail('wrote a line') });
  log.error('x');
});

test('LOG-1: no control character of a text reaches the log, and a long text is cut before it is escaped', () => {
  assert.equal(oneLine('a\r\nb\u0000\u0085\u001b[31m'), 'a\\r\\nb\\x00\\x85\\x1b[31m');
  const long = oneLine('\u0000'.repeat(8 * 2 ** 20));
  assert.equal(long.length, 4 * 8192 + '... (8388608 characters)'.length);
  const { log, lines } = createTestLog();
  log.warning(`x${'y'.repeat(10_000)}\n`);
  assert.match(lines.join(''), / WARNING master: xy{8191}\.\.\. \(10002 characters\)\n$/);
});

test('LOG-2, LOG-LIMIT-1: of one kind only some lines are written in an interval; other kinds and levels have their own', () => {
  for (const level of ['info', 'warning'] as const) {
    const { log, lines, pass } = createTestLog();
    for (let n = 0; n < 5000; n++) {
      log.limited(level, 'PingAgentMessage', `from agent ${n}`);
      pass((INTERVAL_MS - 1) / 5000);
    }
    assert.equal(lines.length, LINES_PER_INTERVAL[level]);
    log.limited(level, 'PongAgentMessage', 'another kind');
    log.warning('an unlimited line');
    assert.equal(lines.length, LINES_PER_INTERVAL[level] + 2);
  }
});

test('LOG-LIMIT-2: the number of suppressed lines is reported once, with the next line after the interval', () => {
  const { log, lines, pass } = createTestLog();
  for (let n = 0; n < 100; n++) log.limited('warning', 'REVIVE', `refused ${n}`);
  pass(INTERVAL_MS - 1);
  log.info('before the end of the interval');
  pass(1);
  log.named('host').info('after it');
  log.info('later');
  assert.deepEqual(
    lines.slice(LINES_PER_INTERVAL.warning).map((line) => line.slice('2023-11-14 22:13:20.123 '.length)),
    [
      'INFO master: before the end of the interval\n',
      'WARNING host: 90 more lines of the kind REVIVE were suppressed\n',
      'INFO host: after it\n',
      'INFO master: later\n',
    ],
  );
  log.limited('warning', 'REVIVE', 'a new interval');
  assert.match(lines.at(-1) ?? '', /a new interval/);
});
