// How many files this process may have open at a time.
import { readFileSync } from 'node:fs';

/** Of `/proc/self/limits`; node raises the soft limit to the hard one when it starts. */
export function openFileLimit(): number {
  try {
    const [, soft] = /^Max open files\s+(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8')) ?? [];
    return soft === undefined ? Number.POSITIVE_INFINITY : Number(soft);
  } catch {
    return Number.POSITIVE_INFINITY;
  }
}
