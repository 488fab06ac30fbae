// Random clusters, checked by the scan and by a model that has only totals, offers and quotas.
import { test } from 'node:test';
import fc from 'fast-check';
import { checkReasons, createWorld, runAndCheck, stepKinds, takeStep } from './testing/world.js';

const step = fc.tuple(fc.nat(stepKinds - 1), fc.nat(1 << 12));
const batch = fc.array(step, { maxLength: 5, size: 'max' });
const batches = fc.array(batch, { minLength: 5, maxLength: 40, size: 'max' });

for (const sorter of ['drf', 'random'] as const) {
  test(`ALLOCATOR-1, ALLOCATOR-2, ALLOCATOR-3, ALLOCATOR-4, ALLOCATOR-5: decisions are those of the record; every refusal has a reason (${sorter})`, () => {
    fc.assert(
      fc.property(batches, fc.boolean(), (all, minimum) => {
        const world = createWorld(minimum, sorter);
        for (const [kind, n] of [
          [0, 5],
          [0, 7],
          [4, 2],
          [4, 6],
          [4, 127],
        ] as const) {
          takeStep(world, [kind, n]);
        }
        for (const steps of all) {
          for (const one of steps) takeStep(world, one);
          runAndCheck(world);
        }
        checkReasons(world);
      }),
      { numRuns: 300, seed: 7, includeErrorInReport: true },
    );
  });
}
