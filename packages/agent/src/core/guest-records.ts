// Guests' records (`guests.ts`): found, replaced, let go of with what they are nested in.
import type { ContainerId } from '@meseta/base';
import type { ContainerID } from '@meseta/wire';
import { guestKey } from './keys.js';
import { SIGKILL } from './signals.js';
import type { Guest } from './state.js';
import { type Step, save } from './step.js';

/** The ids from the outermost container to this one; the outermost is the container of an executor or standalone. */
export const pathOf = ({ value, parent }: ContainerID): string =>
  parent === undefined ? value : `${pathOf(parent)}/${value}`;

export const outermost = ({ value, parent }: ContainerID): string => (parent === undefined ? value : outermost(parent));

export const putGuest = (step: Step, guest: Guest): void => {
  step.state.guests.set(pathOf(guest.record.id), guest);
};

export function signalContainer(step: Step, containerId: ContainerId, signal: number): void {
  if (signal === SIGKILL) step.effects.push({ kind: 'destroy', containerId });
  else step.effects.push({ kind: 'signal', containerId, signal });
}

export function forgetGuest(step: Step, { record }: Guest): void {
  step.state.guests.delete(pathOf(record.id));
  save(step, guestKey(pathOf(record.id)), undefined);
  step.after.push({ kind: 'removeContainer', containerId: record.containerId });
}

/** GUESTS-3: what is nested in a container that ends; with the outermost one goes what is known of those that ended before. */
export function endNested(step: Step, isIn: (id: ContainerID) => boolean, isOutermost: boolean): void {
  for (const guest of [...step.state.guests.values()]) {
    const { id, state, containerId } = guest.record;
    if (id.parent === undefined || !isIn(id)) continue;
    if (state !== 'ended') signalContainer(step, containerId, SIGKILL);
    else if (isOutermost) forgetGuest(step, guest);
  }
}
