import assert from 'node:assert/strict';
import { mock, test } from 'node:test';
import { keepConnected } from './reconnect.js';

const turns = async (): Promise<void> => {
  for (let i = 0; i < 5; i++) await new Promise((resolve) => setImmediate(resolve));
};

test('attempts go on after failures and ends, with pauses that grow to 10 s and start anew once established', async (t) => {
  mock.timers.enable({ apis: ['setTimeout'] });
  t.after(() => mock.timers.reset());
  mock.method(Math, 'random', () => 0.999_999);
  t.after(() => mock.restoreAll());
  const abort = new AbortController();
  let attempts = 0;
  const kept = keepConnected({
    signal: abort.signal,
    isFinal: () => false,
    async connect(established) {
      attempts++;
      if (attempts === 8) established();
      if (attempts !== 8) throw new Error('refused');
    },
  });
  const pauses: number[] = [];
  for (let attempt = 1; attempt <= 9; attempt++) {
    await turns();
    let ms = 0;
    for (; attempts === attempt && ms < 20_000; ms += 50) {
      mock.timers.tick(50);
      await turns();
    }
    pauses.push(ms);
  }
  assert.deepEqual(pauses, [250, 500, 1000, 2000, 4000, 8000, 10_000, 250, 500]);
  abort.abort();
  await kept;
});

test('RECONNECT-1: with another server the pauses begin anew: the current one, and the next one of an attempt that is under way', async (t) => {
  mock.timers.enable({ apis: ['setTimeout'] });
  t.after(() => mock.timers.reset());
  mock.method(Math, 'random', () => 0.999_999);
  t.after(() => mock.restoreAll());
  const abort = new AbortController();
  let attempts = 0;
  let reportOther = (): void => {};
  let isFollowed = false;
  let failAttempt: () => void = () => {};
  const kept = keepConnected({
    signal: abort.signal,
    isFinal: () => false,
    follow(onOther) {
      reportOther = onOther;
      isFollowed = true;
      return () => {
        isFollowed = false;
      };
    },
    async connect() {
      attempts++;
      if (attempts === 10)
        await new Promise<void>((resolve) => {
          failAttempt = resolve;
        });
      throw new Error('refused');
    },
  });
  const passUntil = async (count: number): Promise<number> => {
    await turns();
    let ms = 0;
    for (; attempts < count && ms < 20_000; ms += 50) {
      mock.timers.tick(50);
      await turns();
    }
    return ms;
  };
  await passUntil(7);
  assert.equal(attempts, 7);
  mock.timers.tick(1000);
  reportOther();
  // The bounds of a first and of a second failure, in place of 9 and 10 s.
  assert.deepEqual([await passUntil(8), await passUntil(9)], [250, 500]);
  await passUntil(10);
  reportOther();
  failAttempt();
  assert.equal(await passUntil(11), 250);
  abort.abort();
  await kept;
  assert.equal(isFollowed, false);
});

test('a connection that ends because of the abort is followed by no pause', async () => {
  const abort = new AbortController();
  const setTimer = mock.method(globalThis, 'setTimeout');
  try {
    await keepConnected({
      signal: abort.signal,
      isFinal: () => false,
      async connect() {
        abort.abort();
      },
    });
    assert.equal(setTimer.mock.callCount(), 0);
  } finally {
    mock.restoreAll();
  }
});

test('a final error ends the attempts', async () => {
  let attempts = 0;
  const kept = keepConnected({
    isFinal: () => true,
    async connect() {
      attempts++;
      throw new Error('forbidden');
    },
  });
  await assert.rejects(kept, /forbidden/);
  assert.equal(attempts, 1);
});
