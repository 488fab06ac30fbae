// Weights of several roles, some of them fractions.
// Draws: those that the masters start with (`--weights`), and one to three calls of an operator that change several.
// Strikes: the first from the start, the calls in the storm.
// Heals: the last ones stay.
import { shuffle } from '@meseta/base';
import { between, pick, wholeBetween } from '../engine/chance.js';
import type { Fault, Plan } from '../run/plan.js';
import { type Variation, withFaults } from './variation.js';

const WEIGHTS = [0.25, 0.5, 1, 2, 3.5, 10] as const;

const rolesOf = ({ frameworks }: Plan): readonly string[] => [
  ...new Set([...frameworks.values()].flatMap(({ role }) => [role, role.split('/')[0] ?? role])),
];

export const manyWeights: Variation = {
  name: 'many weights',
  share: 0.25,
  draw(random, plan) {
    const some = (): [string, number][] => {
      const roles = shuffle(random, [...rolesOf(plan)]).slice(0, wholeBetween(random, 1, 4));
      return roles.map((role) => [role, pick(random, WEIGHTS)]);
    };
    const weights = new Map(some());
    const faults = Array.from(
      { length: wholeBetween(random, 1, 3) },
      (): Fault => ({
        atMs: between(random, 5_000, plan.stormMs),
        kind: 'operator',
        action: { kind: 'weights', weights: some() },
      }),
    );
    return withFaults({ ...plan, weights }, faults);
  },
};
