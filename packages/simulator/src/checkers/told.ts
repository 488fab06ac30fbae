// What a master's step says to schedulers and hears of them, whether they are on a stream or on a v0 driver.
import type { MasterEffect, MasterInput } from '@meseta/master/core/io';
import type { SchedulerCall, TaskStatus } from '@meseta/wire';

/** The statuses that are told, in order. One without uuid is the master's own. */
export function statusesTold(effects: readonly MasterEffect[]): readonly TaskStatus[] {
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

export function schedulerCallOf(input: MasterInput): SchedulerCall | undefined {
  if (input.kind === 'schedulerCall') return input.call;
  return input.kind === 'message' && input.message.name === 'SchedulerCall' ? input.message.body : undefined;
}
