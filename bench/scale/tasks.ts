// The tasks that the frameworks of the experiments launch on offers.

import type { SchedulerClient } from '@meseta/simulator/nodes/scheduler';
import { scalar } from '@meseta/simulator/schedulers/framework-plan';
import type { Offer, TaskInfo } from '@meseta/wire';
import { scalarSum } from '@meseta/wire/scalars';

export interface TaskShape {
  readonly cpus: number;
  readonly mem: number;
}

/** At most `wanted` tasks of one shape within an offer; `command` is called for each. */
export function tasksWithin(
  client: SchedulerClient,
  offer: Offer,
  { cpus, mem }: TaskShape,
  wanted: number,
  command: () => string,
): readonly TaskInfo[] {
  const room = Math.min(
    Math.floor(scalarSum(offer.resources, 'cpus') / cpus),
    Math.floor(scalarSum(offer.resources, 'mem') / mem),
  );
  const role = client.name;
  const resources = [scalar('cpus', cpus, role), scalar('mem', mem, role)];
  return Array.from({ length: Math.min(room, wanted) }, (): TaskInfo => {
    const id = `${client.name}-${client.memory.nextTask++}`;
    return { name: id, task_id: { value: id }, agent_id: offer.agent_id, resources, command: { value: command() } };
  });
}

export function decline(client: SchedulerClient, offers: readonly Offer[], refuse_seconds: number): void {
  if (offers.length === 0) return;
  client.call({ type: 'DECLINE', decline: { offer_ids: offers.map(({ id }) => id), filters: { refuse_seconds } } });
}
