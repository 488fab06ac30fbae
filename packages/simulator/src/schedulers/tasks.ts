// The tasks that scripted frameworks make of an offer's plain resources: neither reserved nor a disk with a source or a volume.
import type { Offer, TaskInfo } from '@meseta/wire';
import { scalarSum } from '@meseta/wire/scalars';
import { happens, pick } from '../engine/chance.js';
import type { SchedulerClient } from '../nodes/scheduler.js';
import { commandOf, type FrameworkPlan, scalar } from './framework-plan.js';
import { isReserved } from './operations.js';

/** The plain resources of an offer that no task uses yet; mem and disk in MiB. */
export interface Room {
  cpus: number;
  mem: number;
  disk: number;
}

export function roomIn({ resources = [] }: Offer): Room {
  const plain = resources.filter((it) => !isReserved(it) && it.disk === undefined);
  return { cpus: scalarSum(plain, 'cpus'), mem: scalarSum(plain, 'mem'), disk: scalarSum(plain, 'disk') };
}

/** Takes what is needed from the room; returns false, and takes nothing, if there is too little. */
export const take = (room: Room, needs: Partial<Room>): boolean => {
  const { cpus = 0, mem = 0, disk = 0 } = needs;
  if (cpus > room.cpus || mem > room.mem || disk > room.disk) return false;
  room.cpus = Math.round((room.cpus - cpus) * 1000) / 1000;
  room.mem -= mem;
  room.disk -= disk;
  return true;
};

export const nextTaskId = ({ name, memory }: SchedulerClient): string => `${name.split('.')[0]}-t${memory.nextTask++}`;

/** At most `count` tasks that fit in the room, which loses their resources. */
export function tasksIn(
  room: Room,
  client: SchedulerClient,
  plan: FrameworkPlan,
  offer: Offer,
  count: number,
): readonly TaskInfo[] {
  const { random } = client;
  const tasks: TaskInfo[] = [];
  while (tasks.length < count) {
    const needs = { cpus: pick(random, [0.1, 0.5, 1]), mem: pick(random, [32, 64, 256]) };
    if (!take(room, needs)) break;
    const id = nextTaskId(client);
    const command = commandOf(client, plan);
    tasks.push({
      name: id,
      task_id: { value: id },
      agent_id: offer.agent_id,
      resources: [scalar('cpus', needs.cpus, plan.role), scalar('mem', needs.mem, plan.role)],
      ...(plan.launches === 'executors' ? { data: btoa(command) } : { command: { value: command } }),
      ...(happens(random, 0.3) ? { kill_policy: { grace_period: { nanoseconds: 15e9 } } } : {}),
    });
  }
  return tasks;
}
