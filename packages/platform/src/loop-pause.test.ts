import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createPauseMeter } from './loop-pause.js';
import { pause } from './testing/until.js';

test('a pause is the time that a turn ran, not the time that the loop was idle', async () => {
  const meter = createPauseMeter();
  await pause(100);
  meter.reset();
  await pause(200);
  const idle = meter.longestMs();
  const until = process.cpuUsage().user + 150_000;
  while (process.cpuUsage().user < until);
  await pause(50);
  const busy = meter.longestMs();
  assert.ok(busy > 100, `${busy} ms after 150 ms of work`);
  assert.ok(idle < busy, `${idle} ms while idle`);
  meter.reset();
  assert.ok(meter.longestMs() < busy, 'the figure begins again');
});
