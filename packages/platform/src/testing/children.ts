// The children of a test's process, with their ends.
import assert from 'node:assert/strict';
import { readFileSync, statSync } from 'node:fs';
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

/** The identity of a directory, as requests name it. */
export function identityOf(path: string): string {
  const { dev, ino } = statSync(path, { bigint: true });
  return `${dev}:${ino}`;
}

/** When a process was started, as /proc counts (proc_pid_stat(5)). */
export const startTicksOf = (pid: number): number =>
  Number(
    readFileSync(`/proc/${pid}/stat`, 'latin1')
      .replace(/^.*\) /s, '')
      .split(' ')[19],
  );
