// The children of a test's process, with their ends.
import assert from 'node:assert/strict';
import type { ProcessEnd } from '@meseta/base';
import { createChildProcesses } from '../child-processes.js';

const made = createChildProcesses();
assert.ok(made.ok, made.ok ? '' : made.error);
export const children = made.value;
export const ends = new Map<number, ProcessEnd>();
let notify = (): void => {};
children.watch((pid, end) => {
  ends.set(pid, end);
  notify();
});

/** SIGCHLD alone does not keep a process going. */
export async function endOf(pid: number): Promise<ProcessEnd> {
  const timer = setInterval(() => {}, 1000);
  try {
    for (;;) {
      const end = ends.get(pid);
      if (end !== undefined) return end;
      await new Promise<void>((resolve) => {
        notify = resolve;
      });
    }
  } finally {
    clearInterval(timer);
  }
}
