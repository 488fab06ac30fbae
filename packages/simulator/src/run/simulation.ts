// Runs one simulation: from a plan to its outcome.

import { createCheckers } from '../checkers/all.js';
import { type JournalEntry, renderEntry } from '../engine/journal.js';
import { healAll, scheduleFaults } from '../faults/all.js';
import { tearDownForgotten } from '../faults/operator.js';
import { createWorld, InvariantBroken, type World } from '../world.js';
import { createCluster } from './cluster.js';
import type { Plan } from './plan.js';
import { probeGuarantees } from './probes.js';

export interface Failure {
  readonly invariant: string;
  readonly explanation: string;
  readonly atMs: number;
  /** The last events of the ids involved, oldest first. */
  readonly story: readonly string[];
}

export interface Outcome {
  readonly seed: number;
  readonly failure: Failure | undefined;
  readonly virtualMs: number;
  readonly events: number;
  /** How often each fault was injected and each check was made, by name. */
  readonly counts: ReadonlyMap<string, number>;
}

export interface SimulationOptions {
  readonly onLine?: ((line: string) => void) | undefined;
}

const STORY_LENGTH = 60;

export function simulate(plan: Plan, { onLine }: SimulationOptions = {}): Outcome {
  const { seed, encoded, network } = plan;
  const world = createWorld({ seed, encoded, network, onLine });
  const outcome = (failure: Failure | undefined): Outcome => ({
    seed,
    failure,
    virtualMs: world.timeline.nowMs(),
    events: world.timeline.count(),
    counts: world.counts,
  });
  try {
    run(world, plan);
    return outcome(undefined);
  } catch (error) {
    if (!(error instanceof InvariantBroken)) throw error;
    const { invariant, explanation, atMs, subjects } = error;
    return outcome({ invariant, explanation, atMs, story: storyOf(world, subjects) });
  }
}

function run(world: World, plan: Plan): void {
  const cluster = createCluster(world, plan);
  const checkers = createCheckers(cluster);
  world.observers.push(...checkers.observers);
  world.count(plan.encoded ? 'runs with messages as bytes' : 'runs with messages as objects');
  scheduleFaults(cluster);
  world.timeline.runUntil(plan.faultPhaseMs);
  healAll(cluster);
  world.timeline.runUntil(plan.faultPhaseMs + plan.recoveryPhaseMs / 2);
  tearDownForgotten(cluster);
  world.timeline.runUntil(plan.faultPhaseMs + plan.recoveryPhaseMs * 0.75);
  probeGuarantees(cluster);
  world.timeline.runUntil(plan.faultPhaseMs + plan.recoveryPhaseMs);
  checkers.checkQuiescence();
}

function storyOf(world: World, subjects: readonly string[]): readonly string[] {
  const entries: readonly JournalEntry[] = world.journal.last(STORY_LENGTH, subjects.length > 0 ? subjects : undefined);
  return entries.map(renderEntry);
}
