// Every checker of a simulation.
import type { Cluster } from '../run/cluster.js';
import type { Observer } from '../world.js';
import { createAcknowledgementsChecker } from './acknowledgements.js';
import { createBooksChecker } from './books.js';
import { createCallsChecker } from './calls.js';
import type { CreateChecker } from './checker.js';
import { createCheckpointsChecker } from './checkpoints.js';
import { createExecutorsChecker } from './executors.js';
import { createFeedbackChecker } from './feedback.js';
import { createKillsChecker } from './kills.js';
import { createLimitsChecker } from './limits.js';
import { createOffersChecker } from './offers.js';
import { createOperatorsChecker } from './operators.js';
import { createPodsChecker } from './pods.js';
import { createReconciliationChecker } from './reconciliation.js';
import { createRecordKeeper } from './records.js';
import { createRegistryChecker } from './registry.js';
import { createRestChecker } from './rest.js';
import { createReturnsChecker } from './returns.js';
import { createUpdatesChecker } from './updates.js';

const CHECKERS: readonly CreateChecker[] = [
  createBooksChecker,
  createOffersChecker,
  createUpdatesChecker,
  createAcknowledgementsChecker,
  createRegistryChecker,
  createCallsChecker,
  createKillsChecker,
  createReturnsChecker,
  createExecutorsChecker,
  createPodsChecker,
  createReconciliationChecker,
  createOperatorsChecker,
  createCheckpointsChecker,
  createFeedbackChecker,
  createLimitsChecker,
  createRestChecker,
];

export function createCheckers(cluster: Cluster): { readonly observers: readonly Observer[]; atRest(): void } {
  const keeper = createRecordKeeper();
  const checkers = CHECKERS.map((create) => create(cluster, cluster.world.count, keeper));
  return {
    observers: [keeper.observer, ...checkers.map(({ observer }) => observer)],
    atRest() {
      for (const checker of checkers) checker.atRest?.();
    },
  };
}
