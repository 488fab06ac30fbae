// Shared by the scripted frameworks that reserve resources and create volumes.
import type { Resource, SchedulerEvent } from '@meseta/wire';
import type { SchedulerClient } from '../nodes/scheduler.js';

export const isReserved = ({ reservations = [] }: Resource): boolean => reservations.length > 0;
export const isVolume = ({ disk }: Resource): boolean => disk?.persistence !== undefined;

/** The number of operations after which a framework makes no more. */
export const MAX_OPERATIONS = 60;

/** Acknowledges the status of an operation, if the event has one that an agent resends until then. */
export function acknowledgeOperation(client: SchedulerClient, event: SchedulerEvent): void {
  const { agent_id, uuid, operation_id } = event.update_operation_status?.status ?? {};
  if (agent_id === undefined || uuid === undefined || operation_id === undefined) return;
  client.call({
    type: 'ACKNOWLEDGE_OPERATION_STATUS',
    acknowledge_operation_status: { agent_id, uuid: uuid.value, operation_id },
  });
}
