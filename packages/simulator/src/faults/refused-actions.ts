// The masters' authorizer refuses actions. Drawn by the variation `refusing authorizer`.
// Draws: which groups of actions, and for how long. Registrations are not among them: a framework or agent that is
//     refused does not try again.
// Effect: the authorizers of all masters refuse these actions.
// Ends: by itself after that time, and at the end of the fault phase.
import { shuffle } from '@meseta/base';
import type { AuthorizationAction } from '@meseta/wire';
import { between, wholeBetween } from '../engine/chance.js';
import type { FaultKind } from './fault.js';

export interface RefusedActions {
  readonly kind: 'refuse';
  readonly actions: readonly AuthorizationAction[];
  readonly ms: number;
}

const GROUPS: readonly (readonly AuthorizationAction[])[] = [
  ['RUN_TASK'],
  ['RESERVE_RESOURCES', 'UNRESERVE_RESOURCES'],
  ['CREATE_VOLUME', 'DESTROY_VOLUME', 'RESIZE_VOLUME'],
  ['UPDATE_QUOTA', 'UPDATE_WEIGHT'],
  ['UPDATE_MAINTENANCE_SCHEDULE', 'START_MAINTENANCE'],
  ['MARK_AGENT_GONE', 'DRAIN_AGENT', 'DEACTIVATE_AGENT', 'REACTIVATE_AGENT', 'TEARDOWN_FRAMEWORK'],
];

export const refusedActions: FaultKind<RefusedActions> = {
  name: 'refuse',
  share: 0,
  draw: (random) => ({
    kind: 'refuse',
    actions: shuffle(random, [...GROUPS])
      .slice(0, wholeBetween(random, 1, 4))
      .flat(),
    ms: between(random, 5_000, 120_000),
  }),
  inject({ world, refused }, { actions, ms }) {
    const add = (by: number): void => {
      for (const action of actions) {
        const times = (refused.get(action) ?? 0) + by;
        if (times > 0) refused.set(action, times);
        else refused.delete(action);
      }
    };
    add(1);
    world.timeline.after(ms, () => add(-1));
    return true;
  },
  heal: ({ refused }) => refused.clear(),
};
