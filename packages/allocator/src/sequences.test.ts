// Short random sequences of the same steps as in properties.test.ts, with fixed seeds.
import { test } from 'node:test';
import { below, seededRandom } from '@meseta/base';
import { checkReasons, createWorld, runAndCheck, stepKinds, takeStep } from './testing/world.js';

/** The first steps: agents and frameworks. */
const OPENING = [
  [0, 5],
  [0, 7],
  [0, 8],
  [4, 2],
  [4, 6],
  [4, 127],
] as const;

for (let seed = 1; seed <= 24; seed++) {
  test(`AUDIT-1, AUDIT-2, AUDIT-3: the decisions and the views match the record (sequence ${seed})`, () => {
    const random = seededRandom(seed);
    const world = createWorld(seed % 3 > 0, seed % 4 === 0 ? 'random' : 'drf');
    for (const step of OPENING) takeStep(world, step);
    for (let batch = 0; batch < 25; batch++) {
      for (let steps = below(random, 5); steps >= 0; steps--) {
        takeStep(world, [below(random, stepKinds), below(random, 4096)]);
      }
      runAndCheck(world);
    }
    checkReasons(world);
  });
}
