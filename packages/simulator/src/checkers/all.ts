// Every checker of a simulation.
import type { Cluster } from '../run/cluster.js';
import type { Observer } from '../world.js';
import { accounting } from './accounting.js';
import { acknowledgements } from './acknowledgements.js';
import { calls } from './calls.js';
import type { CheckerKind } from './checker.js';
import { checkpoints } from './checkpoints.js';
import { executors } from './executors.js';
import { feedback } from './feedback.js';
import { kills } from './kills.js';
import { limits } from './limits.js';
import { offers } from './offers.js';
import { operators } from './operators.js';
import { pods } from './pods.js';
import { quiescence } from './quiescence.js';
import { reconciliation } from './reconciliation.js';
import { createRecordKeeper } from './records.js';
import { registry } from './registry.js';
import { removals } from './removals.js';
import { returns } from './returns.js';
import { termOfTasks } from './term-of-tasks.js';
import { terms } from './terms.js';
import { updates } from './updates.js';
import { wishes } from './wishes.js';

export const CHECKERS: readonly CheckerKind[] = [
  accounting,
  offers,
  updates,
  acknowledgements,
  registry,
  terms,
  termOfTasks,
  calls,
  kills,
  removals,
  returns,
  executors,
  pods,
  reconciliation,
  operators,
  wishes,
  checkpoints,
  feedback,
  limits,
  quiescence,
];

export function createCheckers(cluster: Cluster): { readonly observers: readonly Observer[]; checkQuiescence(): void } {
  const keeper = createRecordKeeper();
  const checkers = CHECKERS.map(({ create }) => create(cluster, cluster.world.count, keeper));
  return {
    observers: [keeper.observer, ...checkers.map(({ observer }) => observer)],
    checkQuiescence() {
      for (const checker of checkers) checker.checkQuiescence?.();
    },
  };
}
