// Random streams by seed. Each part of a simulation has a stream of its own, so removing one part changes no other. The name of
// a stream is part of the seed: under another name a part would draw other numbers, and known seeds would change.
import { below, type Random, seededRandom, uniform } from '@meseta/base';

/** FNV-1a, 32 bits. */
function hash(text: string): number {
  let value = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) value = Math.imul(value ^ text.charCodeAt(i), 0x01000193) >>> 0;
  return value;
}

export const streamOf = (seed: number, part: string): Random => seededRandom((hash(`${seed} ${part}`) ^ seed) >>> 0);

export const happens = (random: Random, probability: number): boolean => uniform(random) < probability;

export const between = (random: Random, low: number, high: number): number => low + uniform(random) * (high - low);

/** A whole number in [low, high]. */
export const wholeBetween = (random: Random, low: number, high: number): number => low + below(random, high - low + 1);

export const pick = <T>(random: Random, items: readonly T[]): T => items[below(random, items.length)] as T;

/** A delay with a long tail: the mean is about `meanMs`, the maximum 20 times that. */
export function drawDelayMs(random: Random, meanMs: number): number {
  const u = uniform(random);
  const stretched = u * u * u;
  return meanMs * (0.2 + 2.2 * stretched + (u > 0.99 ? 17 * uniform(random) : 0));
}
