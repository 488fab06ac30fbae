// The texts and numbers of exit statuses, which schedulers see.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { exitMessage, waitStatusOf } from './exit-status.js';

test('the message of an exit has the status, that of a signal its name in the C library', () => {
  assert.equal(exitMessage({ kind: 'exited', code: 7 }), 'Command exited with status 7');
  assert.equal(exitMessage({ kind: 'unknown' }), 'Command ended, its exit status is not known');
  const names: readonly (readonly [signal: number, name: string])[] = [
    [1, 'Hangup'],
    [2, 'Interrupt'],
    [3, 'Quit'],
    [4, 'Illegal instruction'],
    [5, 'Trace/breakpoint trap'],
    [6, 'Aborted'],
    [7, 'Bus error'],
    [8, 'Floating point exception'],
    [9, 'Killed'],
    [10, 'User defined signal 1'],
    [11, 'Segmentation fault'],
    [12, 'User defined signal 2'],
    [13, 'Broken pipe'],
    [14, 'Alarm clock'],
    [15, 'Terminated'],
    [16, 'Stack fault'],
    [24, 'CPU time limit exceeded'],
    [25, 'File size limit exceeded'],
    [31, 'Bad system call'],
    [64, 'Unknown signal 64'],
  ];
  for (const [signal, name] of names) {
    assert.equal(exitMessage({ kind: 'signaled', signal }), `Command terminated with signal ${name}`);
  }
});

test('waitStatusOf encodes an exit status as wait(2) does', () => {
  assert.equal(waitStatusOf({ kind: 'exited', code: 3 }), 3 * 256);
  assert.equal(waitStatusOf({ kind: 'signaled', signal: 9 }), 9);
  assert.equal(waitStatusOf({ kind: 'unknown' }), -1);
});
