// A framework that reserves disk and creates two volumes on each agent: a shared one, which several tasks use at once, and
// another, which it grows and shrinks.

import type { Offer, OfferOperation, Resource, TaskInfo } from '@meseta/wire';
import { happens, pick, wholeBetween } from '../engine/chance.js';
import { isAlive } from '../nodes/framework-memory.js';
import type { SchedulerClient, Script } from '../nodes/scheduler.js';
import { type Activity, type FrameworkPlan, scalar } from './framework-plan.js';
import { acknowledgeOperation, isReserved, isVolume, MAX_OPERATIONS } from './operations.js';
import { nextTaskId, roomIn } from './tasks.js';

const RESERVED_MB = 256;
const VOLUME_MB = 64;
const STEP_MB = 16;

const isShared = ({ shared }: Resource): boolean => shared !== undefined;
const sizeOf = ({ scalar: value }: Resource): number => value?.value ?? 0;

export function createSharer(plan: FrameworkPlan, activity: Activity): Script {
  let next = 0;
  const nextOperationId = ({ name }: SchedulerClient): { value: string } => ({
    value: `${name.split('.')[0]}-o${next++}`,
  });

  const operationFor = (client: SchedulerClient, resources: readonly Resource[]): OfferOperation | undefined => {
    const reserved = resources.find((it) => it.name === 'disk' && isReserved(it) && !isVolume(it));
    const volume = resources.find((it) => isVolume(it) && !isShared(it));
    const shared = resources.find(isShared);
    if (volume !== undefined && happens(client.random, 0.3)) {
      return { type: 'DESTROY', id: nextOperationId(client), destroy: { volumes: [volume] } };
    }
    if (volume !== undefined && reserved !== undefined && sizeOf(reserved) > STEP_MB && happens(client.random, 0.5)) {
      const addition: Resource = { ...reserved, scalar: { value: STEP_MB } };
      return { type: 'GROW_VOLUME', id: nextOperationId(client), grow_volume: { volume, addition } };
    }
    if (volume !== undefined && sizeOf(volume) > STEP_MB) {
      return {
        type: 'SHRINK_VOLUME',
        id: nextOperationId(client),
        shrink_volume: { volume, subtract: { value: STEP_MB } },
      };
    }
    if (reserved !== undefined && sizeOf(reserved) >= VOLUME_MB) {
      const id = nextOperationId(client);
      const made: Resource = {
        ...reserved,
        scalar: { value: VOLUME_MB },
        disk: { persistence: { id: id.value }, volume: { mode: 'RW', container_path: 'data' } },
        ...(shared === undefined ? { shared: {} } : {}),
      };
      return { type: 'CREATE', id, create: { volumes: [made] } };
    }
    const free = resources.find((it) => it.name === 'disk' && !isReserved(it) && sizeOf(it) >= RESERVED_MB);
    if (free === undefined || shared !== undefined) return undefined;
    const list = [
      { ...free, scalar: { value: RESERVED_MB }, reservations: [{ type: 'DYNAMIC' as const, role: plan.role }] },
    ];
    return { type: 'RESERVE', id: nextOperationId(client), reserve: { resources: list } };
  };

  return {
    offers(client, offers) {
      for (const offer of offers) act(client, offer);
    },
    event: acknowledgeOperation,
  };

  function act(client: SchedulerClient, offer: Offer): void {
    const resources = offer.resources ?? [];
    const tasks = activity.isQuiesced ? [] : tasksOn(client, plan, offer);
    const operation = activity.isQuiesced || next >= MAX_OPERATIONS ? undefined : operationFor(client, resources);
    const operations: readonly OfferOperation[] =
      tasks.length > 0
        ? [{ type: 'LAUNCH', launch: { task_infos: tasks } }]
        : operation === undefined
          ? []
          : [operation];
    if (operations.length > 0) client.accept([offer], operations, { refuse_seconds: pick(client.random, [0, 1, 5]) });
    else {
      const refuse_seconds = activity.isQuiesced ? 600 : pick(client.random, [1, 5]);
      client.call({ type: 'DECLINE', decline: { offer_ids: [offer.id], filters: { refuse_seconds } } });
    }
  }
}

/** One or two tasks that use the shared volume of the offer. */
function tasksOn(client: SchedulerClient, plan: FrameworkPlan, offer: Offer): readonly TaskInfo[] {
  const { memory, random } = client;
  const resources = offer.resources ?? [];
  const volume = resources.find(isShared);
  const alive = [...memory.tasks.values()].filter(isAlive).length;
  const room = roomIn(offer);
  const fit = Math.floor(Math.min(room.cpus / 0.1, room.mem / 32));
  const count = Math.min(fit, 2, plan.alive - alive, plan.total - memory.nextTask);
  if (volume === undefined || count <= 0) return [];
  return Array.from({ length: count }, () => {
    const id = nextTaskId(client);
    return {
      name: id,
      task_id: { value: id },
      agent_id: offer.agent_id,
      resources: [scalar('cpus', 0.1, plan.role), scalar('mem', 32, plan.role), volume],
      command: { value: `run ${wholeBetween(random, 200, plan.longestTaskMs)}` },
    };
  });
}
