// Seeded pseudorandom numbers. The cores get the generator as an argument, so that a seed reproduces a run.
// xoshiro128** (Blackman, Vigna 2018), seeded by splitmix32.

export interface Random {
  /** A whole number in [0, 2^32). */
  uint32(): number;
}

export function seededRandom(seed: number): Random {
  let mix = seed >>> 0;
  const splitmix = (): number => {
    mix = (mix + 0x9e3779b9) >>> 0;
    let z = mix;
    z = Math.imul(z ^ (z >>> 16), 0x85ebca6b);
    z = Math.imul(z ^ (z >>> 13), 0xc2b2ae35);
    return (z ^ (z >>> 16)) >>> 0;
  };
  let a = splitmix();
  let b = splitmix();
  let c = splitmix();
  let d = splitmix();
  const rotl = (x: number, k: number): number => ((x << k) | (x >>> (32 - k))) >>> 0;
  return {
    uint32() {
      const result = Math.imul(rotl(Math.imul(b, 5) >>> 0, 7), 9) >>> 0;
      const t = (b << 9) >>> 0;
      c = (c ^ a) >>> 0;
      d = (d ^ b) >>> 0;
      b = (b ^ c) >>> 0;
      a = (a ^ d) >>> 0;
      c = (c ^ t) >>> 0;
      d = rotl(d, 11);
      return result;
    },
  };
}

/** A number in [0, 1). */
export const uniform = (random: Random): number => random.uint32() / 2 ** 32;

/** A whole number in [0, bound), for bounds up to 2^32. */
export const below = (random: Random, bound: number): number => Math.floor(uniform(random) * bound);

/** The items in a random order (Fisher-Yates), in place. */
export function shuffle<T>(random: Random, items: T[]): T[] {
  for (let i = items.length - 1; i > 0; i--) {
    const j = below(random, i + 1);
    const item = items[i] as T;
    items[i] = items[j] as T;
    items[j] = item;
  }
  return items;
}

/** A version 4 uuid (RFC 9562) in its text form. */
export function uuid(random: Random): string {
  let hex = '';
  for (let i = 0; i < 4; i++) hex += random.uint32().toString(16).padStart(8, '0');
  const variant = '89ab'[parseInt(hex[16] as string, 16) & 3] as string;
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-4${hex.slice(13, 16)}-${variant}${hex.slice(17, 20)}-${hex.slice(20)}`;
}
