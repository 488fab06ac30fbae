import assert from 'node:assert/strict';
import { test } from 'node:test';
import { exitCodeOf } from './exit-code.js';

test('a command ends with its status, or 128 + its signal, as in a shell', () => {
  const table: readonly (readonly [message: string, code: number])[] = [
    ['Command exited with status 3', 3],
    ['Command terminated with signal Killed', 137],
    ['Command terminated with signal Terminated', 143],
    ['Command terminated with signal Segmentation fault (core dumped)', 139],
    ['Command terminated with signal SIGKILL', 137],
    ['Command terminated with signal Unknown signal 40', 168],
    ['Disk usage (2MB) exceeds quota (1MB)', 1],
    ['', 1],
  ];
  for (const [message, code] of table) assert.equal(exitCodeOf(message), code, message);
});
