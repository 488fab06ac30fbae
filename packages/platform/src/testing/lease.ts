import assert from 'node:assert/strict';
import { closeSync, openSync, writeFileSync } from 'node:fs';
import * as libc from '../libc.js';

const F_SETLEASE = 1024;
const F_WRLCK = 1;

/**
 * Makes a program whose exec waits until the returned function is called, as any user can do with a lease of a file of his
 * own (fcntl(2); the kernel waits for /proc/sys/fs/lease-break-time at most).
 */
export function makeLeasedProgram(path: string): () => void {
  writeFileSync(path, '#!/bin/sh\n', { mode: 0o755 });
  const descriptor = openSync(path, 'r');
  // The kernel asks for the end of the lease by this signal.
  const ignore = (): void => {};
  process.on('SIGIO', ignore);
  assert.equal(libc.fcntl(descriptor, F_SETLEASE, F_WRLCK), 0);
  return () => {
    closeSync(descriptor);
    process.off('SIGIO', ignore);
  };
}
