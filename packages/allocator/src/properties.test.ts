// Random clusters against the full scan and against a model that knows only totals, offers and quotas.
import { test } from 'node:test';
import fc from 'fast-check';
import { checkReasons, createWorld, runAndCheck, stepKinds, takeStep } from './testing/world.js';

const step = fc.tuple(fc.nat(stepKinds - 1), fc.nat(1 << 12));
const batch = fc.array(step, { maxLength: 5, size: 'max' });
const batches = fc.array(batch, { minLength: 5, maxLength: 40, size: 'max' });

for (const sorter of ['drf', 'random'] as const) {
  test(`after a run a scan finds nothing (ALLOCATOR-1); nothing is offered twice or past a limit; every refusal has a reason (${sorter})`, () => {
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
