// How long declined resources are filtered (Filters.refuse_seconds).
import type { Filters } from '@meseta/wire';

const DEFAULT_SECONDS = 5;
const MAX_SECONDS = 365 * 24 * 3600;

/** In milliseconds. Unset, negative or NaN means 5 s; the maximum is 365 days. */
export function refusalMs(filters: Filters): number {
  const seconds = filters.refuse_seconds ?? DEFAULT_SECONDS;
  if (!(seconds >= 0)) return DEFAULT_SECONDS * 1000;
  return Math.min(seconds, MAX_SECONDS) * 1000;
}
