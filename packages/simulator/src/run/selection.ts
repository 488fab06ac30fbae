// A selection of the faults, agents and frameworks of a plan.
import type { Plan } from './plan.js';

/** The indexes that are kept; undefined: all. */
export interface Selection {
  readonly faults?: ReadonlySet<number> | undefined;
  readonly agents?: ReadonlySet<number> | undefined;
  readonly frameworks?: ReadonlySet<number> | undefined;
}

export const PARTS = ['faults', 'agents', 'frameworks'] as const;

const keep = <T>(all: ReadonlyMap<number, T>, wanted: ReadonlySet<number> | undefined): ReadonlyMap<number, T> =>
  wanted === undefined ? all : new Map([...all].filter(([index]) => wanted.has(index)));

export const select = (plan: Plan, selection: Selection): Plan => ({
  ...plan,
  faults: keep(plan.faults, selection.faults),
  agents: keep(plan.agents, selection.agents),
  frameworks: keep(plan.frameworks, selection.frameworks),
});

/** The command that replays the run with its whole log. */
export function replayCommand(seed: number, selection: Selection): string {
  const options = PARTS.flatMap((part) => {
    const wanted = selection[part];
    return wanted === undefined ? [] : [`--${part}=${[...wanted].join(',') || 'none'}`];
  });
  return ['meseta sim', `--seed=${seed}`, ...options, '--log'].join(' ');
}
