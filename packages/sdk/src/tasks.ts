// Builders of the tasks and operations that frameworks need most often.

import { smallest } from '@meseta/base';
import type { CommandInfo, Offer, OfferOperation, Resource, TaskInfo } from '@meseta/wire';
import { scalarSum, toThousandths } from '@meseta/wire/scalars';

export interface TaskOptions {
  readonly id: string;
  readonly name?: string | undefined;
  /** A shell command line, or a whole CommandInfo. */
  readonly command: string | CommandInfo;
  /** Scalars by name: `{ cpus: 0.1, mem: 32 }` (mem and disk in MB). */
  readonly resources: Readonly<Record<string, number>>;
}

/** A scalar of an offer's role, unreserved. */
export function scalar(name: string, value: number, offer: Offer): Resource {
  return {
    name,
    type: 'SCALAR',
    scalar: { value },
    ...(offer.allocation_info && { allocation_info: offer.allocation_info }),
  };
}

/** A command task for the offer's agent, with its unreserved resources. */
export function commandTask(offer: Offer, options: TaskOptions): TaskInfo {
  const { id, name, command, resources } = options;
  return {
    name: name ?? id,
    task_id: { value: id },
    agent_id: offer.agent_id,
    resources: Object.entries(resources).map(([resource, value]) => scalar(resource, value, offer)),
    command: typeof command === 'string' ? { value: command, shell: true } : command,
  };
}

/** A LAUNCH operation for ACCEPT. */
export const launch = (tasks: readonly TaskInfo[]): OfferOperation => ({
  type: 'LAUNCH',
  launch: { task_infos: [...tasks] },
});

/**
 * How many times `resources` fit into the unreserved resources of an offer, counted in thousandths as Mesos does; Infinity if
 * none is above 0.
 */
export function fits(offer: Offer, resources: Readonly<Record<string, number>>): number {
  const unreserved = offer.resources?.filter(isUnreserved);
  const counts = Object.entries(resources)
    .filter(([, value]) => toThousandths(value) > 0)
    .map(([name, value]) => Math.floor(toThousandths(scalarSum(unreserved, name)) / toThousandths(value)));
  return smallest(counts);
}

const isUnreserved = ({ reservations, role = '*' }: Resource): boolean => !reservations?.length && role === '*';
