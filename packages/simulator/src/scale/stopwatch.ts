// What the masters' steps really cost: a stopwatch around the core. Its sockets and codecs are not in it.
// It counts the process' CPU time, so that what else the machine does falls out of it; the collector is in it.
import type { MasterInput } from '@meseta/master/core/io';
import type { World } from '../world.js';
import { rounded } from './figures.js';

export interface Cost {
  readonly steps: number;
  readonly ms: number;
}

export interface Stopwatch {
  /** Of all steps since the start or the last reset, by what they answered: `ACCEPT`, `StatusUpdateMessage`, `tick`. */
  costs(): Readonly<Record<string, Cost>>;
  totalMs(): number;
  reset(): void;
}

export function cpuMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}

const kindOf = (input: MasterInput): string =>
  input.kind === 'message'
    ? input.message.name
    : input.kind === 'schedulerCall'
      ? (input.call.type ?? 'UNKNOWN')
      : input.kind;

/** To be called before the first master starts. */
export function startStopwatch(world: World): Stopwatch {
  const costs = new Map<string, { steps: number; ms: number }>();
  world.observers.push({
    masterStarted({ core }) {
      const { step } = core;
      const timed: typeof step = (input, now) => {
        const startedMs = cpuMs();
        const effects = step(input, now);
        const ms = cpuMs() - startedMs;
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
    costs: () => Object.fromEntries([...costs].map(([kind, { steps, ms }]) => [kind, { steps, ms: rounded(ms) }])),
    totalMs: () => [...costs.values()].reduce((sum, { ms }) => sum + ms, 0),
    reset: () => costs.clear(),
  };
}
