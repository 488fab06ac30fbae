// Shrinks a failing plan: removes faults, agents and frameworks, in halves first, then one by one, as long as the same
// invariant breaks.
import type { Plan } from './plan.js';
import { PARTS, type Selection, select } from './selection.js';
import { simulate } from './simulation.js';

export interface Shrunk {
  readonly selection: Selection;
  readonly runs: number;
}

export function shrink(plan: Plan, invariant: string, mostRuns = 300): Shrunk {
  let runs = 0;
  const stillFails = (selection: Selection): boolean => {
    runs++;
    return simulate(select(plan, selection)).failure?.invariant === invariant;
  };
  let selection: Selection = {};
  for (const part of PARTS) {
    let kept = [...plan[part].keys()];
    for (
      let size = Math.ceil(kept.length / 2);
      size >= 1 && runs < mostRuns;
      size = size === 1 ? 0 : Math.ceil(size / 2)
    ) {
      for (let at = 0; at < kept.length && runs < mostRuns; ) {
        const without = [...kept.slice(0, at), ...kept.slice(at + size)];
        if (stillFails({ ...selection, [part]: new Set(without) })) kept = without;
        else at += size;
      }
    }
    selection = { ...selection, [part]: new Set(kept) };
  }
  return { selection, runs };
}
