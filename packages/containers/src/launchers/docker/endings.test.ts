import assert from 'node:assert/strict';
import { test } from 'node:test';
import { removeLater } from './endings.js';
import type { DockerState } from './state.js';

test('every ended container is removed, also one that ends while another is being removed', async () => {
  const timers: (() => void)[] = [];
  const removed: string[] = [];
  const answers: (() => void)[] = [];
  const state = {
    options: {
      removeDelayMs: 0,
      clock: {
        setTimer: (_delayMs: number, callback: () => void) => {
          timers.push(callback);
          return () => {};
        },
      },
    },
    engine: {
      remove: (name: string) => {
        removed.push(name);
        return new Promise<void>((resolve) => answers.push(resolve));
      },
    },
    removals: [],
    isClosed: false,
    cancelRemoval: () => {},
  } as unknown as DockerState;
  /** All requests are answered, and then all timers fire, again and again. */
  const settle = async (): Promise<void> => {
    while (timers.length + answers.length > 0) {
      for (const steps of [answers, timers]) {
        for (const step of steps.splice(0)) step();
        await new Promise((resolve) => setImmediate(resolve));
      }
    }
  };
  removeLater(state, 'a');
  timers.shift()?.();
  removeLater(state, 'b');
  removeLater(state, 'c');
  await settle();
  assert.deepEqual(removed, ['a', 'b', 'c']);
});
