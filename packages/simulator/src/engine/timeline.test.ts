import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { createTimeline, type Scheduled } from './timeline.js';

test('TIMELINE-1: callbacks due at the same time run in the order in which they were scheduled', () => {
  const timeline = createTimeline();
  const seen: string[] = [];
  for (const [atMs, name] of [
    [5, 'c'],
    [1, 'a'],
    [5, 'd'],
    [1, 'b'],
  ] as const)
    timeline.at(atMs, () => seen.push(name));
  timeline.runUntil(10);
  assert.deepEqual(seen, ['a', 'b', 'c', 'd']);
  assert.equal(timeline.nowMs(), 10);
});

const step = fc.record({
  kind: fc.constantFrom('at', 'at', 'at', 'cancel', 'run'),
  atMs: fc.nat(20),
  which: fc.nat(100),
});

test('TIMELINE-1, TIMELINE-3: entries happen in the order of a sorted list, without those that were cancelled', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
      const timeline = createTimeline();
      const asked: Scheduled[] = [];
      let expected: { readonly name: number; readonly atMs: number }[] = [];
      const seen: number[] = [];
      for (const { kind, atMs, which } of steps) {
        const dueMs = timeline.nowMs() + atMs;
        const name = which % Math.max(1, asked.length);
        if (kind === 'at') {
          const next = asked.length;
          asked.push(timeline.at(dueMs, () => seen.push(next)));
          expected.push({ name: next, atMs: dueMs });
        } else if (kind === 'run') {
          const due = expected.filter((it) => it.atMs <= dueMs).sort((a, b) => a.atMs - b.atMs);
          expected = expected.filter((it) => it.atMs > dueMs);
          seen.length = 0;
          timeline.runUntil(dueMs);
          assert.deepEqual(
            seen,
            due.map((it) => it.name),
          );
        } else {
          expected = expected.filter((it) => it.name !== name);
          timeline.cancel(asked[name]);
        }
        assert.equal(timeline.pending(), expected.length);
      }
    }),
  );
});

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
