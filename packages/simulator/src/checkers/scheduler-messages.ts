// The statuses and offers that a master's step sends to schedulers, and the call that it receives from one: over HTTP or from a
// v0 driver.
import type { MasterEffect, MasterInput } from '@meseta/master/core/io';
import type { Offer, SchedulerCall, TaskStatus } from '@meseta/wire';

/** The statuses that the step sends, in order. A status without a uuid was made by the master. */
export function statusesSent(effects: readonly MasterEffect[]): readonly TaskStatus[] {
  const statuses: TaskStatus[] = [];
  for (const effect of effects) {
    if (effect.kind === 'event' && effect.event.update !== undefined) statuses.push(effect.event.update.status);
    if (effect.kind !== 'send' || effect.message.name !== 'StatusUpdateMessage') continue;
    const { status, uuid } = effect.message.body.update;
    const { uuid: _, ...plain } = status;
    statuses.push(uuid === undefined || uuid === '' ? plain : { ...plain, uuid });
  }
  return statuses;
}

export function schedulerCallIn(input: MasterInput): SchedulerCall | undefined {
  if (input.kind === 'schedulerCall') return input.call;
  return input.kind === 'message' && input.message.name === 'SchedulerCall' ? input.message.body : undefined;
}

/** The offers of an event on a stream, or of a message to a driver. */
export function offersIn(effect: MasterEffect): readonly Offer[] {
  if (effect.kind === 'event') return effect.event.offers?.offers ?? [];
  if (effect.kind !== 'send' || effect.message.name !== 'ResourceOffersMessage') return [];
  return effect.message.body.offers ?? [];
}
