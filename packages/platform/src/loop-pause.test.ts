import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createPauseMeter } from './loop-pause.js';

const turn = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

test('a turn that holds the loop up is measured by the time that it ran, not by the time that it slept', async () => {
  const meter = createPauseMeter();
  await turn(100);
  meter.reset();
  await turn(200);
  const idle = meter.longestMs();
  const until = process.cpuUsage().user + 150_000;
  while (process.cpuUsage().user < until);
  await turn(50);
  const busy = meter.longestMs();
  assert.ok(busy > 100, `${busy} ms after 150 ms of work`);
  assert.ok(idle < busy, `${idle} ms while idle`);
  meter.reset();
  assert.equal(meter.longestMs(), 0);
});
