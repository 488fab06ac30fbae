// Comparing secrets without telling by the time it takes how much of a guess was right.
import { createHash, timingSafeEqual } from 'node:crypto';

const digest = (text: string | Uint8Array): Buffer => createHash('sha256').update(text).digest();

/** Takes the same time wherever the two differ, and whatever their lengths. */
export const sameSecret = (one: string | Uint8Array, other: string | Uint8Array): boolean =>
  timingSafeEqual(digest(one), digest(other));
