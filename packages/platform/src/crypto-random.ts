// A generator whose numbers nobody can work out from earlier ones. Ids that protect something come from it: whoever knows
// a scheduler's stream id may call for its framework, and a seeded generator shows its state in a few of its ids.
import { randomFillSync } from 'node:crypto';
import type { Random } from '@meseta/base';

const POOL_WORDS = 1024;

export function cryptoRandom(): Random {
  const pool = new Uint32Array(POOL_WORDS);
  let used = POOL_WORDS;
  return {
    uint32() {
      if (used === POOL_WORDS) {
        randomFillSync(pool);
        used = 0;
      }
      const word = pool[used] as number;
      // A number that was given out is not kept: a dump of the memory shows no live id.
      pool[used++] = 0;
      return word;
    },
  };
}
