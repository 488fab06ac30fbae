// Comparison of secrets that does not reveal by its duration how much of a guess was correct.
import { createHash, timingSafeEqual } from 'node:crypto';

const digest = (text: string | Uint8Array): Buffer => createHash('sha256').update(text).digest();

/** Takes the same time for all values and lengths. */
export const sameSecret = (one: string | Uint8Array, other: string | Uint8Array): boolean =>
  timingSafeEqual(digest(one), digest(other));
