// A cryptographic generator, for ids that authorize: a client that knows the stream id of a scheduler may send calls for its
// framework, and a few ids of a seeded generator would reveal its state.
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
      // Used numbers are erased: a memory dump reveals no valid id.
      pool[used++] = 0;
      return word;
    },
  };
}
