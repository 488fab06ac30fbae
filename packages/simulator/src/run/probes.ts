// Probes of the cluster after it has recovered.
import { type FrameworkPlan, PLAIN_FRAMEWORK } from '../schedulers/framework-plan.js';
import { startFramework } from '../schedulers/scripts.js';
import type { Cluster } from './cluster.js';

/** Above the indexes of a plan's frameworks. */
const FIRST_INDEX = 100;

/** Starts a framework in each role with a quota that keeps every offer, so that the role's guarantee can be met. */
export function probeGuarantees({ world, masters, frameworks }: Cluster): void {
  const quotas = masters.leader()?.core.state.registrar.durable.quotas ?? new Map();
  let index = FIRST_INDEX;
  for (const role of quotas.keys()) {
    const plan: FrameworkPlan = {
      ...PLAIN_FRAMEWORK,
      kind: 'hoarder',
      role,
      alive: 0,
      total: 0,
      longestTaskMs: 0,
    };
    frameworks.set(index, startFramework(world, masters, index, plan));
    index++;
  }
}
