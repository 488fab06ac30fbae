// The plan of a framework, and the commands of its tasks.
import type { Resource } from '@meseta/wire';
import { happens, wholeBetween } from '../engine/chance.js';
import type { SchedulerClient } from '../nodes/scheduler.js';

export const SCHEDULER_KINDS = [
  'runner',
  'hoarder',
  'decliner',
  'disconnector',
  'failover',
  'silent',
  'keeper',
  'reserver',
] as const;

/** Kinds that only variations add. */
type AddedKind = 'sharer';

export type SchedulerKind = (typeof SCHEDULER_KINDS)[number] | AddedKind;

/** One framework of a plan. */
export interface FrameworkPlan {
  readonly kind: SchedulerKind;
  readonly role: string;
  readonly partitionAware: boolean;
  readonly checkpoint: boolean;
  readonly failoverTimeoutMs: number;
  /** The number of tasks that it keeps running at a time. */
  readonly alive: number;
  /** The number of tasks that it launches at most. */
  readonly total: number;
  readonly longestTaskMs: number;
  /** How its tasks run. */
  readonly launches: 'commands' | 'executors' | 'pods';
  /** Whether it reconciles random tasks now and then. */
  readonly reconcilesAtRandom: boolean;
  readonly speaks: 'http' | 'driver' | 'oldDriver';
  /** Updates that each task of an executor sends while it runs, beside those of its states. */
  readonly updatesPerTask?: number;
}

/** The fields that plans of frameworks have in common, for plans of one purpose. */
export const PLAIN_FRAMEWORK = {
  partitionAware: true,
  checkpoint: true,
  failoverTimeoutMs: 3_600_000,
  launches: 'commands',
  reconcilesAtRandom: false,
  speaks: 'http',
} as const satisfies Partial<FrameworkPlan>;

export interface Activity {
  isQuiesced: boolean;
}

export const scalar = (name: string, value: number, role: string): Resource => ({
  name,
  type: 'SCALAR',
  scalar: { value },
  allocation_info: { role },
});

/** What a fake container does; see engine/containers.ts. */
export function commandOf({ random }: Pick<SchedulerClient, 'random'>, plan: FrameworkPlan): string {
  const words: string[] = [];
  if (plan.kind !== 'keeper') words.push('run', String(wholeBetween(random, 200, plan.longestTaskMs)));
  if (plan.updatesPerTask !== undefined) words.push('updates', String(plan.updatesPerTask));
  if (happens(random, 0.2)) words.push('exit', '3');
  if (happens(random, 0.2)) words.push('stubborn');
  if (happens(random, 0.03)) words.push('broken');
  return words.join(' ');
}
