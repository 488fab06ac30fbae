// Every checker of a simulation.
import type { Cluster } from '../run/cluster.js';
import type { Observer } from '../world.js';

export interface Checker {
  readonly observer: Observer;
  /** Everything was healed, and long enough ago. */
  atRest?(): void;
}

/** Adds to what the run did and checked. */
export type Count = (what: string, by?: number) => void;

const CHECKERS: readonly ((cluster: Cluster, count: Count) => Checker)[] = [];

export function createCheckers(
  cluster: Cluster,
  counts: Map<string, number>,
): { readonly observers: readonly Observer[]; atRest(): void } {
  const count: Count = (what, by = 1) => void counts.set(what, (counts.get(what) ?? 0) + by);
  const checkers = CHECKERS.map((create) => create(cluster, count));
  return {
    observers: checkers.map(({ observer }) => observer),
    atRest() {
      for (const checker of checkers) checker.atRest?.();
    },
  };
}
