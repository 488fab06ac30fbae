// Weights of several roles, some of them fractions.
// Draws: the weights that the masters start with (`--weights`), and one to three operator calls that change several.
// Effect: the initial weights from the start, the calls in the fault phase.
// Ends: never.
import { between, wholeBetween } from '../engine/chance.js';
import type { Fault } from '../faults/all.js';
import { drawWeights } from '../faults/operator.js';
import { type Variation, withFaults } from './variation.js';

export const manyWeights: Variation = {
  name: 'many weights',
  share: 0.25,
  draw(random, plan) {
    const weights = new Map(drawWeights(random));
    const faults = Array.from(
      { length: wholeBetween(random, 1, 3) },
      (): Fault => ({
        atMs: between(random, 5_000, plan.faultPhaseMs),
        kind: 'operator',
        action: { kind: 'weights', weights: drawWeights(random) },
      }),
    );
    return withFaults({ ...plan, weights }, faults);
  },
};
