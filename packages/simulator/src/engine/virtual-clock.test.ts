import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createLoop } from '@meseta/base';
import { createMachine } from './machine.js';
import { createTimeline } from './timeline.js';
import { createVirtualClock } from './virtual-clock.js';

test('VIRTUAL-CLOCK-1: a deadline is due once its timer fires, at any rate of the clock', () => {
  for (const rate of [1, 0.99, 1.01, 1.0090088676614688, 1 / 3]) {
    const timeline = createTimeline();
    const machine = createMachine('m', '10.0.0.1:1', rate);
    const seenMs: number[] = [];
    let deadlineMs: number | undefined = 0.1;
    const loop = createLoop<'tick' | 'go', never>({
      clock: createVirtualClock(timeline, machine),
      tick: 'tick',
      continue: 'go',
      nextDeadline: () => deadlineMs,
      hasWork: () => false,
      step(input, { monoMs }) {
        if (input === 'go') return [];
        assert(deadlineMs !== undefined && monoMs >= deadlineMs, `${monoMs} of ${deadlineMs} at rate ${rate}`);
        seenMs.push(monoMs);
        deadlineMs = seenMs.length < 500 ? deadlineMs * 1.017 + 0.3 : undefined;
        return [];
      },
      perform: () => {},
    });
    loop.push('go');
    timeline.runUntil(1e9);
    assert.equal(seenMs.length, 500);
    // One turn for the input; a timer whose delay was rounded down is set once more.
    assert(timeline.count() <= 1 + 2 * seenMs.length);
  }
});

test('VIRTUAL-CLOCK-2: nothing is called back while the machine is paused, then everything due is, in order', () => {
  const timeline = createTimeline();
  const machine = createMachine('m', '10.0.0.1:1', 1);
  const clock = createVirtualClock(timeline, machine);
  const calls: string[] = [];
  const note = (what: string) => () => void calls.push(`${what} at ${timeline.nowMs()}`);
  clock.setTimer(10, note('first timer'));
  clock.setTimer(20, note('second timer'));
  const cancel = clock.setTimer(15, note('cancelled'));
  machine.pausedUntilMs = 100;
  timeline.runUntil(50);
  clock.defer(note('turn'));
  timeline.runUntil(60);
  assert.deepEqual(calls, []);
  cancel();
  machine.pausedUntilMs = 120;
  timeline.runUntil(200);
  assert.deepEqual(calls, ['first timer at 120', 'second timer at 120', 'turn at 120']);
});
