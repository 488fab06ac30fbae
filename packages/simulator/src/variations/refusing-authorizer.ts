// An authorizer that refuses.
// Draws: one to three periods, and which groups of actions are refused in each.
// Strikes: the masters' authorizer answers no to these actions. Registrations are not among them: a framework or agent
//     that is refused ends for good.
// Heals: by itself when the period is over, and with everything else at the end of the storm.
import { shuffle } from '@meseta/base';
import type { AuthorizationAction } from '@meseta/wire';
import { between, wholeBetween } from '../engine/chance.js';
import type { Fault } from '../run/plan.js';
import { type Variation, withFaults } from './variation.js';

const GROUPS: readonly (readonly AuthorizationAction[])[] = [
  ['RUN_TASK'],
  ['RESERVE_RESOURCES', 'UNRESERVE_RESOURCES'],
  ['CREATE_VOLUME', 'DESTROY_VOLUME', 'RESIZE_VOLUME'],
  ['UPDATE_QUOTA', 'UPDATE_WEIGHT'],
  ['UPDATE_MAINTENANCE_SCHEDULE', 'START_MAINTENANCE'],
  ['MARK_AGENT_GONE', 'DRAIN_AGENT', 'DEACTIVATE_AGENT', 'REACTIVATE_AGENT', 'TEARDOWN_FRAMEWORK'],
];

export const refusingAuthorizer: Variation = {
  name: 'refusing authorizer',
  share: 0.2,
  draw(random, plan) {
    const faults = Array.from(
      { length: wholeBetween(random, 1, 3) },
      (): Fault => ({
        atMs: between(random, 1_000, plan.stormMs),
        kind: 'refuse',
        actions: shuffle(random, [...GROUPS])
          .slice(0, wholeBetween(random, 1, 4))
          .flat(),
        ms: between(random, 5_000, 120_000),
      }),
    );
    return withFaults(plan, faults);
  },
};
