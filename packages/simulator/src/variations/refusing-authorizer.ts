// An authorizer that refuses.
// Draws: one to three periods in which it refuses actions (faults/refused-actions.ts).
// Effect and end: those of the faults.
import { between, wholeBetween } from '../engine/chance.js';
import { refusedActions } from '../faults/refused-actions.js';
import { shapeOf } from '../run/shape.js';
import { type Variation, withFaults } from './variation.js';

export const refusingAuthorizer: Variation = {
  name: 'refusing authorizer',
  share: 0.2,
  draw(random, plan) {
    const faults = Array.from({ length: wholeBetween(random, 1, 3) }, () => ({
      atMs: between(random, 1_000, plan.faultPhaseMs),
      ...refusedActions.draw(random, shapeOf(plan)),
    }));
    return withFaults(plan, faults);
  },
};
