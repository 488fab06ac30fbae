// What the masters' steps really cost: a stopwatch around the core. Its sockets and codecs are not in it.
import type { MasterInput } from '@meseta/master/core/io';
import type { World } from '../world.js';

export interface Cost {
  readonly steps: number;
  readonly ms: number;
}

export interface Stopwatch {
  /** Of all steps since the start or the last reset, by what they answered: `ACCEPT`, `StatusUpdateMessage`, `tick`. */
  costs(): ReadonlyMap<string, Cost>;
  totalMs(): number;
  reset(): void;
}

const kindOf = (input: MasterInput): string =>
  input.kind === 'message' ? input.message.name : input.kind === 'schedulerCall' ? input.call.type : input.kind;

/** To be called before the first master starts. */
export function startStopwatch(world: World): Stopwatch {
  const costs = new Map<string, { steps: number; ms: number }>();
  world.observers.push({
    masterStarted({ core }) {
      const { step } = core;
      const timed: typeof step = (input, now) => {
        const startedMs = performance.now();
        const effects = step(input, now);
        const ms = performance.now() - startedMs;
        const kind = kindOf(input);
        const cost = costs.get(kind);
        if (cost === undefined) costs.set(kind, { steps: 1, ms });
        else {
          cost.steps++;
          cost.ms += ms;
        }
        return effects;
      };
      Object.assign(core, { step: timed });
    },
  });
  return {
    costs: () => new Map([...costs].map(([kind, cost]) => [kind, { ...cost }])),
    totalMs: () => [...costs.values()].reduce((sum, { ms }) => sum + ms, 0),
    reset: () => costs.clear(),
  };
}
