import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createOutbound } from './outbound.js';

const outbound = createOutbound();
/** A task says how long its checks wait: any number of milliseconds. */
const TIMEOUTS_MS = [0, 0.5, 1000.5, 2 ** 31, 1e15, 1e300, Number.POSITIVE_INFINITY];

for (const timeoutMs of TIMEOUTS_MS) {
  test(`a check with a timeout of ${timeoutMs} ms returns a value and does not throw`, async () => {
    const connected = await outbound.connects('127.0.0.1', 1, timeoutMs);
    assert.ok(connected.ok ? connected.value === false : connected.error.code === 'timedOut');
    const status = await outbound.statusOf('http://127.0.0.1:1/', timeoutMs);
    assert.ok(!status.ok && ['ECONNREFUSED', 'timedOut'].includes(status.error.code), JSON.stringify(status));
  });
}

test('an invalid port is an error value', async () => {
  for (const port of [-1, 65_536, 2 ** 32 - 1, 1.5, Number.NaN]) {
    const connected = await outbound.connects('127.0.0.1', port, 1000);
    assert.equal(connected.ok ? '' : connected.error.code, 'badPort');
    const status = await outbound.statusOf(`http://127.0.0.1:${port}/`, 1000);
    assert.equal(status.ok ? '' : status.error.code, 'badUrl');
  }
});
