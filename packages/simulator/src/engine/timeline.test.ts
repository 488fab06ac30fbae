import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createTimeline } from './timeline.js';

test('TIMELINE-2: time never goes back, and nothing is scheduled in the past', () => {
  const timeline = createTimeline();
  timeline.runUntil(10);
  assert.throws(() => timeline.at(9, () => {}), /before 10/);
  assert.throws(() => timeline.runUntil(9), /never goes back/);
  assert.equal(timeline.nowMs(), 10);
});

test('TIMELINE-2: a callback runs at its time, one with a negative delay at once', () => {
  const timeline = createTimeline();
  const times: number[] = [];
  const record = (): void => void times.push(timeline.nowMs());
  timeline.at(30, record);
  timeline.at(20, () => {
    record();
    timeline.after(-5, record);
  });
  timeline.runUntil(40);
  assert.deepEqual(times, [20, 20, 30]);
});
