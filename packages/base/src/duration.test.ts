import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatDuration, parseDuration } from './duration.js';

test('durations are parsed and formatted as by Mesos', () => {
  const cases: readonly (readonly [text: string, ms: number, written: string])[] = [
    ['15secs', 15_000, '15secs'],
    ['60secs', 60_000, '1mins'],
    ['1.5mins', 90_000, '90secs'],
    ['2weeks', 1_209_600_000, '2weeks'],
    ['50ms', 50, '50ms'],
    ['0ns', 0, '0ns'],
    ['250us', 0.25, '250us'],
    ['-5secs', -5_000, '-5secs'],
    ['1ns', 1e-6, '1ns'],
    ['1us', 1e-3, '1us'],
    ['1.25ms', 1.25, '1250us'],
    ['36hrs', 129_600_000, '36hrs'],
    ['48hrs', 172_800_000, '2days'],
    ['7days', 604_800_000, '1weeks'],
    [' 1mins\n', 60_000, '1mins'],
  ];
  for (const [text, ms, written] of cases) {
    assert.deepEqual(parseDuration(text), { ok: true, value: ms }, text);
    assert.equal(formatDuration(ms), written);
  }
  for (const text of [
    '',
    '15',
    '15 secs',
    'secs',
    '1parsec',
    '--1secs',
    '1.secs',
    '1.5.5secs',
    'x1secs',
    '1secs2',
    '1SECS',
  ]) {
    const expected = 'expected a duration such as 15secs or 2mins (units ns us ms secs mins hrs days weeks), got';
    assert.deepEqual(parseDuration(text), { ok: false, error: `${expected} ${JSON.stringify(text)}` });
  }
  assert.equal(formatDuration(1 / 3), '333333ns');
});
