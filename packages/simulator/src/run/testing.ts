// Plans that tests write by hand: a small cluster on a quiet network, and the faults that the test is about.
import { QUIET_NETWORK } from '../engine/network.js';
import type { Fault } from '../faults/all.js';
import { type FrameworkPlan, PLAIN_FRAMEWORK } from '../schedulers/framework-plan.js';
import { type Plan, planOf } from './plan.js';

const numbered = <T>(items: readonly T[]): ReadonlyMap<number, T> => new Map(items.map((item, index) => [index, item]));

export const frameworkPlan = (changes: Partial<FrameworkPlan>): FrameworkPlan => ({
  ...PLAIN_FRAMEWORK,
  kind: 'runner',
  role: 'red',
  alive: 4,
  total: 8,
  longestTaskMs: 60_000,
  ...changes,
});

/** One master and one agent. */
export const planWith = (frameworks: readonly FrameworkPlan[], faults: readonly Fault[]): Plan => ({
  ...planOf(1),
  variations: [],
  network: QUIET_NETWORK,
  masters: 1,
  masterRates: [1],
  agents: numbered([{ size: { cpus: 8, mem: 4096, disk: 8192 }, rate: 1 }]),
  frameworks: numbered(frameworks),
  faults: numbered(faults),
});
