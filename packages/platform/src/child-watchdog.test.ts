import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { after, test } from 'node:test';
import { createChildWatchdog } from './child-watchdog.js';
import * as libc from './libc.js';
import { until } from './testing/until.js';

const process = spawn('sleep', ['1000']);
after(() => process.kill('SIGKILL'));
const pid = process.pid ?? 0;
const isStopped = (): boolean => / T /.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));

test('WATCHDOG-1: a process is continued while the main thread waits for it, and not after that', async () => {
  const { guard, pidAddress } = createChildWatchdog();
  const written = new Int32Array(libc.memoryAt(pidAddress, 4));
  const stop = (): Promise<void> => {
    process.kill('SIGSTOP');
    return until('it is stopped', isStopped);
  };
  await stop();
  const guarded = guard(() => {
    written[0] = pid;
    const deadlineMs = performance.now() + 10_000;
    while (isStopped() && performance.now() < deadlineMs);
    return isStopped();
  });
  assert.deepEqual(guarded, { value: false, wasKilled: false });
  await stop();
  assert.equal(guard(() => (written[0] = pid)).value, pid);
  await new Promise((resolve) => setTimeout(resolve, 200));
  assert.equal(isStopped(), true);
});
