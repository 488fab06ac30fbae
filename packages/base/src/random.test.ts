import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { below, seededRandom, shuffle, uuid } from './random.js';

test('the same seed gives the same numbers, each below its bound', () => {
  fc.assert(
    fc.property(fc.integer(), fc.integer({ min: 1, max: 2 ** 32 }), (seed, bound) => {
      const a = seededRandom(seed);
      const b = seededRandom(seed);
      for (let i = 0; i < 20; i++) {
        const value = below(a, bound);
        assert.equal(value, below(b, bound));
        assert.ok(value >= 0 && value < bound && Number.isInteger(value));
      }
    }),
  );
});

test('random numbers are uniformly distributed', () => {
  const random = seededRandom(7);
  const counts = new Array<number>(16).fill(0);
  for (let i = 0; i < 16_000; i++) {
    const at = below(random, 16);
    counts[at] = (counts[at] ?? 0) + 1;
  }
  for (const count of counts) assert.ok(count > 850 && count < 1150, String(count));
});

test('a uuid has version 4 and the RFC variant', () => {
  fc.assert(
    fc.property(fc.integer(), (seed) =>
      assert.match(uuid(seededRandom(seed)), /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/),
    ),
  );
});

test('a shuffled list has the same items', () => {
  fc.assert(
    fc.property(fc.integer(), fc.array(fc.integer()), (seed, items) =>
      assert.deepEqual(shuffle(seededRandom(seed), [...items]).sort(), [...items].sort()),
    ),
  );
});
