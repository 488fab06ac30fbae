// Pauses between attempts to reconnect. A pause is a random share of a bound that doubles with each failed attempt up to the
// longest, so that many clients of one server neither overload it nor come back together.
import { type Random, uniform } from './random.js';

export interface BackoffLimits {
  readonly firstMs: number;
  readonly longestMs: number;
}

/** More doublings exceed every limit in use; the product of a bound of 0 must stay a number. */
const MAX_DOUBLINGS = 64;

/** The bound of the pause after `failures` failed attempts in a row. */
export const backoffBoundMs = ({ firstMs, longestMs }: BackoffLimits, failures: number): number =>
  Math.min(firstMs * 2 ** Math.min(failures, MAX_DOUBLINGS), longestMs);

/** A pause of at least 0 and less than the bound. */
export const backoffPauseMs = (limits: BackoffLimits, failures: number, random: Random): number =>
  uniform(random) * backoffBoundMs(limits, failures);
