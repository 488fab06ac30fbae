// The limit on open files of this process.
import { readFileSync } from 'node:fs';

/** The soft limit in `/proc/self/limits`; Node raises it to the hard limit at its start. */
export function openFileLimit(): number {
  try {
    const [, soft] = /^Max open files\s+(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8')) ?? [];
    return soft === undefined ? Number.POSITIVE_INFINITY : Number(soft);
  } catch {
    return Number.POSITIVE_INFINITY;
  }
}
