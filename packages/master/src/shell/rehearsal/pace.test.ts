import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Clock } from '@meseta/base';
import { createPace, STOPPED } from './pace.js';

/** A clock that only the test advances. */
function createTestClock() {
  let nowMs = 0;
  const timers = new Map<() => void, number>();
  const clock: Clock = {
    now: () => ({ monoMs: nowMs, wallMs: nowMs }),
    setTimer(delayMs, callback) {
      timers.set(callback, nowMs + delayMs);
      return () => void timers.delete(callback);
    },
    defer: (callback) => void timers.set(callback, nowMs),
  };
  return {
    clock,
    timers,
    async advance(ms: number): Promise<void> {
      nowMs += ms;
      for (const [callback, atMs] of [...timers]) {
        if (atMs > nowMs) continue;
        timers.delete(callback);
        callback();
      }
      await new Promise(setImmediate);
    },
  };
}

test('a turn resolves at once while the slice lasts, and after a pause when it is over', async () => {
  const { clock, timers, advance } = createTestClock();
  const pace = createPace(clock);
  await pace.turn();
  assert.equal(timers.size, 0);
  await advance(2);
  let isResolved = false;
  const turn = pace.turn().then(() => {
    isResolved = true;
  });
  await new Promise(setImmediate);
  assert.deepEqual([isResolved, timers.size], [false, 1]);
  await advance(1);
  await turn;
  await pace.turn();
  assert.equal(timers.size, 0);
});

test('a condition that does not hold in time is an error that names it', async () => {
  const { clock, advance } = createTestClock();
  const waiting = createPace(clock).until('offers', () => false);
  const failed = assert.rejects(waiting, /no offers within 60 s/);
  for (let n = 0; n < 4; n++) await advance(20_000);
  await failed;
});

test('PACE-1: after `stop` a wait under way and each later one end as stopped, and no timer is left', async () => {
  const { clock, timers } = createTestClock();
  const pace = createPace(clock);
  const ended = assert.rejects(pace.pause(300_000), (cause) => cause === STOPPED);
  assert.equal(timers.size, 1);
  pace.stop();
  await ended;
  for (const wait of [pace.turn(), pace.pause(1), pace.until('offers', () => false)])
    await assert.rejects(wait, (cause) => cause === STOPPED);
  assert.equal(timers.size, 0);
});
