import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CommandError, EXIT, MAX_TIMER_MS, parseDurationOption, parseInteger } from './command.js';

const isUsageError = (text: RegExp) => (error: unknown) =>
  error instanceof CommandError && error.exitCode === EXIT.usage && text.test(error.message);

test('an option with a whole number accepts no fraction, sign, exponent or number out of its bounds', () => {
  assert.deepEqual([parseInteger('up', 'tasks', '0', 0, 9), parseInteger('up', 'tasks', '9', 0, 9)], [0, 9]);
  for (const text of ['', ' ', '1.5', '-1', '1e3', '0x1', '10', 'NaN', '99999999999999999999'])
    assert.throws(
      () => parseInteger('up', 'tasks', text, 0, 9),
      isUsageError(/^meseta up: --tasks: expected a whole number from 0 to 9, got '/),
      text,
    );
});

test('a duration longer than a timer can wait is refused with the longest', () => {
  assert.equal(parseDurationOption('run', 'timeout', '24days', MAX_TIMER_MS), 24 * 86_400_000);
  assert.throws(
    () => parseDurationOption('run', 'timeout', '5weeks', MAX_TIMER_MS),
    isUsageError(/--timeout: expected a duration of at most 24days, got '5weeks'/),
  );
});
