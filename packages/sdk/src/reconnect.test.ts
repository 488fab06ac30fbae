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
