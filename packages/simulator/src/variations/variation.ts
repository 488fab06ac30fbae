// A variation changes the plan of a share of the seeds. It draws from a random stream of its own, so a seed that does not
// draw it runs as if the variation did not exist.
import type { Random } from '@meseta/base';
import { happens, streamOf } from '../engine/chance.js';
import type { Fault } from '../faults/all.js';
import type { Plan } from '../run/plan.js';
import type { FrameworkPlan } from '../schedulers/framework-plan.js';

export interface Variation {
  /** Also the name of its random stream. */
  readonly name: string;
  /** The share of seeds that draw it, 0 to 1. */
  readonly share: number;
  draw(random: Random, plan: Plan): Plan;
}

/** The plan with every variation that the seed draws. */
export const vary = (plan: Plan, variations: readonly Variation[]): Plan =>
  variations.reduce((varied, { name, share, draw }) => {
    const random = streamOf(plan.seed, name);
    if (!happens(random, share)) return varied;
    return { ...draw(random, varied), variations: [...varied.variations, name] };
  }, plan);

/** Adds faults after those of the plan. */
export function withFaults(plan: Plan, more: readonly Fault[]): Plan {
  const faults = new Map(plan.faults);
  for (const fault of more) faults.set(faults.size, fault);
  return { ...plan, faults };
}

export function withFramework(plan: Plan, more: FrameworkPlan): Plan {
  const frameworks = new Map(plan.frameworks);
  frameworks.set(frameworks.size, more);
  return { ...plan, frameworks };
}
