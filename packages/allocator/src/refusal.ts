// How long a framework doesn't want to hear of something again (Filters.refuse_seconds).
import type { Filters } from '@meseta/wire';

const DEFAULT_SECONDS = 5;
const LONGEST_SECONDS = 365 * 24 * 3600;

/** Milliseconds; unset, negative or no number: 5 s; more than 365 days: 365 days. */
export function refusalMs(filters: Filters): number {
  const seconds = filters.refuse_seconds ?? DEFAULT_SECONDS;
  if (!(seconds >= 0)) return DEFAULT_SECONDS * 1000;
  return Math.min(seconds, LONGEST_SECONDS) * 1000;
}
